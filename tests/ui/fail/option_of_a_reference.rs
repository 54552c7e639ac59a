use fly_rpc::region_rpc;

#[region_rpc]
fn length(list: Option<&Vec<u64>>) -> Option<usize> {
    list.map(Vec::len)
}

fn main() {}
