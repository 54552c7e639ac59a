//! What goes along with a function that gets a thread or a task of its own: the span that is open, and the
//! trace that it is a part of.

use std::future::{Future, poll_fn};

use tracing::Span;

use super::{context::Incoming, trace::TraceContext};
use crate::scope;

/// Where a function belongs, however it is run.
#[derive(Debug)]
pub(crate) struct Heritage {
    span: Span,
    trace: Option<TraceContext>,
    context: Incoming,
}

impl Heritage {
    /// Where the present code belongs.
    pub(crate) fn here() -> Self {
        Self {
            span: Span::current(),
            trace: scope::inherited_trace(),
            context: Incoming::here(),
        }
    }

    /// Runs a closure there.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _context = self.context.enter();
        self.span.in_scope(|| scope::in_trace(self.trace, work))
    }

    /// Polls a future there, each time.
    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        let mut future = Box::pin(future);
        poll_fn(move |cx| self.run(|| future.as_mut().poll(cx)))
    }
}
