//! A collector that is down: its spans are lost, and the log says so once a minute.
//!
//! The SDK would log each batch that fails, every five seconds. Calls wait for none of this: spans are
//! exported by a thread of their own, and what does not fit into its queue is dropped.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that complains seldom.
#[derive(Debug)]
pub(crate) struct Patient<E> {
    exporter: E,
    complaints: Mutex<Complaints>,
}

impl<E> Patient<E> {
    pub(crate) fn new(exporter: E) -> Self {
        Self {
            exporter,
            complaints: Mutex::default(),
        }
    }

    fn complain(&self, lost: usize, error: &dyn fmt::Display, now: Instant) {
        let mut complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = complaints.admit(lost, now) {
            tracing::warn!(lost, %error, "spans cannot be exported; calls go on");
        }
    }
}

impl<E: SpanExporter> SpanExporter for Patient<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        if let Err(error) = self.exporter.export(batch).await {
            self.complain(spans, &error, Instant::now());
        }
        // Said here already.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Spans that were lost since the log last said so.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    lost: usize,
}

impl Complaints {
    /// So many more were lost `now`. If it is time for a line, all that it is to tell of.
    fn admit(&mut self, lost: usize, now: Instant) -> Option<usize> {
        self.lost += lost;
        let is_early = |last| now.saturating_duration_since(last) < DISTANCE;
        if self.last.is_some_and(is_early) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.lost))
    }
}

/// Time between two lines.
const DISTANCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_is_down_for_long_is_one_line_a_minute() {
        let began = Instant::now();
        let mut complaints = Complaints::default();
        // A batch of ten every five seconds, for ten minutes.
        let lines = (0..120).filter_map(|batch| {
            let now = began + Duration::from_secs(5 * batch);
            Some((now - began, complaints.admit(10, now)?))
        });
        let lines: Vec<(Duration, usize)> = lines.collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], (Duration::ZERO, 10));
        for (minute, line) in lines.iter().enumerate().skip(1) {
            // Whatever was lost since the line before stands in it.
            assert_eq!(*line, (Duration::from_secs(60 * minute as u64), 120));
        }
    }
}
