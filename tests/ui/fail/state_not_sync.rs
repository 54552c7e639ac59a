use fly_rpc::region_rpc;

use std::cell::Cell;

struct Counter(Cell<u64>);

#[region_rpc]
fn next(#[state] counter: &Counter) -> u64 {
    counter.0.replace(counter.0.get() + 1)
}

fn main() {}
