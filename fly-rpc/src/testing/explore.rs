//! One scenario under many seeds.

use std::{
    env,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fly_rpc_transport::sim::Network;

use super::simulate;

/// What an exploration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// Runs, each of another seed.
    pub seeds: u64,
    /// The real time that they took.
    pub took: Duration,
}

/// Runs a scenario under the seeds from 0 on, on every core, until `seeds` were run or `at_most` has
/// passed.
///
/// The environment decides otherwise: `FLY_RPC_SEED=17` runs that seed alone, and
/// `FLY_RPC_SEEDS=100000` so many however long they take.
///
/// # Panics
/// If a run does. The line that repeats it is printed first.
pub fn explore<F: Future<Output = ()>>(
    seeds: u64,
    at_most: Duration,
    scenario: impl Fn(Network) -> F + Sync,
) -> Explored {
    let began = Instant::now();
    if let Some(seed) = number("FLY_RPC_SEED") {
        simulate(seed, &scenario);
        return Explored {
            seeds: 1,
            took: began.elapsed(),
        };
    }
    let (seeds, at_most) = match number("FLY_RPC_SEEDS") {
        Some(seeds) => (seeds, Duration::MAX),
        None => (seeds, at_most),
    };
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let test = thread::current().name().unwrap_or_default().to_owned();
    let work = || {
        while !failed.load(Ordering::Relaxed) && began.elapsed() < at_most {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            let run = catch_unwind(AssertUnwindSafe(|| simulate(seed, &scenario)));
            if let Err(panic) = run {
                failed.store(true, Ordering::Relaxed);
                eprintln!(
                    "seed {seed} failed; to repeat it: FLY_RPC_SEED={seed} cargo test {test}"
                );
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    if let Some(panic) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
    Explored {
        seeds: next.load(Ordering::Relaxed).min(seeds),
        took: began.elapsed(),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} is {text:?}, which is no number"),
    }
}
