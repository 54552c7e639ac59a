use fly_rpc::region_rpc;

#[region_rpc]
trait Posts {
    async fn create_post(body: String);
}

fn main() {}
