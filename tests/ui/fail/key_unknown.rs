use fly_rpc::region_rpc;

#[region_rpc(retries = 3)]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
