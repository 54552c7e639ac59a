use fly_rpc::region_rpc;

#[region_rpc]
fn add(left: u64, #[cfg(unix)] right: u64) -> u64 {
    left + right
}

fn main() {}
