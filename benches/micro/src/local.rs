//! A call that stays in its process, beside the same function awaited without fly-rpc.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bench_figures::{Effort, Figure};
use fly_rpc::Node;

use crate::functions::{echo, echo_on_primary, payload};

/// Nanoseconds per call by which a local call is slower, awaited from a task. On a node of its own,
/// which is the primary: no other of the process is asked, and none is left behind.
///
/// # Errors
/// If the node does not start, or a call fails.
pub async fn beyond_the_function(effort: Effort) -> anyhow::Result<Figure> {
    // In development mode, by itself: both regions are `local`.
    let cluster = format!("bench-local-{}", std::process::id());
    let node = Node::builder().cluster(cluster).start().await?;
    let rounds = node.scope(rounds(effort)).await;
    node.shutdown().await;
    // The first round warms everything up.
    Ok(Figure::of(rounds?.into_iter().skip(1)))
}

async fn rounds(effort: Effort) -> anyhow::Result<Vec<f64>> {
    let body = payload(SIZE);
    let calls = u32::try_from(effort.calls * CALLS_FACTOR)?;
    let mut rounds = Vec::with_capacity(effort.rounds + 1);
    for _ in 0..=effort.rounds {
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
    Ok(rounds)
}

fn nanos(duration: Duration, calls: u32) -> f64 {
    duration.as_secs_f64() * 1e9 / f64::from(calls)
}

/// Bytes of the body, as in the small calls between processes.
pub const SIZE: usize = 64;
/// A local call takes about a hundredth of a remote one.
const CALLS_FACTOR: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_call_is_measured_on_a_node_that_is_gone_afterwards() -> anyhow::Result<()> {
        let runtime = bench_figures::Runtime::CurrentThread.build()?;
        for _ in 0..2 {
            let beyond = runtime.block_on(beyond_the_function(Effort::smoke()))?;
            assert!(beyond.is_known());
        }
        Ok(())
    }
}
