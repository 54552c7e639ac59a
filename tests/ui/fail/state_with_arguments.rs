use fly_rpc::region_rpc;

struct Db;

#[region_rpc]
fn count(#[state(Db)] _db: &Db) -> u64 {
    0
}

fn main() {}
