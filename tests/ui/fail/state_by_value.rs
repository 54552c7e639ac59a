use fly_rpc::region_rpc;

struct Db;

#[region_rpc]
fn count(#[state] _db: Db) -> u64 {
    0
}

fn main() {
    let _call = count_on_primary();
}
