//! What a polite peer of a node notices of a greedy one, which is a process of its own.
//!
//! Three phases take turns: it is quiet; the greedy one asks another node on this machine; it asks the node of the polite
//! one. The first two differ by what sharing two cores with it costs, the last two by what sharing a node with it does.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use fly_rpc::{Limits, Node, region_rpc};
use fly_rpc_tests::{
    Cluster,
    greedy::{Greed, Greedy},
    machine::{resident, spent_by_others},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::{MissedTickBehavior, interval},
};

/// What the polite one calls.
#[region_rpc]
fn next(number: u64) -> u64 {
    number + 1
}

/// What the greedy one calls.
#[region_rpc]
async fn waits() {
    tokio::time::sleep(Duration::from_millis(50)).await; // sleep: the work of the function
}

/// What the polite one noticed.
#[derive(Debug, Default)]
struct Noticed {
    rounds: Vec<Round>,
    /// How often the greedy one asked.
    asked: u64,
    /// How long it did.
    time: Duration,
    /// Bytes that this process grew by.
    grown: i64,
    /// Calls of the polite one beside the greedy one.
    calls: usize,
    failed: Vec<String>,
}

/// The 99th percentile of polite calls in each phase, and how many cores other processes took.
#[derive(Debug)]
struct Round {
    quiet: Duration,
    elsewhere: Duration,
    beside: Duration,
    others: f64,
}

/// Lets `greed` loose by turns on a node with threads of its own, while a polite peer calls it once in `pause`.
fn notice(greed: Greed, limits: Limits, pause: Duration) -> Noticed {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock();
    let [serving, other, calling] = [2, 2, 1].map(runtime);
    let noticed = calling.block_on(async {
        let (cluster, server) = serve(&serving, limits.clone()).await;
        let polite = cluster.node("polite", "lax").await;
        let mut greedy = start(greed, &cluster, &server);
        let (cluster, server) = serve(&other, limits).await;
        let mut decoyed = start(greed, &cluster, &server);
        let processes = [&greedy, &decoyed].map(Greedy::process);
        let processes = Vec::from_iter(processes.into_iter().flatten());

        let mut noticed = Noticed::default();
        // Once for nothing: what is grown then is there to stay.
        let _warm = noticed.window(&polite, pause).await;
        let before = resident();
        for _ in 0..rounds() {
            let start = (Instant::now(), spent_by_others(&processes));
            let quiet = noticed.window(&polite, pause).await;
            decoyed.begin().await.expect("it runs");
            let elsewhere = noticed.window(&polite, pause).await;
            decoyed.end().await.expect("it runs");
            let begun = Instant::now();
            greedy.begin().await.expect("it runs");
            let beside = noticed.window(&polite, pause).await;
            noticed.asked += greedy.end().await.expect("it runs");
            noticed.time += begun.elapsed();
            let others = spent_by_others(&processes) - start.1;
            noticed.rounds.push(Round {
                quiet,
                elsewhere,
                beside,
                others: others / start.0.elapsed().as_secs_f64(),
            });
            noticed.grown = noticed.grown.max(resident() - before);
        }
        noticed
    });
    serving.shutdown_background();
    other.shutdown_background();
    noticed
}

/// A node with threads of its own, alone in its cluster.
async fn serve(runtime: &Runtime, limits: Limits) -> (Cluster, Node) {
    let cluster = Cluster::new();
    let server = cluster.builder("server", "syd").limits(limits);
    let started = runtime.spawn(async move {
        let server = cluster.start(server).await;
        (cluster, server)
    });
    started.await.expect("started")
}

fn start(greed: Greed, cluster: &Cluster, server: &Node) -> Greedy {
    let binary = Path::new(env!("CARGO_BIN_EXE_greedy"));
    Greedy::start(binary, greed, cluster, server, "waits").expect("a process")
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("threads")
}

/// How often the greedy one begins.
fn rounds() -> u32 {
    match std::env::var_os("FLY_RPC_SOAK") {
        Some(_) => 60,
        None => 8,
    }
}

impl Noticed {
    /// The time that 99 of 100 calls stay under.
    async fn window(&mut self, polite: &Node, pause: Duration) -> Duration {
        let mut times = Vec::new();
        let mut tick = interval(pause);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let start = Instant::now();
        while start.elapsed() < WINDOW {
            tick.tick().await;
            let before = Instant::now();
            match next_on("syd", 1).via(polite).await {
                Ok(answer) => assert_eq!(answer, 2),
                Err(error) => self.failed.push(format!("{error:?}")),
            }
            times.push(before.elapsed());
        }
        self.calls += times.len();
        times.sort_unstable();
        times[times.len() * 99 / 100]
    }

    /// How many times as long the 99th percentile is as in another phase: the median of the rounds in which this machine did
    /// little else.
    fn factor(&self, than: impl Fn(&Round) -> Duration) -> Option<f64> {
        let judged = self.rounds.iter().filter(|round| round.others < OTHERS);
        let mut factors: Vec<f64> = judged
            .map(|round| round.beside.as_secs_f64() / than(round).as_secs_f64())
            .collect();
        factors.sort_unstable_by(f64::total_cmp);
        (factors.len() >= FEWEST).then(|| factors[factors.len() / 2])
    }

    fn check(&self, what: &str, most: f64) {
        println!(
            "{what}: asked {:.0}/s; p99 {:.2?} times that of quiet, {:.2?} times that beside another node, {:.2?}; {} calls, failed {:?}; memory + {} KiB",
            self.asked as f64 / self.time.as_secs_f64(),
            self.factor(|round| round.quiet),
            self.factor(|round| round.elsewhere),
            self.rounds,
            self.calls,
            self.failed,
            self.grown / 1024,
        );
        assert!(self.failed.is_empty(), "{:?}", self.failed);
        assert!(self.grown < 32 << 20, "it grew by {} bytes", self.grown);
        match self.factor(|round| round.elsewhere) {
            Some(factor) => assert!(factor < most, "p99 is {factor:.2} times as long"),
            None => println!("other processes kept this machine too busy to judge the p99"),
        }
    }
}

#[test]
fn rapid_resets_hardly_slow_another_peer() {
    let noticed = notice(Greed::Resets, Limits::default(), Duration::from_millis(1));
    noticed.check("rapid resets", 2.0 * ROOM);
    // More than one connection may: it came back.
    assert!(noticed.asked > 1_000, "that was not rapid");
}

/// Where nothing ends them, they take processor time and no more: a polite peer has all the rest.
#[test]
fn rapid_resets_that_are_forgiven_fail_no_call_of_another_peer() {
    let mut limits = Limits::default();
    limits.offences = u32::MAX;
    let noticed = notice(Greed::Resets, limits, Duration::from_millis(1));
    noticed.check("rapid resets, forgiven", f64::INFINITY);
    assert!(noticed.asked > 1_000, "that was not rapid");
}

#[test]
fn ten_thousand_callers_hardly_slow_a_polite_peer() {
    let noticed = notice(Greed::Callers, Limits::default(), Duration::from_millis(5));
    noticed.check("10 000 callers", 5.0 * ROOM);
    assert!(noticed.asked > 20_000, "that was not greedy");
}

/// They take whole processors; here, the polite one's as well.
#[test]
fn ten_thousand_impatient_callers_fail_no_call_of_a_polite_peer() {
    let pause = Duration::from_millis(5);
    let noticed = notice(Greed::ImpatientCallers, Limits::default(), pause);
    noticed.check("10 000 impatient callers", f64::INFINITY);
    assert!(noticed.asked > 20_000, "that was not greedy");
}

/// How long a phase lasts.
const WINDOW: Duration = Duration::from_millis(400);
/// Cores that other processes may take in a round that counts.
const OTHERS: f64 = 0.3;
/// Rounds that must count for a judgement.
const FEWEST: usize = 3;
/// How much more than it should be a ratio may be before it fails: tens of microseconds are compared with each other.
const ROOM: f64 = 1.5;
