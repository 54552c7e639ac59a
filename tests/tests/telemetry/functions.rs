//! The functions that are called in these tests.

use fly_rpc::{RpcError, region_rpc};
use fly_rpc_tests::Probe;
use opentelemetry::trace::TraceContextExt;
use tracing_opentelemetry::OpenTelemetrySpanExt;

#[region_rpc]
pub(crate) fn upcase(text: &str) -> String {
    text.to_uppercase()
}

/// What the primary does for a page, with a call behind it.
#[region_rpc(@primary)]
pub(crate) async fn sign(name: &str) -> Result<String, String> {
    tracing::info!("signing");
    count_on_region("hkg", name)
        .wait_ready()
        .await
        .map(|count| format!("{name} is number {count}"))
        .map_err(|error: RpcError| error.to_string())
}

#[region_rpc]
pub(crate) async fn count(name: &str) -> usize {
    let _span = tracing::info_span!("counting").entered();
    name.len()
}

/// The trace that the running code belongs to, and whether it is sampled.
#[region_rpc]
pub(crate) async fn trace_here() -> (String, bool) {
    let context = tracing::Span::current().context();
    let context = context.span().span_context().clone();
    (context.trace_id().to_string(), context.is_sampled())
}

/// The same, of a call behind this one.
#[region_rpc]
pub(crate) async fn trace_behind() -> Option<(String, bool)> {
    trace_here_on_region("hkg").wait_ready().await.ok()
}

/// Never ends by itself; what it holds opens a span when it is dropped.
#[region_rpc]
pub(crate) async fn be_late() {
    struct Drops;

    impl Drop for Drops {
        fn drop(&mut self) {
            let _span = tracing::info_span!("dropping").entered();
        }
    }

    let _drops = Drops;
    std::future::pending().await
}

/// Runs on the blocking pool, on a thread that has no recorder; tells the trace of the spans that would be
/// opened there.
#[region_rpc(blocking)]
pub(crate) fn block() -> String {
    let context = opentelemetry::Context::current();
    context.span().span_context().trace_id().to_string()
}

/// Runs in a task of its own.
#[region_rpc(detached)]
pub(crate) async fn settle() {
    let _span = tracing::info_span!("settled").entered();
}

#[region_rpc]
pub(crate) async fn fail() {
    panic!("as the test asks");
}

/// Never ends by itself.
#[region_rpc]
pub(crate) async fn hang(#[state] probe: &Probe) {
    let _witness = probe.witness();
    probe.tell("started");
    std::future::pending().await
}
