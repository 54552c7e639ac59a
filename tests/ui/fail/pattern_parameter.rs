use fly_rpc::region_rpc;

#[region_rpc]
fn distance((x, y): (f64, f64)) -> f64 {
    x.hypot(y)
}

fn main() {
    let _call = distance_on("hkg", (3.0, 4.0));
}
