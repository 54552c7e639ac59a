use fly_rpc::region_rpc;

#[region_rpc]
fn push(list: &mut Vec<u64>) {
    list.push(1);
}

fn main() {
    let mut list = Vec::<u64>::new();
    let _call = push_on_primary(&mut list);
}
