//! A call that stays in this process, beside the same function awaited without fly-rpc.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bench_figures::{Effort, Figure, Promise, Verdict};
use fly_rpc::{Node, region_rpc};

/// The least that a function with an argument and a value can do: one copy.
#[region_rpc(name = "bench_local_copy")]
async fn copy(body: &[u8]) -> Vec<u8> {
    body.to_vec()
}

/// By how many nanoseconds a local call is slower than the function.
pub(crate) async fn measure(effort: Effort) -> anyhow::Result<Verdict> {
    // The primary: both regions are `local`. In development mode, by itself.
    let cluster = format!("bench-local-{}", std::process::id());
    let node = Node::builder().cluster(cluster).start().await?;
    // Not the process's default: another part of the report may have started nodes before.
    let rounds = node.scope(rounds(effort)).await?;
    node.shutdown().await;
    let figure = Figure::of(rounds.into_iter().skip(1));
    Ok(Promise::LOCAL.verdict(&figure))
}

/// The first round warms everything up.
async fn rounds(effort: Effort) -> anyhow::Result<Vec<f64>> {
    let body = [7; SIZE];
    let calls = u32::try_from(effort.calls * CALLS_FACTOR)?;
    let mut rounds = Vec::with_capacity(effort.rounds);
    for _ in 0..=effort.rounds {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(copy(black_box(&body)).await);
        }
        let plain = start.elapsed();
        let start = Instant::now();
        for _ in 0..calls {
            black_box(copy_on_primary(black_box(&body)).await?);
        }
        rounds.push(nanos(start.elapsed(), calls) - nanos(plain, calls));
    }
    Ok(rounds)
}

fn nanos(duration: Duration, calls: u32) -> f64 {
    duration.as_secs_f64() * 1e9 / f64::from(calls)
}

/// Bytes of the body.
const SIZE: usize = 64;
/// A local call takes about a hundredth of a remote one.
const CALLS_FACTOR: usize = 50;
