use fly_rpc::region_rpc;

struct Db;

impl Db {
    #[region_rpc(@primary)]
    async fn create_post(&self, body: &str) -> u64 {
        body.len() as u64
    }
}

fn main() {}
