//! A call to another process on this machine, beside a bare UDP ping-pong between the same two.
//!
//! One call at a time shows what a call costs beyond the wire, and is a promise; many at a time show
//! what the machine can carry, and are for information.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bench_figures::{Effort, Figure, Promise, Runtime, median_of};
use bench_micro::{BareQuic, Peer, PingPong, echo_on_primary, member, payload, serve_if_asked};
use fly_rpc::Target;
use tokio::{task::JoinSet, time::timeout};

fn main() -> anyhow::Result<()> {
    if serve_if_asked()? {
        return Ok(());
    }
    let effort = Effort::asked_for();
    for shape in Runtime::asked_for() {
        let runtime = shape.build()?;
        // On a worker: the thread of `block_on` is none of the two.
        let measured =
            runtime.spawn(async move { timeout(TOO_LONG, measure(shape, effort)).await });
        runtime.block_on(measured)???;
    }
    Ok(())
}

async fn measure(shape: Runtime, effort: Effort) -> anyhow::Result<()> {
    let peer = Peer::start(shape).await?;
    let node = member(&peer.cluster, "lax").start().await?;
    node.wait_for(Target::Primary, SOON).await?;
    println!("\n{shape} runtime in both processes; median of rounds (tenth–ninetieth hundredth)");
    let ratio = one_at_a_time(&peer, effort).await?;
    println!("  {}", Promise::REMOTE.verdict(&ratio));
    for (size, in_flight) in [(64, 64), (64, 256), (8 * 1024, 64)] {
        let thousands = many_at_a_time(size, in_flight, effort).await?;
        println!("  {size} bytes, {in_flight} in flight: {thousands:.0} thousand calls/s");
    }
    node.shutdown().await;
    peer.stop().await
}

/// How many times a ping-pong a call takes, by rounds in turns. Prints what each takes.
async fn one_at_a_time(peer: &Peer, effort: Effort) -> anyhow::Result<Figure> {
    let body = payload(64);
    let ping_pong = PingPong::connect(peer.datagrams).await?;
    let mut quic = BareQuic::connect(peer.stream, peer.certificate.clone()).await?;
    let mut rounds = Vec::with_capacity(effort.rounds);
    // The first round warms everything up.
    for _ in 0..=effort.rounds {
        rounds.push(Round {
            datagrams: median_of(&mut ping_pong.round(&body, effort.calls).await?),
            stream: median_of(&mut quic.round(&body, effort.calls).await?),
            call: median_of(&mut calls_one_by_one(&body, effort.calls).await?),
        });
    }
    rounds.remove(0);
    let (near, far): (Vec<_>, Vec<_>) = rounds.iter().partition(|round| round.is_on_one_core());
    for (place, rounds) in [("one core", near), ("a core each", far)] {
        if !rounds.is_empty() {
            print_rounds(place, &rounds);
        }
    }
    Ok(Figure::of(rounds.iter().map(Round::ratio)))
}

/// The medians of one turn, in microseconds.
struct Round {
    datagrams: f64,
    stream: f64,
    call: f64,
}

impl Round {
    /// True if the kernel ran both ends on one core: a ping-pong is then a context switch, else the
    /// waking of a core that sleeps, which takes ten times as long and hides what is beside it.
    fn is_on_one_core(&self) -> bool {
        self.datagrams < AWAKE
    }

    fn ratio(&self) -> f64 {
        self.call / self.datagrams
    }
}

fn print_rounds(place: &str, rounds: &[&Round]) {
    let figure = |of: fn(&Round) -> f64| Figure::of(rounds.iter().map(|round| of(round)));
    let count = rounds.len();
    println!("  64 bytes, 1 in flight, the ends on {place} ({count} rounds):");
    println!("    bare UDP   {:.1} µs", figure(|round| round.datagrams));
    let ratio = figure(|round| round.stream / round.datagrams);
    println!(
        "    bare QUIC  {:.1} µs, {ratio} × UDP",
        figure(|round| round.stream)
    );
    let ratio = figure(Round::ratio);
    println!(
        "    a call     {:.1} µs, {ratio} × UDP",
        figure(|round| round.call)
    );
}

async fn calls_one_by_one(body: &[u8], calls: usize) -> anyhow::Result<Vec<Duration>> {
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = Instant::now();
        let answer = echo_on_primary(body).await?;
        samples.push(start.elapsed());
        ensure!(
            answer.len() == body.len(),
            "an echo of {} bytes",
            answer.len()
        );
    }
    Ok(samples)
}

/// Thousands of calls a second with `in_flight` callers, each of which waits for its answer.
async fn many_at_a_time(size: usize, in_flight: usize, effort: Effort) -> anyhow::Result<Figure> {
    let body: Arc<[u8]> = payload(size).into();
    let mut rounds = Vec::new();
    // The first round warms the congestion window up.
    for _ in 0..=WINDOWS {
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..in_flight {
            let body = Arc::clone(&body);
            callers.spawn(async move {
                let mut calls = 0_u64;
                while start.elapsed() < effort.window {
                    echo_on_primary(&body).await?;
                    calls += 1;
                }
                anyhow::Ok(calls)
            });
        }
        let mut calls = 0;
        while let Some(caller) = callers.join_next().await {
            calls += caller??;
        }
        rounds.push(calls as f64 / start.elapsed().as_secs_f64() / 1e3);
    }
    Ok(Figure::of(rounds.into_iter().skip(1)))
}

/// Turns of each throughput figure.
const WINDOWS: usize = 9;
/// Microseconds that tell a ping-pong between two ends on one core from one that wakes a core.
const AWAKE: f64 = 30.0;
/// A node that is up is seen long before.
const SOON: Duration = Duration::from_secs(10);
/// A run that takes this long hangs: a datagram was lost, or a call.
const TOO_LONG: Duration = Duration::from_secs(55);
