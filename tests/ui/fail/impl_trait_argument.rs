use fly_rpc::region_rpc;

#[region_rpc]
fn upcase(text: impl AsRef<str>) -> String {
    text.as_ref().to_uppercase()
}

fn main() {
    let _call = upcase_on_primary("fly");
}
