use fly_rpc::region_rpc;

#[region_rpc]
fn upcase(text: &str) -> String
where
    String: Clone,
{
    text.to_uppercase()
}

fn main() {}
