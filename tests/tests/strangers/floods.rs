//! Floods: what an honest connection, the node's memory and the network notice of them.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use fly_rpc::{ClusterSecret, Limits, Node, NodeId, region_rpc};
use fly_rpc_tests::{
    Cluster, SOON,
    stranger::{Authority, Dialler, Flood, Flooder, Initial, Tally, client_hello},
};

#[region_rpc]
fn next(number: u64) -> u64 {
    number + 1
}

/// How often a flood begins and ends while the honest connection is measured.
fn rounds() -> u32 {
    match std::env::var_os("FLY_RPC_SOAK") {
        Some(_) => 20,
        None => 4,
    }
}

/// How long a flood lasts each time, and how long it is quiet before it.
const WINDOW: Duration = Duration::from_millis(750);

/// What an honest connection and the node noticed of a flood.
struct Noticed {
    quiet: Vec<Duration>,
    flooded: Vec<Duration>,
    tally: Tally,
    /// Bytes that the process grew by.
    grown: i64,
}

/// Floods a node by turns while an honest one calls it, one call after the other.
async fn notice(flood: Flood, sources: u16, rate: u32) -> (Node, Noticed) {
    let cluster = Cluster::new();
    let server = cluster.node("server", "syd").await;
    let client = cluster.node("client", "lax").await;
    let binary = Path::new(env!("CARGO_BIN_EXE_flooder"));
    let mut flooder =
        Flooder::start(binary, flood, server.local_addr(), sources, rate).expect("a process");

    let mut noticed = Noticed {
        quiet: Vec::new(),
        flooded: Vec::new(),
        tally: Tally::default(),
        grown: 0,
    };
    calls(&client, &mut Vec::new()).await;
    let before = resident();
    for _ in 0..rounds() {
        calls(&client, &mut noticed.quiet).await;
        flooder.on().await.expect("it runs");
        calls(&client, &mut noticed.flooded).await;
        noticed.grown = noticed.grown.max(resident() - before);
        noticed.tally = noticed.tally.and(flooder.off().await.expect("it runs"));
    }
    let frames = server.stats().frames_read;
    let honest = noticed.quiet.len() + noticed.flooded.len();
    assert!(frames >= honest as u64, "{frames} frames of {honest} calls");
    (server, noticed)
}

/// Calls one after the other for a while, and notes how long each took.
async fn calls(client: &Node, times: &mut Vec<Duration>) {
    let start = Instant::now();
    while start.elapsed() < WINDOW {
        let before = Instant::now();
        let answer = next_on("syd", times.len() as u64).via(client).await;
        assert_eq!(answer.expect("an honest call"), times.len() as u64 + 1);
        times.push(before.elapsed());
    }
}

impl Noticed {
    /// How many times as long the slowest of a hundred calls takes under the flood.
    fn factor(&self) -> f64 {
        p99(&self.flooded).as_secs_f64() / p99(&self.quiet).as_secs_f64()
    }

    fn report(&self, what: &str) {
        let Tally { time, sent, .. } = self.tally;
        println!(
            "{what}: {sent} datagrams in {time:?} ({:.0}/s), {} back; p99 of {} quiet calls {:?}, of {} flooded ones {:?}: \
             {:.2} times; {} bytes in, {} out ({:.2}), resets {} ({:.0}/s), retries {}; resident + {} KiB",
            self.tally.rate(),
            self.tally.received,
            self.quiet.len(),
            p99(&self.quiet),
            self.flooded.len(),
            p99(&self.flooded),
            self.factor(),
            self.tally.bytes_sent,
            self.tally.bytes_received,
            self.tally.bytes_received as f64 / self.tally.bytes_sent as f64,
            self.tally.resets,
            self.tally.resets as f64 / time.as_secs_f64(),
            self.tally.retries,
            self.grown / 1024,
        );
    }
}

fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Bytes of memory that this process has.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// What a flood does to honest calls is measured with nothing else under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_slows_honest_calls_little_and_is_hardly_answered() {
    let (_server, noticed) = notice(Flood::Garbage, 64, 100_000).await;
    noticed.report("garbage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_packets_slow() {
    let (server, noticed) = notice(Flood::Initials, 1024, 20_000).await;
    noticed.report("first packets");
    println!("{:?}", server.stats());
}
