//! The build that recorded its contracts, in the file that it is given.

use fly_rpc::region_rpc;

#[region_rpc(@primary)]
fn charge(order: u64, by: &str) -> Result<u64, String> {
    Err(format!("{by} does not pay {order}"))
}

#[region_rpc]
fn gift_wrap(ribbon: String) -> String {
    ribbon
}

#[region_rpc(idempotent)]
fn ship(parcels: u32) -> u32 {
    parcels
}

fn main() {
    let path = std::env::args_os().nth(1).expect("a path");
    fly_rpc::assert_contracts!(path);
}
