//! A function that keeps its thread: it is named in the log, nothing can stop it.
//!
//! A poll should take microseconds. One that blocks holds up whatever else its thread would do, and
//! the requests behind it on its lane; its arguments and its value count, which take as long to decode and to
//! encode on that thread. The cure is `blocking`, which gives the function a thread of
//! its own. Two readings of the clock for each poll are what noticing costs, except where the task that
//! reads a lane polls a function: it measures its requests anyway, and says so (`Service::kept`).

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Context,
    time::{Duration, Instant},
};

use fly_rpc_transport::{KEPT, is_first_poll};

use crate::registry::Spec;

/// Makes one poll of a function, and notes how long it takes.
pub(crate) fn watched<T>(
    spec: &Spec,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    if is_first_poll(cx) {
        return poll(cx);
    }
    let begun = Instant::now();
    let outcome = poll(cx);
    let held = begun.elapsed();
    if held >= KEPT {
        warn(spec.name, spec.version, held);
    }
    outcome
}

/// Watches every poll of a function.
pub(crate) fn watching<F: Future + Unpin>(
    spec: &Spec,
    mut function: F,
) -> impl Future<Output = F::Output> {
    poll_fn(move |cx| watched(spec, cx, |cx| Pin::new(&mut function).poll(cx)))
}

/// Rare enough to need no bound of its own: a thread says it once a second at most.
pub(crate) fn warn(function: &str, version: u32, held: Duration) {
    tracing::warn!(
        function,
        version,
        ?held,
        "a function kept its thread from all others; `blocking` gives it one of its own"
    );
}
