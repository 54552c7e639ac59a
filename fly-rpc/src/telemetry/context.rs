//! Which trace a request belongs to: out of the span that is open here, or out of the request that is
//! being served.
//!
//! With the feature `opentelemetry` the caller's span becomes the parent of the callee's. Without it, and
//! where nothing traces, what came in goes out again as it came.

use tracing::Span;

use super::trace::TraceContext;
use crate::scope;

/// What a request carries that is sent inside `span`.
pub(super) fn outgoing(span: Option<&Span>) -> Option<TraceContext> {
    open_here(span).or_else(scope::inherited_trace)
}

#[cfg(not(feature = "opentelemetry"))]
fn open_here(_span: Option<&Span>) -> Option<TraceContext> {
    None
}

#[cfg(not(feature = "opentelemetry"))]
pub(super) use off::Incoming;

#[cfg(feature = "opentelemetry")]
use on::open_here;

#[cfg(feature = "opentelemetry")]
pub(super) use on::Incoming;

#[cfg(not(feature = "opentelemetry"))]
mod off {
    use tracing::Span;

    use crate::telemetry::trace::TraceContext;

    /// What came with a request, for a build that has no use for it.
    #[derive(Debug)]
    pub(in crate::telemetry) struct Incoming;

    impl Incoming {
        pub(in crate::telemetry) fn new(
            _trace: Option<TraceContext>,
            _span: Option<&Span>,
        ) -> Self {
            Self
        }

        pub(in crate::telemetry) fn here() -> Self {
            Self
        }

        pub(in crate::telemetry) fn enter(&self) -> Option<Self> {
            None
        }
    }
}

#[cfg(feature = "opentelemetry")]
mod on {
    use opentelemetry::{
        Context, ContextGuard,
        trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
    };
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use crate::telemetry::trace::TraceContext;

    /// The innermost span that is exported: `span`; the application's, if ours are not; or one that was
    /// opened without `tracing`.
    pub(in crate::telemetry) fn open_here(span: Option<&Span>) -> Option<TraceContext> {
        let of = |span: &Span| written(span.context().span().span_context());
        span.and_then(of)
            .or_else(|| of(&Span::current()))
            .or_else(|| Context::map_current(|context| written(context.span().span_context())))
    }

    /// What came with a request.
    #[derive(Debug)]
    pub(in crate::telemetry) struct Incoming(Option<Context>);

    impl Incoming {
        /// Makes `span` a child of the caller's.
        pub(in crate::telemetry) fn new(trace: Option<TraceContext>, span: Option<&Span>) -> Self {
            let Some(trace) = trace else {
                return Self(None);
            };
            let context = Context::new().with_remote_span_context(SpanContext::new(
                TraceId::from_bytes(trace.trace()),
                SpanId::from_bytes(trace.parent()),
                TraceFlags::new(trace.flags()),
                true,
                TraceState::NONE,
            ));
            if let Some(span) = span {
                // Fails if nothing exports spans, and then there is none to have a parent.
                let _ = span.set_parent(context.clone());
            }
            Self(Some(context))
        }

        /// What is open here, for work that goes on elsewhere.
        pub(in crate::telemetry) fn here() -> Self {
            Self(Some(Context::current()))
        }

        /// Makes it the parent of spans that the function opens, where its own is not exported.
        pub(in crate::telemetry) fn enter(&self) -> Option<ContextGuard> {
            self.0.clone().map(Context::attach)
        }
    }

    fn written(context: &SpanContext) -> Option<TraceContext> {
        TraceContext::new(
            context.trace_id().to_bytes(),
            context.span_id().to_bytes(),
            context.trace_flags().to_u8(),
        )
    }
}
