//! A call that stays in the process, beside the same function awaited without fly-rpc.
//!
//! divan shows each alone, with its allocations. The promise is about their difference, which needs
//! both in turns: that is the last line.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bench_figures::{Effort, Figure, Promise, Runtime};
use bench_micro::{echo, echo_on_primary, payload};
use divan::{AllocProfiler, Bencher};
use fly_rpc::Node;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() -> anyhow::Result<()> {
    let runtime = Runtime::CurrentThread.build()?;
    let _entered = runtime.enter();
    let cluster = format!("bench-local-{}", std::process::id());
    // The default node from here on, and the primary: both regions are `local`.
    let node = runtime.block_on(Node::builder().cluster(cluster).start())?;
    divan::main();
    let beyond = runtime.block_on(beyond_the_function(Effort::asked_for()))?;
    println!("{}", Promise::LOCAL.verdict(&beyond));
    runtime.block_on(node.shutdown());
    Ok(())
}

#[divan::bench]
fn the_function_itself(bencher: Bencher<'_, '_>) {
    let body = payload(SIZE);
    bencher.bench_local(|| complete(echo(black_box(&body))));
}

#[divan::bench]
fn on_primary_in_the_primary(bencher: Bencher<'_, '_>) {
    let body = payload(SIZE);
    bencher.bench_local(|| complete(echo_on_primary(black_box(&body))));
}

/// Nanoseconds per call by which a local call is slower, awaited from a task.
async fn beyond_the_function(effort: Effort) -> anyhow::Result<Figure> {
    let body = payload(SIZE);
    let calls = u32::try_from(effort.calls * CALLS_FACTOR)?;
    let mut rounds = Vec::with_capacity(effort.rounds);
    for _ in 0..effort.rounds {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(echo(black_box(&body)).await);
        }
        let plain = start.elapsed();
        let start = Instant::now();
        for _ in 0..calls {
            black_box(echo_on_primary(black_box(&body)).await?);
        }
        rounds.push(nanos(start.elapsed(), calls) - nanos(plain, calls));
    }
    Ok(Figure::of(rounds))
}

/// The value of a future that never waits: what awaiting it costs, without a runtime's share.
fn complete<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn nanos(duration: Duration, calls: u32) -> f64 {
    duration.as_secs_f64() * 1e9 / f64::from(calls)
}

/// Bytes of the body, as in the remote benchmark.
const SIZE: usize = 64;
/// A local call takes about a hundredth of a remote one.
const CALLS_FACTOR: usize = 50;
