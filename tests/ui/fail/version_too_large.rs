use fly_rpc::region_rpc;

#[region_rpc(version = 4294967296)]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
