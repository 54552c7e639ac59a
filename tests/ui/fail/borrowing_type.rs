use fly_rpc::region_rpc;

use std::borrow::Cow;

#[region_rpc]
fn upcase(text: Cow<'_, str>) -> String {
    text.to_uppercase()
}

fn main() {}
