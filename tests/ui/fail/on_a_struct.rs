use fly_rpc::region_rpc;

#[region_rpc]
struct Upcase {
    text: String,
}

fn main() {}
