use fly_rpc::{CallContext, region_rpc};

#[region_rpc]
fn caller(#[context] _context: CallContext) -> u64 {
    0
}

fn main() {}
