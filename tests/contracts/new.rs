//! The next build: one function changed and its version did not, one changed as it should, one is gone and one is new.

use fly_rpc::region_rpc;

#[region_rpc(@primary)]
fn charge(order: u64, by: &str, currency: u16) -> Result<u64, String> {
    Err(format!("{by} does not pay {order} {currency}"))
}

#[region_rpc(version = 2, idempotent)]
fn ship(parcels: u32, fast: bool) -> u32 {
    parcels + u32::from(fast)
}

#[region_rpc(name = "ship", version = 1, idempotent)]
fn ship_v1(parcels: u32) -> u32 {
    ship(parcels, false)
}

#[region_rpc]
fn track(order: u64) -> Option<String> {
    (order > 7).then(|| "on its way".to_owned())
}

fn main() {
    let path = std::env::args_os().nth(1).expect("a path");
    fly_rpc::assert_contracts!(path);
}
