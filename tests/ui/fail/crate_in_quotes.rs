use fly_rpc::region_rpc;

#[region_rpc(crate = "fly_rpc")]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
