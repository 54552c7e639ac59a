use fly_rpc::region_rpc;

use serde::Serialize;

#[derive(Serialize)]
struct Point {
    x: f64,
}

#[region_rpc]
fn scale(point: &Point, factor: f64) -> f64 {
    point.x * factor
}

fn main() {
    let point = Point { x: 1.0 };
    let _call = scale_on_primary(&point, 2.0);
}
