use fly_rpc::region_rpc;

#[region_rpc]
fn show(value: &dyn std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn main() {}
