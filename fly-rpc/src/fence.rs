//! The fence around user code: a panic ends one call and nothing else.

use std::{
    any::Any,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// Something of the user's panicked. The message stays in this process; it may hold anything.
pub(crate) struct Panicked(String);

impl Panicked {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match (
            payload.downcast_ref::<&str>(),
            payload.downcast_ref::<String>(),
        ) {
            (Some(message), _) => (*message).to_owned(),
            (_, Some(message)) => message.clone(),
            _ => "a value that is not a text".to_owned(),
        };
        // The payload is the user's as well, and may panic when it is dropped. What that leaves is
        // leaked: it could panic for ever.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
        Self(message)
    }

    /// The message, for the local log.
    pub(crate) fn message(&self) -> &str {
        &self.0
    }
}

/// Runs a closure that may panic.
///
/// Unwind safety is asserted: what a panic leaves half-done is the closure's own, dropped with it.
/// State of the application that a panic can leave inconsistent is the application's to protect, as
/// with any thread that panics.
pub(crate) fn fence<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(Panicked::new)
}

/// Drops something of the user's that has done its work: a panic changes nothing any more.
///
/// Always apart from a fence around work on the same thing: a destructor that panics while another
/// panic unwinds would end the process.
pub(crate) fn discard<T>(value: T) {
    if let Err(panicked) = fence(|| drop(value)) {
        log_drop(&panicked);
    }
}

fn log_drop(panicked: &Panicked) {
    tracing::error!(
        panic = panicked.message(),
        "something of the application's panicked while it was dropped"
    );
}

/// Runs a future that may panic, in its polls or when it is dropped.
pub(crate) fn fenced<F: Future>(future: F) -> Fence<F> {
    Fence {
        future: Some(future),
    }
}

pin_project! {
    /// The future; `None` once it is torn down.
    pub(crate) struct Fence<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Fence<F> {
        fn drop(this: Pin<&mut Self>) {
            this.tear_down();
        }
    }
}

impl<F: Future> Future for Fence<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.as_mut().project().future.as_pin_mut() else {
            return Poll::Pending;
        };
        match fence(|| future.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => {
                // A panic while the finished future is torn down does not take its value away.
                self.as_mut().tear_down();
                Poll::Ready(Ok(value))
            }
            Err(panicked) => {
                self.as_mut().tear_down();
                Poll::Ready(Err(panicked))
            }
        }
    }
}

impl<F> Fence<F> {
    fn tear_down(self: Pin<&mut Self>) {
        let mut future = self.project().future;
        if future.is_some()
            && let Err(panicked) = fence(|| future.set(None))
        {
            log_drop(&panicked);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Waker};

    use super::*;

    fn poll<T>(
        mut fenced: Pin<&mut impl Future<Output = Result<T, Panicked>>>,
    ) -> Poll<Result<T, String>> {
        fenced
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .map_err(|panicked| panicked.message().to_owned())
    }

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_panic_becomes_an_error_whatever_it_carries() {
        assert_eq!(
            poll(pin!(fenced(async { panic!("{} {}", "formatted", 1) }))),
            Poll::Ready::<Result<(), _>>(Err("formatted 1".into()))
        );
        assert_eq!(
            poll(pin!(fenced(async { panic!("plain") }))),
            Poll::Ready::<Result<(), _>>(Err("plain".into()))
        );
        let odd = async { std::panic::panic_any(7_u8) };
        assert_eq!(
            poll(pin!(fenced(odd))),
            Poll::Ready::<Result<(), _>>(Err("a value that is not a text".into()))
        );
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_does_not_leave_the_fence() {
        let odd = async { std::panic::panic_any(PanicsWhenDropped) };
        let expected = "a value that is not a text".to_owned();
        assert_eq!(
            poll(pin!(fenced(odd))),
            Poll::Ready::<Result<(), _>>(Err(expected))
        );
    }

    #[test]
    fn a_panic_in_a_destructor_does_not_leave_the_fence() {
        let guard = PanicsWhenDropped;
        let mut waiting = Box::pin(fenced(async move {
            std::future::pending::<()>().await;
            drop(guard);
        }));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(waiting);
    }
}
