//! A function that keeps its thread: it is named in the log, nothing can stop it.
//!
//! A poll should take microseconds. One that blocks holds up whatever else its thread would do, and
//! the requests behind it on its lane; the cure is `blocking`, which gives the function a thread of
//! its own. Two readings of the clock for each poll are what noticing costs, except where the task that
//! reads a lane polls a function: it measures its requests anyway, and says so (`Service::kept`).

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use fly_rpc_transport::{KEPT, is_first_poll};
use pin_project_lite::pin_project;

use crate::registry::Spec;

pin_project! {
    /// Watches how long each poll of a function takes.
    pub(crate) struct Watched<F> {
        #[pin]
        function: F,
        spec: &'static Spec,
    }
}

impl<F> Watched<F> {
    pub(crate) fn new(spec: &'static Spec, function: F) -> Self {
        Self { function, spec }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if is_first_poll(cx) {
            return this.function.poll(cx);
        }
        let begun = Instant::now();
        let outcome = this.function.poll(cx);
        let held = begun.elapsed();
        if held >= KEPT {
            warn(this.spec.name, this.spec.version, held);
        }
        outcome
    }
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
