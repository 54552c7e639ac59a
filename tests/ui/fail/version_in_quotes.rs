use fly_rpc::region_rpc;

#[region_rpc(version = "2")]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
