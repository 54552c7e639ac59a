use fly_rpc::region_rpc;

#[region_rpc]
fn sum<const N: usize>(numbers: [u64; N]) -> u64 {
    numbers.iter().sum()
}

fn main() {}
