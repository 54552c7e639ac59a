//! The application that these tests run, in their own process and in workers: functions whose every run is written down,
//! and the calls of them.

use std::{sync::Arc, time::Duration};

use fly_rpc::{Call, CallError, Node, RpcError, Target, region_rpc};
use fly_rpc_tests::history::{CallId, Journal, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The state of a node, and what calls are made from.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) journal: Arc<Journal>,
    /// How many were ever begun that take their time.
    pub(crate) begun: watch::Sender<usize>,
}

/// What functions return: enough to see that it is the answer to this very call, and who gave it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    call: CallId,
    sum: u64,
}

/// What a call gives: whether its value is right.
pub(crate) type Answer = Result<bool, CallError<()>>;

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Where to.
    pub(crate) target: Target,
    /// Bytes of its argument.
    pub(crate) bytes: usize,
    /// Its deadline.
    pub(crate) timeout: Duration,
    /// Whether it waits for a node that can serve it.
    pub(crate) wait_ready: bool,
}

impl Desk {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal: Arc::new(journal),
            begun: watch::Sender::new(0),
        }
    }

    /// Has something counted, once.
    pub(crate) async fn count(&self, node: &Node, order: &Order) -> Outcome {
        let made = async |call| -> Answer {
            let argument = argument(call, order.bytes);
            let made = count_on(&order.target, call, &argument).via(node);
            Ok(order.make(made).await?.is(call, &argument))
        };
        self.journal.call("count@1", &order.target, made).await
    }

    /// Looks something up, perhaps again.
    pub(crate) async fn look(&self, node: &Node, order: &Order) -> Outcome {
        let made = async |call| -> Answer {
            let argument = argument(call, order.bytes);
            let made = look_on(&order.target, call, &argument).via(node);
            Ok(order.make(made).await?.is(call, &argument))
        };
        self.journal.call("look@1", &order.target, made).await
    }

    fn serve(&self, call: CallId, function: &str, argument: &[u8]) -> Receipt {
        self.journal.begin(call, function).end();
        Receipt {
            call,
            sum: sum(argument),
        }
    }
}

impl Order {
    /// A call to a target, with the default deadline and a small argument.
    pub(crate) fn to(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            bytes: 16,
            timeout: Duration::from_secs(5),
            wait_ready: false,
        }
    }

    /// Makes a call as it was ordered.
    pub(crate) async fn make<R>(&self, call: Call<'_, R>) -> Result<R, RpcError> {
        let call = call.timeout(self.timeout);
        if self.wait_ready {
            call.wait_ready().await
        } else {
            call.await
        }
    }
}

impl Receipt {
    pub(crate) fn is(&self, call: CallId, argument: &[u8]) -> bool {
        self.call == call && self.sum == sum(argument)
    }
}

#[region_rpc]
fn count(#[state] desk: &Desk, call: CallId, argument: &[u8]) -> Receipt {
    desk.serve(call, "count@1", argument)
}

#[region_rpc(idempotent)]
fn look(#[state] desk: &Desk, call: CallId, argument: &[u8]) -> Receipt {
    desk.serve(call, "look@1", argument)
}

#[region_rpc]
pub(crate) async fn linger(#[state] desk: &Desk, call: CallId, millis: u32) -> Receipt {
    let execution = desk.journal.begin(call, "linger@1");
    desk.begun.send_modify(|begun| *begun += 1);
    let while_it_takes = Duration::from_millis(millis.into());
    tokio::time::sleep(while_it_takes).await; // sleep: this is the work
    execution.end();
    Receipt {
        call,
        sum: sum(&[]),
    }
}

#[region_rpc]
pub(crate) async fn hold(#[state] desk: &Desk, call: CallId) -> Receipt {
    let _never_ends = desk.journal.begin(call, "hold@1");
    println!("running");
    std::future::pending().await
}

#[region_rpc]
pub(crate) fn report(#[state] desk: &Desk, call: CallId, bytes: u32) -> Vec<u8> {
    desk.journal.begin(call, "report@1").end();
    println!("ran");
    argument(call, bytes as usize)
}

/// Bytes that belong to this call and to no other.
pub(crate) fn argument(call: CallId, bytes: usize) -> Vec<u8> {
    let seed = u64::from(call.process) << 32 | u64::from(call.number);
    let words = (1..).flat_map(|place: u64| (seed ^ (place << 40)).to_le_bytes());
    words.take(bytes).collect()
}

/// Differs if any bit does (FNV-1a).
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
