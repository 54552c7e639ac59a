//! The three spans of a call: what was asked, each attempt at it on another node, and what ran there.
//!
//! They are at level DEBUG. Calls are made by the hundred thousand, and whoever logs at INFO should not
//! pay for a span with ten fields on each. Whoever exports traces turns them on by their targets
//! (README.md, *Telemetry*). The names of fields are those of OpenTelemetry's conventions for RPC where it has
//! one, and begin with `fly_rpc.` where it has none.

use fly_rpc_transport::Link;
use tracing::{
    Span, debug_span,
    field::{Empty, display},
    level_filters::LevelFilter,
};

use super::end::End;
use crate::{error::RpcError, registry::Spec, target::Target};

/// A span, if anybody wants it. Where nobody does, it is one word and one look at a number: every call in
/// flight has two or three of these.
#[derive(Debug)]
pub(super) struct Open(Option<Box<Span>>);

impl Open {
    #[inline]
    fn new(span: impl FnOnce() -> Span) -> Self {
        if LevelFilter::current() < LevelFilter::DEBUG {
            return Self(None);
        }
        Self::of(span())
    }

    #[cold]
    fn of(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// What it is, if it is there.
    pub(super) fn span(&self) -> Option<&Span> {
        self.0.as_deref()
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Writes down that the function of the call runs where it was called.
    #[inline]
    pub(super) fn here(&self) {
        if let Some(span) = &self.0 {
            span.record("fly_rpc.here", true);
        }
    }

    /// Writes down how it ended.
    #[inline]
    pub(super) fn end(&self, end: End, error: Option<&RpcError>) {
        if let Some(span) = &self.0 {
            write_end(span, end, error);
        }
    }

    /// Writes down a number of bytes.
    pub(super) fn bytes(&self, field: &str, bytes: usize) {
        if let Some(span) = &self.0 {
            span.record(field, bytes);
        }
    }
}

#[cold]
fn write_end(span: &Span, end: End, error: Option<&RpcError>) {
    span.record("fly_rpc.outcome", end.outcome);
    span.record("fly_rpc.executed", end.executed);
    if end.is_ok() {
        return;
    }
    span.record("error.type", end.outcome);
    // Whoever gives up has seen no failure.
    if end != End::GIVEN_UP {
        span.record("otel.status_code", "error");
    }
    if let Some(error) = error {
        span.record("otel.status_description", display(error));
    }
}

/// A call, from its first poll to its end, wherever it goes.
#[inline]
pub(super) fn call(spec: &Spec, target: &Target) -> Open {
    Open::new(|| call_span(spec, target))
}

#[cold]
fn call_span(spec: &Spec, target: &Target) -> Span {
    debug_span!(
        target: "fly_rpc::call",
        "fly_rpc.call",
        otel.name = %format_args!("call {}", spec.name),
        otel.kind = "internal",
        otel.status_code = Empty,
        otel.status_description = Empty,
        rpc.system.name = SYSTEM,
        rpc.method = spec.name,
        fly_rpc.version = spec.version,
        fly_rpc.target = %target,
        fly_rpc.here = Empty,
        fly_rpc.outcome = Empty,
        fly_rpc.executed = Empty,
        "error.type" = Empty,
    )
}

/// One attempt at a call, the first or a later one, on another node.
pub(super) fn attempt(spec: &Spec, number: u32, link: &Link, sent: usize) -> Open {
    Open::new(|| {
        debug_span!(
            target: "fly_rpc::attempt",
            "fly_rpc.attempt",
            otel.name = spec.name,
            otel.kind = "client",
            otel.status_code = Empty,
            otel.status_description = Empty,
            rpc.system.name = SYSTEM,
            rpc.method = spec.name,
            server.address = %link.address().ip(),
            server.port = link.address().port(),
            fly_rpc.version = spec.version,
            fly_rpc.attempt = number,
            fly_rpc.node = %link.node(),
            fly_rpc.region = %link.region(),
            fly_rpc.sent_bytes = sent,
            fly_rpc.received_bytes = Empty,
            fly_rpc.outcome = Empty,
            fly_rpc.executed = Empty,
            "error.type" = Empty,
        )
    })
}

/// A function that runs for a caller elsewhere. It begins a tree of its own, unless the request came
/// with one that it belongs to.
pub(super) fn serve(spec: &Spec, link: &Link, received: usize) -> Open {
    Open::new(|| {
        debug_span!(
            target: "fly_rpc::serve",
            parent: None,
            "fly_rpc.serve",
            otel.name = spec.name,
            otel.kind = "server",
            otel.status_code = Empty,
            otel.status_description = Empty,
            rpc.system.name = SYSTEM,
            rpc.method = spec.name,
            fly_rpc.version = spec.version,
            fly_rpc.caller = %link.node(),
            fly_rpc.caller_region = %link.region(),
            fly_rpc.received_bytes = received,
            fly_rpc.sent_bytes = Empty,
            fly_rpc.outcome = Empty,
            fly_rpc.executed = Empty,
            "error.type" = Empty,
        )
    })
}

const SYSTEM: &str = "fly_rpc";
