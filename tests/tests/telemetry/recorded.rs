//! Spans as OpenTelemetry exports them, kept in memory.

use std::{fmt::Debug, sync::OnceLock};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use tracing::{Dispatch, subscriber::NoSubscriber};
use tracing_subscriber::{
    Layer as _, Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The spans of one thread.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    exporter: InMemorySpanExporter,
}

impl Recorded {
    /// Records what this thread does until the guard is dropped.
    pub(crate) fn start() -> (Self, impl Drop) {
        Self::start_with(Sampler::AlwaysOn, "fly_rpc=debug,info")
    }

    /// The same, of whatever is sampled and comes through this filter.
    pub(crate) fn start_with(root: Sampler, filter: &str) -> (Self, impl Drop) {
        // With a single subscriber tracing asks the thread that comes by first whether a span is wanted
        // at all, and keeps the answer of one that has none.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(NoSubscriber::default()));
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .build();
        let filter: Targets = filter.parse().expect("a filter");
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber =
            Registry::default().with(layer.with_filter(filter.with_default(LevelFilter::INFO)));
        (Self { exporter }, subscriber.set_default())
    }

    /// All that have ended, in the order in which they began.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        let mut spans = self
            .exporter
            .get_finished_spans()
            .expect("it is not shut down");
        spans.sort_by_key(|span| span.start_time);
        spans
    }

    /// Those with this attribute.
    pub(crate) fn with(&self, key: &str, value: &str) -> Vec<SpanData> {
        let spans = self.spans().into_iter();
        spans.filter(|span| attribute(span, key) == value).collect()
    }

    /// The only one of this name.
    pub(crate) fn one(&self, name: &str) -> SpanData {
        let mut named: Vec<SpanData> = self.spans();
        named.retain(|span| span.name == name);
        assert_eq!(named.len(), 1, "{name} among {}", self.tree());
        named.remove(0)
    }

    /// Forgets them.
    pub(crate) fn clear(&self) {
        self.exporter.reset();
    }

    /// A line for each span below its parent, indented, with its kind and its name.
    pub(crate) fn tree(&self) -> String {
        let spans = self.spans();
        let is_root = |span: &&SpanData| {
            !spans
                .iter()
                .any(|other| other.span_context.span_id() == span.parent_span_id)
        };
        let mut tree = String::new();
        for root in spans.iter().filter(is_root) {
            draw(root, 0, &spans, &mut tree);
        }
        tree
    }
}

fn draw(span: &SpanData, depth: usize, all: &[SpanData], tree: &mut String) {
    tree.push_str(&format!(
        "{}{:?} {}\n",
        "  ".repeat(depth),
        span.span_kind,
        span.name
    ));
    for child in all {
        if child.parent_span_id == span.span_context.span_id() {
            assert_eq!(child.span_context.trace_id(), span.span_context.trace_id());
            draw(child, depth + 1, all, tree);
        }
    }
}

/// The value of an attribute, as text; empty if the span has none of the name.
pub(crate) fn attribute(span: &SpanData, key: &str) -> String {
    let mut values = span
        .attributes
        .iter()
        .filter(|attribute| attribute.key.as_str() == key);
    let value = values.next().map(|attribute| attribute.value.to_string());
    assert!(values.next().is_none(), "{key} stands twice in {span:?}");
    value.unwrap_or_default()
}
