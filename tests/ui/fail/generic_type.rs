use fly_rpc::region_rpc;

use serde::Serialize;

#[region_rpc]
fn encode<T: Serialize>(value: T) -> String {
    drop(value);
    String::new()
}

fn main() {}
