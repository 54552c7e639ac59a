//! What is told of calls to whoever operates them: spans, trace context, metrics.
//!
//! Each of the three guards here is held for as long as what it tells of, and ends once, also when it is
//! dropped because somebody gave up. The code that makes and serves calls holds them and knows nothing
//! of what they do. With no subscriber and without the feature `metrics` they cost a look at one
//! number each.

mod context;
mod end;
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
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use fly_rpc_transport::{Link, Request, ResponseFrame};
use tokio::time::Instant;
use tracing::Span;

pub(crate) use meters::Meters;
#[cfg(feature = "metrics")]
pub(crate) use sampler::sample;
pub(crate) use trace::TraceContext;

use self::{
    context::Incoming,
    end::End,
    meters::{CallMeter, ServeMeter},
};
use crate::{
    error::RpcError,
    node::Inner,
    registry::{Served, Spec},
    target::Target,
};

/// A call that this node makes.
#[derive(Debug)]
pub(crate) struct Calling<'a> {
    span: Span,
    meter: CallMeter<'a>,
    attempts: AtomicU32,
    has_ended: bool,
}

impl<'a> Calling<'a> {
    /// It begins `now`; `place` is the function's among those that are registered.
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
    pub(crate) fn watch<F: Future>(&self, call: Pin<&mut F>) -> impl Future<Output = F::Output> {
        within(&self.span, call)
    }

    /// Has the function run here.
    pub(crate) async fn here<F, T>(&self, inner: &Inner, spec: &Spec, run: Pin<&mut F>) -> F::Output
    where
        F: Future<Output = Result<T, RpcError>>,
    {
        self.meter.here();
        let span = spans::serve_here(spec, &inner.id, &inner.region);
        let outcome = within(&span, run).await;
        let (end, error) = ended(&outcome);
        spans::end(&span, end, error);
        outcome
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
    pub(crate) fn end<T>(mut self, outcome: &Result<T, RpcError>) {
        let (end, error) = ended(outcome);
        self.conclude(end, error);
    }

    fn conclude(&mut self, end: End, error: Option<&RpcError>) {
        self.has_ended = true;
        spans::end(&self.span, end, error);
        self.meter.end(end);
    }
}

impl Drop for Calling<'_> {
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
    span: Span,
    has_ended: bool,
}

impl Attempt<'_> {
    /// Makes it.
    pub(crate) fn watch<F: Future>(&self, attempt: Pin<&mut F>) -> impl Future<Output = F::Output> {
        within(&self.span, attempt)
    }

    /// What its request carries of the trace that it belongs to.
    pub(crate) fn trace(&self) -> Option<[u8; 26]> {
        context::outgoing(&self.span).map(TraceContext::bytes)
    }

    /// It had this outcome.
    pub(crate) fn end(mut self, outcome: &Result<Bytes, RpcError>) {
        self.has_ended = true;
        let (end, error) = ended(outcome);
        if let Ok(value) = outcome {
            self.calling.meter.received(value.len());
            spans::bytes(&self.span, "fly_rpc.received_bytes", value.len());
        }
        spans::end(&self.span, end, error);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            spans::end(&self.span, End::GIVEN_UP, None);
        }
    }
}

/// A request of a peer that was let in.
#[derive(Debug)]
pub(crate) struct Serving {
    span: Span,
    incoming: Incoming,
    meter: ServeMeter,
    has_ended: bool,
}

impl Serving {
    pub(crate) fn begin(
        inner: &Inner,
        link: &Link,
        request: &Request,
        trace: Option<TraceContext>,
        served: &Served,
    ) -> Self {
        let span = spans::serve(&served.entry.spec, link, request.arguments.len());
        Self {
            incoming: Incoming::new(trace, &span),
            meter: inner.meters.serve(served.place, request.arguments.len()),
            span,
            has_ended: false,
        }
    }

    /// Runs the function.
    pub(crate) async fn watch<F: Future>(&self, mut function: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            let _of_the_caller = self.incoming.enter();
            let _entered = self.span.enter();
            function.as_mut().poll(cx)
        })
        .await
    }

    /// This is what the caller is told.
    pub(crate) fn end(mut self, answer: &ResponseFrame) {
        spans::bytes(&self.span, "fly_rpc.sent_bytes", answer.size());
        self.conclude(End::of_status(answer.status()), answer.size());
    }

    fn conclude(&mut self, end: End, sent: usize) {
        self.has_ended = true;
        spans::end(&self.span, end, None);
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

/// Runs a future inside a span, without moving it.
async fn within<F: Future>(span: &Span, mut future: Pin<&mut F>) -> F::Output {
    poll_fn(|cx| {
        let _entered = span.enter();
        future.as_mut().poll(cx)
    })
    .await
}

fn ended<T>(outcome: &Result<T, RpcError>) -> (End, Option<&RpcError>) {
    match outcome {
        Ok(_) => (End::OK, None),
        Err(error) => (End::of(error), Some(error)),
    }
}
