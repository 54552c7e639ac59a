use fly_rpc::region_rpc;

use serde::Deserialize;

#[derive(Deserialize)]
struct Point {
    x: f64,
}

#[region_rpc]
fn origin() -> Point {
    Point { x: 0.0 }
}

fn main() {
    let _call = origin_on_primary();
}
