//! Calls that are made again and again until they are to rest.

use std::{future::Future, time::Duration};

use fly_rpc_tests::{SOON, history::Outcome};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// Callers, each of which makes one call after the other.
#[derive(Debug)]
pub(crate) struct Traffic {
    resting: watch::Sender<bool>,
    settled: watch::Sender<u64>,
    callers: JoinSet<()>,
}

impl Traffic {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            resting: watch::Sender::new(false),
            settled: watch::Sender::new(0),
            callers: JoinSet::new(),
        }
    }

    /// Adds callers, each of which makes a call in every `pace`, or whenever its last one has ended if that is later.
    pub(crate) fn add<F>(
        &mut self,
        callers: usize,
        pace: Duration,
        make: impl Fn() -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = Outcome> + Send,
    {
        for _ in 0..callers {
            let (resting, settled) = (self.resting.subscribe(), self.settled.clone());
            let make = make.clone();
            self.callers.spawn(async move {
                let mut pace = interval(pace);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while !*resting.borrow() {
                    pace.tick().await;
                    make().await;
                    settled.send_modify(|settled| *settled += 1);
                }
            });
        }
    }

    /// Waits until so many more calls have ended.
    pub(crate) async fn more(&self, calls: u64) {
        let mut settled = self.settled.subscribe();
        let enough = *settled.borrow() + calls;
        let seen = timeout(SOON, settled.wait_for(|settled| *settled >= enough)).await;
        let seen = seen.expect("calls end soon");
        seen.expect("the sender is borrowed here, so it lives");
    }

    /// Makes no more calls, and waits until those that were made have ended.
    pub(crate) async fn rest(&mut self) {
        self.resting.send_replace(true);
        while let Some(caller) = self.callers.join_next().await {
            caller.expect("a caller does not panic");
        }
    }
}
