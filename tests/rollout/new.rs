//! The build that replaces the old one.

mod application;

use fly_rpc::region_rpc;
use fly_rpc_tests::{fleet::Build, history::CallId};
use serde::{Deserialize, Serialize};

use application::{Receipt, Shop, Traffic};

/// What a thing costs. Somebody put the fields into a tidier order and did not raise the version of `price`: the same
/// bytes now decode into another price.
#[derive(Debug, Serialize, Deserialize)]
struct Price {
    by: Build,
    tax: u32,
    net: u32,
}

/// A new function.
#[region_rpc]
fn refund(#[state] shop: &Shop, call: CallId, amount: u32) -> Receipt {
    shop.serve(call, "refund@1", amount)
}

/// Takes more than it did.
#[region_rpc(version = 2)]
fn ship(#[state] shop: &Shop, call: CallId, parcels: u32, express: bool) -> Receipt {
    shop.serve(call, "ship@2", if express { parcels * 2 } else { parcels })
}

/// What the old build still calls.
#[region_rpc(name = "ship", version = 1)]
fn ship_v1(#[state] shop: &Shop, call: CallId, parcels: u32) -> Receipt {
    shop.serve(call, "ship@1", parcels)
}

/// Should be version 2.
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
    traffic.everywhere("refund@1", |call, target| async move {
        Ok(refund_on(target, call, 5).await?.is(call, 5))
    });
    traffic.everywhere("ship@2", |call, target| async move {
        let shipped = ship_on(&target, call, 3, true)
            .or_older(ship_v1_on(&target, call, 3))
            .await?;
        Ok(shipped.is(call, 6) || shipped.is(call, 3))
    });
    traffic.everywhere("price@1", |call, target| async move {
        let price = price_on(target, call).await?;
        Ok((price.by, price.net, price.tax) == (Build::New, 100, 19))
    });
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    application::run(Build::New, FUNCTIONS, trade).await
}

/// Those of both builds, and those above.
const FUNCTIONS: usize = application::FUNCTIONS + 4;
