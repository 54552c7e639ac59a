//! Calls that a run makes, drawn by chance, and their records.

use std::time::Duration;

use fly_rpc::{Node, RpcError, Target, testing::Randomness};
use tokio::time::{Instant, sleep};

use crate::{
    application::{
        answer, large_on_primary, read_on, relayed_on, settle_on, transfer_on, transfer_v2_on,
    },
    fleet::{below, one_of},
    ledger::Ledger,
};

/// A call to be made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    function: u64,
    target: Target,
    timeout: Duration,
    takes: u64,
    /// When the caller gives up.
    patience: Option<Duration>,
    wait_ready: bool,
}

impl Plan {
    /// A call of any kind to anywhere.
    pub(crate) fn draw(chance: &Randomness, nodes: &[Node]) -> Self {
        let target = match below(chance, 6) {
            0 => Target::Primary,
            1 => Target::Any,
            2 => Target::Nearest,
            3 => Target::Elsewhere,
            4 => Target::from(one_of(chance, nodes).id()),
            _ => Target::Region((*one_of(chance, &["syd", "hkg", "dfw"])).into()),
        };
        Self {
            function: below(chance, 6),
            target,
            timeout: Duration::from_millis(20 + below(chance, 3_000)),
            takes: match below(chance, 2) {
                0 => below(chance, 1_000),
                _ => 0,
            },
            patience: (below(chance, 8) == 0).then(|| Duration::from_millis(below(chance, 400))),
            wait_ready: below(chance, 4) == 0,
        }
    }

    /// A call that must succeed when nothing is wrong.
    pub(crate) fn sound(function: u64, target: Target) -> Self {
        Self {
            function,
            target,
            timeout: Duration::from_secs(2),
            takes: 0,
            patience: None,
            wait_ready: false,
        }
    }

    /// Makes the call and notes how it ends.
    ///
    /// # Panics
    /// If it does not end by its deadline.
    pub(crate) async fn make(self, node: Node, ledger: Ledger) {
        let began = Instant::now();
        let id = ledger.open(self.function == 2);
        let inner = (self.function == 5).then(|| ledger.open(false));
        let call = node.scope(self.clone().call(id, inner, ledger.clone()));
        match self.patience {
            Some(patience) => tokio::select! {
                biased;
                () = call => {}
                () = sleep(patience) => ledger.give_up(id), // sleep: simulated
            },
            None => call.await,
        }
        let took = began.elapsed();
        assert!(
            took <= self.timeout + TICK,
            "I4: call {id} took {took:?} of {:?}",
            self.timeout
        );
    }

    async fn call(self, id: u64, inner: Option<u64>, ledger: Ledger) {
        let Self {
            target,
            timeout,
            takes,
            wait_ready,
            ..
        } = self;
        macro_rules! made {
            ($call:expr) => {{
                let call = $call.timeout(timeout);
                if wait_ready {
                    call.wait_ready().await
                } else {
                    call.await
                }
            }};
        }
        let outcome: Result<u64, RpcError> = match self.function {
            0 => made!(transfer_on(target, id, takes)),
            1 => {
                let note = "note".to_owned();
                let newer = made!(
                    transfer_v2_on(target.clone(), id, takes, note)
                        .or_older(transfer_on(target, id, takes))
                );
                // Either version's answer is right.
                newer.map(|value| {
                    if value == answer(id).wrapping_add(4) {
                        answer(id)
                    } else {
                        value
                    }
                })
            }
            2 => made!(read_on(target, id, takes)),
            3 => made!(settle_on(target, id, takes)),
            4 => {
                let body: Vec<u8> = (0..takes * 20).map(|n| (n ^ id) as u8).collect();
                let right: Vec<u8> = body.iter().rev().copied().collect();
                let outcome = made!(large_on_primary(id, &body));
                ledger.settle(id, &outcome, right);
                return;
            }
            _ => {
                let inner = inner.expect("opened for this function");
                let outcome = made!(relayed_on(target, id, inner));
                let right = outcome.clone().unwrap_or_default().map(|_| answer(inner));
                ledger.settle(id, &outcome, right);
                return;
            }
        };
        ledger.settle(id, &outcome, answer(id));
    }
}

/// What a call may take beyond its deadline: two steps of tokio's clock.
const TICK: Duration = Duration::from_millis(2);
