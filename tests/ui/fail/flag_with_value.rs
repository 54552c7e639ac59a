use fly_rpc::region_rpc;

#[region_rpc(idempotent = true)]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
