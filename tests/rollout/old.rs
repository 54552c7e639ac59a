//! The build that is being replaced.

mod application;

use fly_rpc::region_rpc;
use fly_rpc_tests::{fleet::Build, history::CallId};
use serde::{Deserialize, Serialize};

use application::{Receipt, Shop, Traffic};

/// What a thing costs. The next build changes it by mistake.
#[derive(Debug, Serialize, Deserialize)]
struct Price {
    by: Build,
    net: u32,
    tax: u32,
}

/// Raised to version 2 by the next build.
#[region_rpc]
fn ship(#[state] shop: &Shop, call: CallId, parcels: u32) -> Receipt {
    shop.serve(call, "ship@1", parcels)
}

/// Dropped by the next build.
#[region_rpc]
fn gift_wrap(#[state] shop: &Shop, call: CallId, ribbon: &str) -> Receipt {
    shop.serve(call, "gift_wrap@1", ribbon.len() as u32)
}

/// Keeps its version in the next build, and its types not.
#[region_rpc]
fn price(#[state] shop: &Shop, call: CallId) -> Price {
    shop.journal().begin(call, "price@1").end();
    Price {
        by: shop.build(),
        net: 100,
        tax: 19,
    }
}

fn trade(traffic: &mut Traffic) {
    traffic.everywhere("ship@1", |call, target| async move {
        Ok(ship_on(target, call, 3).await?.is(call, 3))
    });
    traffic.everywhere("gift_wrap@1", |call, target| async move {
        Ok(gift_wrap_on(target, call, "red").await?.is(call, 3))
    });
    traffic.everywhere("price@1", |call, target| async move {
        let price = price_on(target, call).await?;
        Ok((price.by, price.net, price.tax) == (Build::Old, 100, 19))
    });
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    application::run(Build::Old, FUNCTIONS, trade).await
}

/// Those of both builds, and those above.
const FUNCTIONS: usize = application::FUNCTIONS + 3;
