use fly_rpc::region_rpc;

struct Db;

#[region_rpc]
impl Db {
    async fn create_post(&self, #[state] _db: &Db) {}
}

fn main() {}
