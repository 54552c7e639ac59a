use fly_rpc::region_rpc;

#[region_rpc]
fn first(text: &str) -> &str {
    &text[..1]
}

fn main() {}
