use fly_rpc::region_rpc;

#[region_rpc]
unsafe fn double(number: u64) -> u64 {
    number * 2
}

fn main() {
    let _call = double_on_primary(7);
}
