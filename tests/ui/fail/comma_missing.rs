use fly_rpc::region_rpc;

#[region_rpc(@primary version = 2)]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

fn main() {
    let _call = upcase_on_primary("fly");
}
