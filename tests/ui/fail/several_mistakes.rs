use fly_rpc::region_rpc;

pub struct Db;

#[region_rpc(@primary, version = 0, timout = "2s")]
pub async fn create_post_on(
    #[state] _db: Db,
    (_author, _editor): (u64, u64),
    _body: &mut String,
) -> &'static str {
    "created"
}

fn main() {}
