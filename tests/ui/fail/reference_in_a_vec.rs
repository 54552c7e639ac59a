use fly_rpc::region_rpc;

#[region_rpc]
fn join(words: Vec<&str>) -> String {
    words.concat()
}

fn main() {}
