use fly_rpc::{call, region_rpc};

#[region_rpc(@primary)]
fn create_post(body: &str) -> usize {
    body.len()
}

fn main() {
    let _call = call!(create_post("fly") @nearest);
}
