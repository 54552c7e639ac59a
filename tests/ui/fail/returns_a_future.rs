use fly_rpc::region_rpc;

#[region_rpc]
fn upcase(text: String) -> impl Future<Output = String> + Send {
    async move { text.to_uppercase() }
}

fn main() {}
