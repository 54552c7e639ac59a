//! Running a function on arguments that left their caller's task: decoded from a request, or moved
//! there from a local call.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::{
    task::JoinError,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    codec,
    fence::{Panicked, fence, fenced},
    registry::{Function, Scope},
    scope,
    stall::Watched,
    telemetry::Heritage,
};

/// Where the arguments come from.
pub(crate) enum Arguments<F: Function> {
    /// From a request, or from a local call of a function with reference parameters; and what
    /// decoding them may cost.
    Encoded(Bytes, codec::Bounds),
    /// From a local call of a function without reference parameters.
    Values(F::Decoded<'static>),
}

impl<F: Function> Arguments<F> {
    /// As values, if they need no decoding.
    fn without_copy(self) -> Self {
        let values = match &self {
            Self::Encoded(bytes, _) => codec::whole(bytes),
            Self::Values(_) => None,
        };
        values.map_or(self, Self::Values)
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunError {
    /// The arguments could not be decoded. The function did not run.
    Arguments,
    /// The function panicked.
    Panicked,
    /// The runtime stopped around it: it may have run.
    Interrupted,
}

impl RunError {
    /// What a task that has no outcome leaves behind.
    pub(crate) fn of_task(failed: &JoinError) -> Self {
        if failed.is_panic() {
            Self::Panicked
        } else {
            Self::Interrupted
        }
    }
}

/// Runs the function, on the blocking pool if it blocks.
///
/// # Cancel safety
/// Dropping the future drops the function at its `.await`; a blocking function goes on, and so does
/// its permit, which its scope holds.
pub(crate) async fn run<F: Function>(
    scope: Scope,
    arguments: Arguments<F>,
) -> Result<F::Output, RunError> {
    if F::SPEC.blocking {
        // Boxed, so that the future of every other function is not as large as this one.
        return Box::pin(run_blocking::<F>(scope, arguments)).await;
    }
    let outcome = match arguments.without_copy() {
        Arguments::Encoded(bytes, bounds) => {
            let decoded = decode::<F>(&bytes, bounds)?;
            Watched::new(&F::SPEC, fenced(F::serve(&scope, decoded))).await
        }
        Arguments::Values(values) => Watched::new(&F::SPEC, fenced(F::serve(&scope, values))).await,
    };
    outcome.map_err(|panicked| log_panic::<F>(&panicked))
}

async fn run_blocking<F: Function>(
    scope: Scope,
    arguments: Arguments<F>,
) -> Result<F::Output, RunError> {
    let current = scope::current();
    let work = move || match arguments.without_copy() {
        Arguments::Encoded(bytes, bounds) => {
            let decoded = decode::<F>(&bytes, bounds)?;
            fence(|| complete(F::serve(&scope, decoded)))
                .map_err(|panicked| log_panic::<F>(&panicked))
        }
        Arguments::Values(values) => fence(|| complete(F::serve(&scope, values)))
            .map_err(|panicked| log_panic::<F>(&panicked)),
    };
    let heritage = Heritage::here();
    let task = tokio::task::spawn_blocking(move || {
        let work = || match current {
            Some(current) => scope::within_sync(current, work),
            None => work(),
        };
        heritage.run(work)
    });
    // Fails only when the runtime stops, or a panic got past the fence.
    task.await
        .unwrap_or_else(|failed| Err(RunError::of_task(&failed)))
}

fn decode<'a, F: Function>(
    bytes: &'a [u8],
    bounds: codec::Bounds,
) -> Result<F::Decoded<'a>, RunError> {
    match fence(|| codec::decode(bytes, bounds)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(error)) => {
            tracing::debug!(function = F::SPEC.name, version = F::SPEC.version, %error, "the arguments cannot be decoded");
            Err(RunError::Arguments)
        }
        Err(panicked) => {
            tracing::error!(
                function = F::SPEC.name,
                version = F::SPEC.version,
                panic = panicked.message(),
                "decoding the arguments panicked"
            );
            Err(RunError::Arguments)
        }
    }
}

pin_project! {
    /// A function's future, dropped at its deadline, if it has one: that is `None`.
    ///
    /// Most functions never wait, so there is no timer before this one does. It is no `async fn`, which would
    /// have room for the future twice: as its argument, and where it is polled.
    pub(crate) struct Until<F> {
        deadline: Option<Instant>,
        due: Option<Pin<Box<Sleep>>>,
        // `None` once it is over.
        #[pin]
        function: Option<F>,
    }
}

/// Runs `function` until `deadline`.
pub(crate) fn until<F: Future>(deadline: Option<Instant>, function: F) -> Until<F> {
    Until {
        deadline,
        due: None,
        function: Some(function),
    }
}

impl<F: Future> Future for Until<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(function) = this.function.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(value) = function.poll(cx) {
            return Poll::Ready(Some(value));
        }
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        let due = this
            .due
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(due.as_mut().poll(cx));
        // Here, where it was polled: what it does when it is dropped belongs to its span and its trace.
        this.function.set(None);
        Poll::Ready(None)
    }
}

/// Logs a panic where it happened; the caller only learns that there was one.
pub(crate) fn log_panic<F: Function>(panicked: &Panicked) -> RunError {
    tracing::error!(
        function = F::SPEC.name,
        version = F::SPEC.version,
        panic = panicked.message(),
        "a function panicked"
    );
    RunError::Panicked
}

/// The value of a future that never waits: the generated future of a function that is not async.
fn complete<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => {
            unreachable!("`blocking` is refused on async functions, and others do not wait")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_function_that_is_late_is_dropped_where_it_was_polled() {
        let guard = Arc::new(());
        let weak = Arc::downgrade(&guard);
        let mut late = pin!(until(Some(Instant::now()), async move {
            pending::<()>().await;
            drop(guard);
        }));
        assert_eq!(late.as_mut().await, None);
        // In the span and the trace of its call, which end with the poll.
        assert_eq!(weak.strong_count(), 0);
    }
}
