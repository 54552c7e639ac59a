use fly_rpc::region_rpc;

struct Db;

#[region_rpc]
fn count(
    #[state]
    #[context]
    _db: &Db,
) -> u64 {
    0
}

fn main() {}
