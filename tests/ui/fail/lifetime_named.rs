use fly_rpc::region_rpc;

#[region_rpc]
fn upcase<'a>(text: &'a str) -> String {
    text.to_uppercase()
}

fn main() {
    let _call = upcase_on_primary("fly");
}
