//! A call that stays in the process, beside the same function awaited without fly-rpc.
//!
//! divan shows each alone, with its allocations. The promise is about their difference, which needs
//! both in turns: that is the last line.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bench_figures::{Effort, Promise, Runtime};
use bench_micro::{SIZE, beyond_the_function, echo, echo_on_primary, payload};
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
    runtime.block_on(node.shutdown());
    let beyond = runtime.block_on(beyond_the_function(Effort::asked_for()))?;
    println!("{}", Promise::LOCAL.verdict(&beyond));
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

/// The value of a future that never waits: what awaiting it costs, without a runtime's share.
fn complete<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
