use fly_rpc::region_rpc;

use std::sync::Arc;

trait Mailer: Send + Sync {}

#[region_rpc]
fn count(#[state] _mailer: Arc<dyn Mailer>) -> u64 {
    0
}

fn main() {}
