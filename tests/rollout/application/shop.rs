//! The functions that both builds have, and what all functions need.

use std::{sync::Arc, time::Duration};

use fly_rpc::{CallError, Target, region_rpc};
use fly_rpc_tests::{
    fleet::Build,
    history::{CallId, Journal, Outcome},
};
use serde::{Deserialize, Serialize};

/// The state of the application: its journal, in which everything that it does is written.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    journal: Arc<Journal>,
}

/// What most functions return: enough to see that it is the answer to this very call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    call: CallId,
    total: u32,
}

/// What a call gives: whether its value is right.
pub(crate) type Answer = Result<bool, CallError<String>>;

impl Shop {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal: Arc::new(journal),
        }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn build(&self) -> Build {
        self.journal.build()
    }

    /// The work of a function that takes no time.
    pub(crate) fn serve(&self, call: CallId, function: &str, total: u32) -> Receipt {
        self.journal.begin(call, function).end();
        Receipt { call, total }
    }
}

impl Receipt {
    /// True if it is the answer to this call.
    pub(crate) fn is(&self, call: CallId, total: u32) -> bool {
        self.call == call && self.total == total
    }
}

/// A write: it belongs where the primary is.
#[region_rpc(@primary)]
pub(crate) fn place_order(#[state] shop: &Shop, call: CallId, items: &[u32]) -> Receipt {
    shop.serve(call, "place_order@1", items.iter().sum())
}

/// A read: any node can answer it.
#[region_rpc]
pub(crate) fn read_stock(#[state] shop: &Shop, call: CallId, item: String) -> Receipt {
    shop.serve(call, "read_stock@1", item.len() as u32)
}

/// A function that calls another one, wherever it runs itself.
#[region_rpc]
pub(crate) async fn check_out(#[state] shop: &Shop, call: CallId) -> Result<Receipt, String> {
    let execution = shop.journal.begin(call, "check_out@1");
    let ordered = shop.journal.call("place_order@1", &Target::Primary, order);
    let outcome = ordered.await;
    execution.end();
    match outcome {
        Outcome::Right => Ok(Receipt { call, total: 9 }),
        other => Err(other.to_string()),
    }
}

async fn order(call: CallId) -> Answer {
    Ok(place_order_on_primary(call, &[4, 5]).await?.is(call, 9))
}

/// A function that is in flight for seconds, and for longer than most things that happen to its node.
#[region_rpc]
pub(crate) async fn settle(#[state] shop: &Shop, call: CallId, millis: u32) -> Receipt {
    let execution = shop.journal.begin(call, "settle@1");
    tokio::time::sleep(Duration::from_millis(millis.into())).await; // sleep: it is the work
    execution.end();
    Receipt {
        call,
        total: millis,
    }
}

/// How many functions there are above.
pub(crate) const FUNCTIONS: usize = 4;
