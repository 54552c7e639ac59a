use fly_rpc::{call, region_rpc};

#[region_rpc]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {
    let _call = call!(upcase("fly").via(&node) @primary);
}
