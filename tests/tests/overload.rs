//! A node that is offered four times what it can do: it goes on doing what it can, and says no to the rest at once.
//!
//! Everything is measured in one run, and judged by ratios. `FLY_RPC_SOAK=1` overloads for 30 s instead of 6.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fly_rpc::{Executed, Limits, Node, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, SOON};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::MissedTickBehavior,
};

/// Takes time and no processor, as a query to a database does.
#[region_rpc]
async fn waits() {
    tokio::time::sleep(WAITS).await; // sleep: the work of the function
}

/// Takes a processor, where functions run that say nothing else.
#[region_rpc]
fn burns() {
    burn();
}

/// Takes a processor, on a thread of its own.
#[region_rpc(blocking)]
fn burns_on_a_thread() {
    burn();
}

fn burn() {
    let begun = Instant::now();
    while begun.elapsed() < BURNS {
        std::hint::spin_loop();
    }
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Waits,
    Burns,
    BurnsOnAThread,
}

impl Work {
    async fn call(self, node: &Node) -> Result<(), RpcError> {
        match self {
            Self::Waits => waits_on_primary().via(node).timeout(PATIENCE).await,
            Self::Burns => burns_on_primary().via(node).timeout(PATIENCE).await,
            Self::BurnsOnAThread => {
                burns_on_a_thread_on_primary()
                    .via(node)
                    .timeout(PATIENCE)
                    .await
            }
        }
    }
}

/// How calls ended, and after how long.
#[derive(Debug, Default)]
struct Outcomes {
    served: Vec<Duration>,
    refused: Vec<Duration>,
    /// Whatever else there was, and how often.
    failed: BTreeMap<String, usize>,
    /// Refusals of which it is not certain that nothing ran.
    doubtful: usize,
}

impl Outcomes {
    fn note(&mut self, outcome: Result<(), RpcError>, took: Duration) {
        match outcome {
            Ok(()) => self.served.push(took),
            Err(RpcError::Overloaded) => self.refused.push(took),
            Err(error) => *self.failed.entry(format!("{error:?}")).or_default() += 1,
        }
    }
}

/// The value that this share of all stays below.
fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    times.get(place).copied().unwrap_or_default()
}

/// A server with room for so many calls and threads of its own, and two callers, one of which makes the load.
struct Scene {
    work: Work,
    handlers: usize,
    crowd: Node,
    bystander: Node,
    runtime: Option<Runtime>,
    _cluster: Cluster,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Scene {
    async fn new(work: Work, handlers: usize) -> Self {
        let cluster = Cluster::new();
        let mut limits = Limits::default();
        limits.handlers_per_peer = handlers;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("two threads");
        let server = cluster.builder("server", "syd").limits(limits);
        let cluster = runtime.spawn(async move {
            cluster.start(server).await;
            cluster
        });
        let cluster = cluster.await.expect("started");
        Self {
            work,
            handlers,
            crowd: cluster.node("crowd", "hkg").await,
            bystander: cluster.node("bystander", "hkg").await,
            runtime: Some(runtime),
            _cluster: cluster,
        }
    }

    /// One call after the other.
    async fn unloaded(&self, calls: usize) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for _ in 0..calls {
            let begun = Instant::now();
            let outcome = self.work.call(&self.crowd).await;
            outcomes.note(outcome, begun.elapsed());
        }
        outcomes
    }

    /// As many callers as there is room for, each of which makes one call after the other: calls per second.
    async fn capacity(&self) -> f64 {
        let begun = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..self.handlers {
            let (work, node) = (self.work, self.crowd.clone());
            callers.spawn(async move {
                let mut served = 0_u32;
                while begun.elapsed() < CAPACITY {
                    served += u32::from(work.call(&node).await.is_ok());
                }
                served
            });
        }
        let served: u32 = callers.join_all().await.iter().sum();
        f64::from(served) / begun.elapsed().as_secs_f64()
    }

    /// So many calls a second, whatever becomes of them.
    async fn offer(&self, rate: f64, duration: Duration) -> Outcomes {
        let outcomes = Arc::new(Mutex::new(Outcomes::default()));
        let mut calls = JoinSet::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let begun = Instant::now();
        let mut made = 0.0;
        while begun.elapsed() < duration {
            ticks.tick().await;
            while made < begun.elapsed().as_secs_f64() * rate {
                made += 1.0;
                let (work, node, outcomes) = (self.work, self.crowd.clone(), Arc::clone(&outcomes));
                calls.spawn(async move {
                    let begun = Instant::now();
                    let outcome = work.call(&node).await;
                    let took = begun.elapsed();
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    if matches!(&outcome, Err(error) if matches!(error, RpcError::Overloaded) && error.executed() != Executed::No)
                    {
                        outcomes.doubtful += 1;
                    }
                    outcomes.note(outcome, took);
                });
            }
            while calls.try_join_next().is_some() {}
        }
        let end = begun.elapsed();
        calls.join_all().await;
        let outcomes =
            std::mem::take(&mut *outcomes.lock().unwrap_or_else(PoisonError::into_inner));
        eprintln!(
            "offered {:.0}/s for {end:.1?}: {made} calls, {} served, {} refused, failed: {:?}",
            made / end.as_secs_f64(),
            outcomes.served.len(),
            outcomes.refused.len(),
            outcomes.failed
        );
        outcomes
    }
}

/// What was measured in one run.
struct Figures {
    capacity: f64,
    goodput: f64,
    /// The 99th hundredth of the calls that were served, without load and with too much of it.
    unloaded: Duration,
    accepted: Duration,
    /// The median time of a refusal.
    refusal: Duration,
    recovery: Duration,
    failed: BTreeMap<String, usize>,
}

/// Four times what the server can do, and what becomes of it.
async fn overloaded(work: Work, handlers: usize) -> Figures {
    // One at a time: each needs the machine for itself.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let scene = Scene::new(work, handlers).await;
    scene.unloaded(10).await;
    let mut unloaded = scene.unloaded(60).await;
    assert_eq!(unloaded.served.len(), 60, "{unloaded:?}");
    let capacity = scene.capacity().await;
    let duration = match std::env::var_os("FLY_RPC_SOAK") {
        Some(_) => Duration::from_secs(30),
        None => Duration::from_secs(6),
    };
    let mut outcomes = scene.offer(4.0 * capacity, duration).await;

    let over = Instant::now();
    let recovered = async {
        while work.call(&scene.bystander).await.is_err() || work.call(&scene.crowd).await.is_err() {
        }
    };
    let recovered = tokio::time::timeout(SOON, recovered).await;
    recovered.expect("it recovers");
    let figures = Figures {
        capacity,
        goodput: outcomes.served.len() as f64 / duration.as_secs_f64(),
        unloaded: quantile(&mut unloaded.served, 0.99),
        accepted: quantile(&mut outcomes.served, 0.99),
        refusal: quantile(&mut outcomes.refused, 0.5),
        recovery: over.elapsed(),
        failed: outcomes.failed,
    };
    eprintln!(
        "{work:?}: capacity {capacity:.0}/s, goodput {:.0} %, accepted p99 {:.1?} (unloaded {:.1?}), \
         refusals {:.1?} (p99 {:.1?}), recovery {:.1?}",
        100.0 * figures.goodput / capacity,
        figures.accepted,
        figures.unloaded,
        figures.refusal,
        quantile(&mut outcomes.refused, 0.99),
        figures.recovery,
    );
    assert!(!outcomes.refused.is_empty(), "it was overloaded");
    assert_eq!(outcomes.doubtful, 0, "a refusal says that nothing ran");
    assert!(figures.recovery <= Duration::from_secs(2));
    figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_wait_are_served_as_many_as_there_is_room_for_and_the_rest_refused_at_once()
{
    let figures = overloaded(Work::Waits, 64).await;
    assert_eq!(figures.failed, BTreeMap::new());
    assert!(figures.goodput >= 0.8 * figures.capacity);
    assert!(figures.accepted < 3 * figures.unloaded);
    // On an idle machine it is a fraction of a millisecond.
    assert!(figures.refusal < figures.unloaded / 2);
}

/// Refusals wait for a processor as well, so their time says nothing here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_compute_on_threads_of_their_own_are_served_all_the_while() {
    let figures = overloaded(Work::BurnsOnAThread, 8).await;
    assert_eq!(figures.failed, BTreeMap::new());
    assert!(figures.goodput >= 0.5 * figures.capacity);
}

/// They hold the threads that read and write: some callers give up, but what can be done is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_compute_where_others_wait_are_slow_and_served_all_the_while() {
    let figures = overloaded(Work::Burns, 8).await;
    assert!(figures.goodput >= 0.5 * figures.capacity);
}

const WAITS: Duration = Duration::from_millis(50);
const BURNS: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(5);
const CAPACITY: Duration = Duration::from_secs(2);
