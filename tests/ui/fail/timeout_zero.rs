use fly_rpc::region_rpc;

#[region_rpc(timeout = "0s")]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
