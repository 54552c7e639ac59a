//! What is told of calls to whoever operates them: spans, trace context, metrics.
//!
//! Each of the three guards here is held for as long as what it tells of, and ends once, also when it is
//! dropped because somebody gave up. The code that makes and serves calls holds them and knows nothing
//! of what they do. With no subscriber and without the feature `metrics` they cost a look at one
//! number each.

mod context;
mod end;
mod heritage;
#[cfg(feature = "metrics")]
mod labels;
#[cfg_attr(not(feature = "metrics"), path = "unmetered.rs")]
mod meters;
#[cfg(feature = "metrics")]
mod names;
#[cfg(feature = "metrics")]
mod sampler;
mod spans;
mod trace;

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
};

use fly_rpc_transport::{Link, Request, ResponseFrame};
use tokio::time::Instant;
use tracing::Span;

pub(crate) use heritage::Heritage;
pub(crate) use meters::Meters;
#[cfg(feature = "metrics")]
pub(crate) use sampler::sample;
pub(crate) use trace::TraceContext;

use self::{
    context::Incoming,
    end::End,
    meters::{CallMeter, ServeMeter},
    spans::Open,
};
use crate::{
    error::RpcError,
    node::Inner,
    registry::{Served, Spec},
    remote::Answer,
    scope,
    target::Target,
};

/// A call that this node makes.
#[derive(Debug)]
pub(crate) struct Calling<'a> {
    span: Open,
    meter: CallMeter<'a>,
    attempts: AtomicU32,
    has_ended: bool,
}

impl<'a> Calling<'a> {
    /// It begins `now`; `place` is the function's among those that are registered.
    #[inline]
    pub(crate) fn begin(
        inner: &'a Inner,
        spec: &Spec,
        place: Option<usize>,
        target: &Target,
        now: Instant,
    ) -> Self {
        Self {
            span: spans::call(spec, target),
            meter: inner.meters.call(place, now),
            attempts: AtomicU32::new(0),
            has_ended: false,
        }
    }

    /// Makes it.
    pub(crate) fn watch<'f, F: Future>(&'f self, call: Pin<&'f mut F>) -> Within<'f, F> {
        Within::new(&self.span, call)
    }

    /// The function runs here, and its spans are below that of the call.
    #[inline]
    pub(crate) fn here(&self) {
        self.meter.here();
        self.span.here();
    }

    /// Asks another node, with so many bytes of arguments.
    pub(crate) fn attempt(&'a self, spec: &Spec, link: &Link, sent: usize) -> Attempt<'a> {
        let former = self.attempts.fetch_add(1, Ordering::Relaxed);
        self.meter.elsewhere(former > 0, sent);
        Attempt {
            calling: self,
            span: spans::attempt(spec, former + 1, link, sent),
            has_ended: false,
        }
    }

    /// It had this outcome.
    #[inline]
    pub(crate) fn end<T>(mut self, outcome: &Result<T, RpcError>) {
        self.has_ended = true;
        if CallMeter::IS_ON || self.span.is_open() {
            let (end, error) = ended(outcome);
            self.conclude(end, error);
        }
    }

    fn conclude(&self, end: End, error: Option<&RpcError>) {
        self.span.end(end, error);
        self.meter.end(end);
    }
}

impl Drop for Calling<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.has_ended {
            self.conclude(End::GIVEN_UP, None);
        }
    }
}

/// One attempt at a call, on another node.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    calling: &'a Calling<'a>,
    span: Open,
    has_ended: bool,
}

impl Attempt<'_> {
    /// Makes it.
    pub(crate) fn watch<'f, F: Future>(&'f self, attempt: Pin<&'f mut F>) -> Within<'f, F> {
        Within::new(&self.span, attempt)
    }

    /// What its request carries of the trace that it belongs to.
    pub(crate) fn trace(&self) -> Option<[u8; 26]> {
        context::outgoing(self.span.span()).map(TraceContext::bytes)
    }

    /// It had this outcome.
    pub(crate) fn end(mut self, outcome: &Result<Answer, RpcError>) {
        self.has_ended = true;
        let (end, error) = ended(outcome);
        if let Ok(answer) = outcome {
            let received = answer.value.len();
            self.calling.meter.received(received);
            self.span.bytes("fly_rpc.received_bytes", received);
        }
        self.span.end(end, error);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.span.end(End::GIVEN_UP, None);
        }
    }
}

/// A request of a peer that was let in.
#[derive(Debug)]
pub(crate) struct Serving {
    span: Open,
    trace: Option<TraceContext>,
    incoming: Incoming,
    meter: ServeMeter,
    has_ended: bool,
}

impl Serving {
    pub(crate) fn begin(inner: &Inner, link: &Link, request: &Request, served: &Served) -> Self {
        let trace = request.trace.and_then(TraceContext::read);
        let span = spans::serve(&served.entry.spec, link, request.arguments.len());
        Self {
            incoming: Incoming::new(trace, span.span()),
            trace,
            meter: inner.meters.serve(served.place, request.arguments.len()),
            span,
            has_ended: false,
        }
    }

    /// Polls the function, in its span and its trace.
    pub(crate) fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        scope::in_trace(self.trace, || {
            let _of_the_caller = self.incoming.enter();
            let _entered = self.span.span().map(Span::enter);
            poll()
        })
    }

    /// This is what the caller is told.
    pub(crate) fn end(mut self, answer: &ResponseFrame) {
        self.span.bytes("fly_rpc.sent_bytes", answer.size());
        self.conclude(End::of_status(answer.status()), answer.size());
    }

    fn conclude(&mut self, end: End, sent: usize) {
        self.has_ended = true;
        self.span.end(end, None);
        self.meter.end(end, sent);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.has_ended {
            self.conclude(End::GIVEN_UP, 0);
        }
    }
}

/// A future that runs inside a span. It is not moved for that, and nothing is added to it but pointers.
#[derive(Debug)]
pub(crate) struct Within<'a, F> {
    span: Option<&'a Span>,
    future: Pin<&'a mut F>,
}

impl<'a, F> Within<'a, F> {
    fn new(span: &'a Open, future: Pin<&'a mut F>) -> Self {
        Self {
            span: span.span(),
            future,
        }
    }
}

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.span.map(Span::enter);
        self.future.as_mut().poll(cx)
    }
}

fn ended<T>(outcome: &Result<T, RpcError>) -> (End, Option<&RpcError>) {
    match outcome {
        Ok(_) => (End::OK, None),
        Err(error) => (End::of(error), Some(error)),
    }
}
