use fly_rpc::region_rpc;

#[region_rpc]
fn größe(text: &str) -> usize {
    text.len()
}

fn main() {}
