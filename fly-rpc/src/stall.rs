//! A function that keeps its thread: it is named in the log, nothing can stop it.
//!
//! A poll should take microseconds. One that blocks holds up whatever else its thread would do, and
//! the requests behind it on its lane; the cure is `blocking`, which gives the function a thread of
//! its own. Two readings of the clock for each poll are what noticing costs.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::registry::Spec;

/// Watches how long each poll of a function takes.
pub(crate) struct Watched<F> {
    function: F,
    spec: &'static Spec,
}

impl<F> Watched<F> {
    pub(crate) fn new(spec: &'static Spec, function: F) -> Self {
        Self { function, spec }
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = Instant::now();
        let outcome = Pin::new(&mut self.function).poll(cx);
        let held = begun.elapsed();
        // Rare enough to need no bound of its own: a thread says it once a second at most.
        if held >= LONG {
            tracing::warn!(
                function = self.spec.name,
                version = self.spec.version,
                ?held,
                "a function kept its thread from all others; `blocking` gives it one of its own"
            );
        }
        outcome
    }
}

/// Ten thousand times what a poll should take.
const LONG: Duration = Duration::from_secs(1);
