//! What this application counts, and the page on which Prometheus reads it.
//!
//! fly-rpc counts calls on both ends (its feature `metrics`); here stands what only the application knows. No label is called `app`, `region`,
//! `host` or `instance`: Fly writes these over.

use std::time::Duration;

use anyhow::Context;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;

/// Begins to count, for the whole process. What is counted before that goes to nobody, so the node starts later.
pub(crate) fn install() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let handle = builder.install_recorder().context("metrics")?;
    metrics::describe_counter!(
        PAGES,
        "Pages shown, by whether this region had lately read the book."
    );
    metrics::describe_counter!(FORMS, "Forms sent, by whether an entry was written.");
    metrics::describe_histogram!(SIGNING, "Seconds from a form to its answer.");
    Ok(handle)
}

/// `/metrics`.
pub(crate) fn router(handle: PrometheusHandle) -> Router {
    let page = async move || {
        let text = "text/plain; version=0.0.4; charset=utf-8";
        ([(CONTENT_TYPE, text)], handle.render())
    };
    Router::new().route("/metrics", get(page))
}

/// Sums up what was measured, again and again, so that it takes no more memory when nobody reads the page.
pub(crate) async fn keep_up(handle: PrometheusHandle) {
    let mut turns = interval(Duration::from_secs(5));
    loop {
        turns.tick().await;
        handle.run_upkeep();
    }
}

/// A page was shown.
pub(crate) fn page_shown(is_fresh: bool) {
    let fresh = if is_fresh { "yes" } else { "no" };
    metrics::counter!(PAGES, "fresh" => fresh).increment(1);
}

/// A form was answered after so long. `written` is `yes`, `no` or `unknown`.
pub(crate) fn form_answered(written: &'static str, after: Duration) {
    metrics::counter!(FORMS, "written" => written).increment(1);
    metrics::histogram!(SIGNING).record(after);
}

const PAGES: &str = "guestbook_pages_total";
const FORMS: &str = "guestbook_forms_total";
const SIGNING: &str = "guestbook_signing_seconds";

/// Upper bounds: from a call in the same region to the deadline of `sign`.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
