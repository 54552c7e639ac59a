//! What an application sets up to export its spans, and nothing more.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::patient::Patient;

/// The exporter of this process, and what it logged.
pub(crate) struct Export {
    provider: SdkTracerProvider,
    log: Log,
}

/// Exports to this endpoint; else to `OTEL_EXPORTER_OTLP_ENDPOINT`, or to port 4318 of this machine.
pub(crate) fn start(region: &str, endpoint: Option<&str>) -> anyhow::Result<Export> {
    let exporter = SpanExporter::builder().with_http();
    let exporter = exporter.with_protocol(Protocol::HttpBinary);
    let exporter = match endpoint {
        Some(endpoint) => exporter.with_endpoint(format!("{endpoint}/v1/traces")),
        None => exporter,
    };
    let exporter = exporter.build()?;
    let resource = Resource::builder()
        .with_service_name("guestbook")
        .with_attribute(KeyValue::new("cloud.region", region.to_owned()));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Patient::new(exporter))
        .with_resource(resource.build())
        .build();
    // Our own spans are at DEBUG, and asked for by name: what else is at DEBUG stays out of the traces.
    let traced = Targets::new().with_default(LevelFilter::INFO).with_targets(
        ["call", "attempt", "serve"].map(|span| (format!("fly_rpc::{span}"), LevelFilter::DEBUG)),
    );
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .with_filter(LevelFilter::WARN);
    tracing_subscriber::registry()
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("fly-rpc"))
                .with_filter(traced),
        )
        .with(lines)
        .try_init()?;
    Ok(Export { provider, log })
}

impl Export {
    /// Sends what has not been sent.
    pub(crate) async fn flush(&self) -> anyhow::Result<()> {
        let provider = self.provider.clone();
        Ok(tokio::task::spawn_blocking(move || provider.force_flush()).await??)
    }

    /// The same, and no more after that.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        Ok(tokio::task::spawn_blocking(move || self.provider.shutdown()).await??)
    }

    /// The warnings so far that contain this text.
    pub(crate) fn logged(&self, text: &str) -> Vec<String> {
        let log = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

/// The log, kept to be looked at. An application writes its own to standard output.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
