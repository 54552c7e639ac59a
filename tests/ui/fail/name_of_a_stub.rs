use fly_rpc::region_rpc;

#[region_rpc]
fn turn_on(lamp: u64) -> bool {
    lamp > 0
}

fn main() {}
