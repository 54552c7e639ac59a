//! Running a function on arguments that left their caller's task: decoded from a request, or moved
//! there from a local call.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for each argument twice"
)]

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use fly_rpc_transport::Status;
use pin_project_lite::pin_project;
use tokio::{
    task::JoinError,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    codec,
    fence::{Panicked, fence, fenced},
    payload,
    registry::{Function, Scope, Spec},
    scope,
    telemetry::Heritage,
};

/// Where the arguments come from.
pub(crate) enum Arguments<F: Function> {
    /// From a request, or from a local call that goes through the codec; and what decoding them may cost.
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
    /// What the caller is told.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Arguments => Status::BadRequest,
            Self::Panicked => Status::Panicked,
            Self::Interrupted => Status::Interrupted,
        }
    }

    /// What a task that has no outcome leaves behind.
    pub(crate) fn of_task(failed: &JoinError) -> Self {
        if failed.is_panic() {
            Self::Panicked
        } else {
            Self::Interrupted
        }
    }
}

/// Runs a function that does not block.
///
/// # Cancel safety
/// Dropping the future drops the function at its `.await`.
pub(crate) fn run<F: Function>(
    scope: Scope,
    arguments: Arguments<F>,
) -> impl Future<Output = Result<F::Output, RunError>> + Send {
    async move {
        let outcome = match arguments.without_copy() {
            Arguments::Encoded(bytes, bounds) => {
                let decoded = payload::arguments(&bytes, bounds, &F::SPEC);
                fenced(F::serve(&scope, decoded.ok_or(RunError::Arguments)?)).await
            }
            Arguments::Values(values) => fenced(F::serve(&scope, values)).await,
        };
        outcome.map_err(|panicked| log_panic(&F::SPEC, &panicked))
    }
}

/// Runs a function that blocks, on the thread that this is called on.
pub(crate) fn run_blocking<F: Function>(
    scope: Scope,
    arguments: Arguments<F>,
) -> Result<F::Output, RunError> {
    let outcome = match arguments.without_copy() {
        Arguments::Encoded(bytes, bounds) => {
            let decoded = payload::arguments(&bytes, bounds, &F::SPEC);
            let decoded = decoded.ok_or(RunError::Arguments)?;
            fence(|| complete(F::serve(&scope, decoded)))
        }
        Arguments::Values(values) => fence(|| complete(F::serve(&scope, values))),
    };
    outcome.map_err(|panicked| log_panic(&F::SPEC, &panicked))
}

/// Does work that blocks, on a thread of its own and in the scope of the code that awaits it.
///
/// # Cancel safety
/// The work goes on when the future is dropped, with whatever it holds.
pub(crate) fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> impl Future<Output = Result<T, RunError>> + Send {
    async move {
        let current = scope::current();
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
}

/// The end of a function's time. Most functions never wait, so there is no timer before one does.
#[derive(Debug)]
pub(crate) struct Due {
    /// `None`: it has all the time in the world.
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Due {
    pub(crate) fn at(at: Option<Instant>) -> Self {
        Self { at, timer: None }
    }

    /// Ready once its time is over; otherwise the task is woken then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        timer.as_mut().poll(cx)
    }
}

pin_project! {
    /// A function's future, dropped at its deadline: that is `None`.
    ///
    /// It is no `async fn`, which would have room for the future twice: as its argument, and where it is polled.
    pub(crate) struct Until<F> {
        due: Due,
        // `None` once it was late.
        #[pin]
        function: Option<F>,
    }
}

/// Runs `function` until `deadline`.
pub(crate) fn until<F: Future>(deadline: Instant, function: F) -> Until<F> {
    Until {
        due: Due::at(Some(deadline)),
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
        ready!(this.due.poll(cx));
        // Here, where it was polled: what it does when it is dropped belongs to its span and its trace.
        this.function.set(None);
        Poll::Ready(None)
    }
}

/// Logs a panic where it happened; the caller only learns that there was one.
#[cold]
pub(crate) fn log_panic(spec: &Spec, panicked: &Panicked) -> RunError {
    tracing::error!(
        function = spec.name,
        version = spec.version,
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
        let mut late = pin!(until(Instant::now(), async move {
            pending::<()>().await;
            drop(guard);
        }));
        assert_eq!(late.as_mut().await, None);
        // In the span and the trace of its call, which end with the poll.
        assert_eq!(weak.strong_count(), 0);
    }
}
