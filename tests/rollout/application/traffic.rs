//! The traffic of one process: every function is called again and again, wherever it can be called.

use std::{future::Future, time::Duration};

use fly_rpc::Target;
use fly_rpc_tests::{fleet::Region, history::CallId};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::shop::{Answer, Shop, check_out_on, place_order_on_primary, read_stock_on, settle_on};

/// One task for each kind of call and each target, until it is told to rest.
#[derive(Debug)]
pub(crate) struct Traffic {
    shop: Shop,
    resting: watch::Sender<bool>,
    drivers: JoinSet<()>,
    progress: Vec<watch::Receiver<Progress>>,
}

/// The calls that one driver made and settled in a phase.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    phase: usize,
    settled: usize,
}

impl Traffic {
    /// Starts to call what both builds have.
    pub(crate) fn start(shop: Shop) -> Self {
        let mut traffic = Self {
            shop,
            resting: watch::Sender::new(false),
            drivers: JoinSet::new(),
            progress: Vec::new(),
        };
        traffic.drive("place_order@1", Target::Primary, |call, _| async move {
            Ok(place_order_on_primary(call, &[1, 2]).await?.is(call, 3))
        });
        for target in [Target::Nearest, Target::Elsewhere, Target::Any] {
            traffic.drive("read_stock@1", target, read_stock);
        }
        traffic.everywhere("read_stock@1", read_stock);
        traffic.everywhere("check_out@1", |call, target| async move {
            Ok(check_out_on(target, call).flatten().await?.is(call, 9))
        });
        for region in Region::ALL {
            for millis in LONG {
                // No phase waits for these: they are to be in flight when it ends.
                let _ = traffic.spawn("settle@1", region.into(), move |call, target| async move {
                    Ok(settle_on(target, call, millis).await?.is(call, millis))
                });
            }
        }
        traffic
    }

    /// Starts to make a kind of call to every region.
    pub(crate) fn everywhere<F>(
        &mut self,
        function: &'static str,
        make: impl Fn(CallId, Target) -> F + Copy + Send + Sync + 'static,
    ) where
        F: Future<Output = Answer> + Send + 'static,
    {
        for region in Region::ALL {
            self.drive(function, region.into(), make);
        }
    }

    /// Waits until every driver has made and settled enough calls in the current phase.
    pub(crate) async fn work(&mut self) {
        let phase = self.shop.journal().phase();
        for progress in &mut self.progress {
            // Fails only when the driver rests, and then there is nothing to wait for.
            let _ = progress
                .wait_for(|seen| seen.phase == phase && seen.settled >= ENOUGH)
                .await;
        }
    }

    /// Makes no more calls, and waits until those that were made are settled.
    pub(crate) async fn rest(&mut self) {
        self.resting.send_replace(true);
        while let Some(driver) = self.drivers.join_next().await {
            driver.expect("a driver does not panic");
        }
    }

    /// Starts a driver that [`work`](Self::work) waits for.
    fn drive<F>(
        &mut self,
        function: &'static str,
        target: Target,
        make: impl Fn(CallId, Target) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Answer> + Send + 'static,
    {
        let progress = self.spawn(function, target, make);
        self.progress.push(progress);
    }

    fn spawn<F>(
        &mut self,
        function: &'static str,
        target: Target,
        make: impl Fn(CallId, Target) -> F + Send + Sync + 'static,
    ) -> watch::Receiver<Progress>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let (sender, progress) = watch::channel(Progress::default());
        let (shop, resting) = (self.shop.clone(), self.resting.subscribe());
        self.drivers.spawn(async move {
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !*resting.borrow() {
                pace.tick().await;
                let phase = shop.journal().phase();
                shop.journal()
                    .call(function, &target, |call| make(call, target.clone()))
                    .await;
                sender.send_modify(|progress| {
                    if progress.phase != phase {
                        *progress = Progress { phase, settled: 0 };
                    }
                    progress.settled += 1;
                });
            }
        });
        progress
    }
}

async fn read_stock(call: CallId, target: Target) -> Answer {
    Ok(read_stock_on(target, call, "flour".to_owned())
        .await?
        .is(call, 5))
}

/// The time between two calls of one driver: constant traffic, and room for all processes on one core.
const PACE: Duration = Duration::from_millis(100);
/// Milliseconds that the long calls take. A drain waits for them: its timeout is 4 s.
const LONG: [u32; 2] = [1000, 2000];
/// Calls that each driver makes and settles in a steady phase.
const ENOUGH: usize = 4;
