use fly_rpc::region_rpc;

#[region_rpc]
fn upcase(text: &'static str) -> String {
    text.to_uppercase()
}

fn main() {
    let _call = upcase_on_region("hkg", "fly");
}
