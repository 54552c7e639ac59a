use fly_rpc::region_rpc;

use std::rc::Rc;

#[region_rpc]
async fn count(text: String) -> usize {
    let shared = Rc::new(text);
    std::future::ready(()).await;
    shared.len()
}

fn main() {
    let _call = count_on_primary("fly".to_owned());
}
