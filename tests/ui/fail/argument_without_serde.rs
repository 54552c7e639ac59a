use fly_rpc::region_rpc;

struct Point {
    x: f64,
}

#[region_rpc]
fn negate(point: Point) -> f64 {
    -point.x
}

fn main() {
    let _call = negate_on_primary(Point { x: 1.0 });
}
