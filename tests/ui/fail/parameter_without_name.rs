use fly_rpc::region_rpc;

#[region_rpc]
fn ignore(_: u64) {}

fn main() {}
