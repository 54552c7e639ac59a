//! The three spans of a call: what was asked, each attempt at it, and what ran.
//!
//! They are at level DEBUG. Calls are made by the hundred thousand, and whoever logs at INFO should not
//! pay for a span with ten fields on each. Whoever exports traces turns them on by their targets
//! (README.md, *Telemetry*). The names of fields are those of OpenTelemetry's conventions for RPC where it has
//! one, and begin with `fly_rpc.` where it has none.

use fly_rpc_transport::{Link, NodeId, Region};
use tracing::{Span, debug_span, field::Empty};

use super::end::End;
use crate::{error::RpcError, registry::Spec, target::Target};

/// A call, from its first poll to its end, wherever it goes.
pub(super) fn call(spec: &Spec, target: &Target) -> Span {
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
        fly_rpc.outcome = Empty,
        fly_rpc.executed = Empty,
        "error.type" = Empty,
    )
}

/// One attempt at a call, the first or a later one, on another node.
pub(super) fn attempt(spec: &Spec, number: u32, link: &Link, sent: usize) -> Span {
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
}

/// A function that runs for a caller elsewhere. It begins a tree of its own, unless the request came
/// with one that it belongs to.
pub(super) fn serve(spec: &Spec, link: &Link, received: usize) -> Span {
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
}

/// A function that runs where it was called.
pub(super) fn serve_here(spec: &Spec, node: &NodeId, region: &Region) -> Span {
    debug_span!(
        target: "fly_rpc::serve",
        "fly_rpc.serve",
        otel.name = spec.name,
        otel.kind = "internal",
        otel.status_code = Empty,
        otel.status_description = Empty,
        rpc.system.name = SYSTEM,
        rpc.method = spec.name,
        fly_rpc.version = spec.version,
        fly_rpc.caller = %node,
        fly_rpc.caller_region = %region,
        fly_rpc.outcome = Empty,
        fly_rpc.executed = Empty,
        "error.type" = Empty,
    )
}

/// Writes down how it ended.
pub(super) fn end(span: &Span, end: End, error: Option<&RpcError>) {
    // A span that nobody wants still looks its fields up by name.
    if span.is_disabled() {
        return;
    }
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
        span.record("otel.status_description", tracing::field::display(error));
    }
}

/// Writes down a number of bytes.
pub(super) fn bytes(span: &Span, field: &str, bytes: usize) {
    if !span.is_disabled() {
        span.record(field, bytes);
    }
}

const SYSTEM: &str = "fly_rpc";
