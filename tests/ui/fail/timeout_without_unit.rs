use fly_rpc::region_rpc;

#[region_rpc(timeout = 2)]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
