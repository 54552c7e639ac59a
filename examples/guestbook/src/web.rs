//! The web server: two pages' worth of ordinary axum. Only [`sign_on_primary`] leaves this region.

use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use fly_rpc::{CallError, Executed, Node};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    copy::LocalCopy,
    entries::{Draft, SignError},
    functions::sign_on_primary,
    metrics,
    page::{self, Notice, View},
};

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) node: Node,
    pub(crate) copy: LocalCopy,
}

/// All pages.
pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(read))
        .route("/entries", post(sign))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(site)
}

/// This process serves pages. It does not ask the primary: if it did, one machine that is being replaced would have
/// all regions taken off the proxy.
async fn health() -> &'static str {
    "ok\n"
}

/// What a visitor who has just written comes back with.
#[derive(Debug, Deserialize)]
struct Visit {
    wrote: Option<i64>,
}

async fn read(State(site): State<Site>, Query(visit): Query<Visit>) -> Response {
    let came = Instant::now();
    let known = match visit.wrote {
        Some(entry) => site.copy.read_with(entry).await,
        None => site.copy.read().await,
    };
    let written = visit.wrote.filter(|entry| known.may_have(*entry, came));
    let notice = written.map(|entry| Notice::Written {
        entry,
        is_here: known.has(entry),
    });
    site.page(
        StatusCode::OK,
        &View {
            known,
            notice,
            draft: Draft::new(),
        },
    )
}

/// Writes where the database is, and sends the browser back to the page, so that reloading it writes nothing.
async fn sign(State(site): State<Site>, Form(draft): Form<Draft>) -> Response {
    let (draft, begun) = (draft.trimmed(), Instant::now());
    let outcome = sign_on_primary(&draft).wait_ready().flatten().await;
    let error = match outcome {
        Ok(entry) => {
            metrics::form_answered("yes", begun.elapsed());
            let page = format!("/?wrote={0}#entry-{0}", entry.id);
            return Redirect::to(&page).into_response();
        }
        Err(error) => error,
    };
    let refusal = Refusal::of(&error);
    metrics::form_answered(refusal.written(), begun.elapsed());
    tracing::warn!(written = refusal.written(), "a form was refused: {error}");
    // The same key: sending the same words again is harmless. Unless the key itself is what is wrong.
    let key = if refusal.needs_new_key {
        Draft::new().key
    } else {
        draft.key
    };
    let view = View {
        known: site.copy.read().await,
        draft: Draft { key, ..draft },
        notice: Some(Notice::Refused {
            may_be_written: refusal.may_be_written,
            reason: error.to_string(),
        }),
    };
    let written = HeaderValue::from_static(refusal.written());
    ([(WRITTEN, written)], site.page(refusal.status, &view)).into_response()
}

/// What to tell of a form that was not answered with an entry.
struct Refusal {
    status: StatusCode,
    may_be_written: bool,
    needs_new_key: bool,
}

impl Refusal {
    fn of(error: &CallError<SignError>) -> Self {
        let (status, may_be_written) = match error {
            CallError::App(SignError::Invalid(_)) => (StatusCode::UNPROCESSABLE_ENTITY, false),
            CallError::App(SignError::OtherWords { .. }) => (StatusCode::CONFLICT, false),
            // The call may be a second attempt, made because the first one's process was killed.
            CallError::App(SignError::Database(_)) => (StatusCode::INTERNAL_SERVER_ERROR, true),
            // The heart of it: a call that failed says whether the function ran.
            CallError::Rpc(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                error.executed() != Executed::No,
            ),
        };
        let needs_new_key = matches!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT
        );
        Self {
            status,
            may_be_written,
            needs_new_key,
        }
    }

    fn written(&self) -> &'static str {
        if self.may_be_written { "unknown" } else { "no" }
    }
}

impl Site {
    fn page(&self, status: StatusCode, view: &View) -> Response {
        metrics::page_shown(view.known.is_fresh());
        (status, HEADERS, page::book(&self.node, view)).into_response()
    }
}

/// What a program reads of a form that was refused: `no` or `unknown`.
const WRITTEN: HeaderName = HeaderName::from_static("guestbook-written");

/// A page is made for one visitor, has no script, loads nothing, and is in nobody's frame.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
];

/// In bytes: the longest name and message of four-byte characters, each byte of which a form may spell with three.
const LONGEST_FORM: usize = (Draft::MAX_NAME + Draft::MAX_MESSAGE) * 12 + 200;
