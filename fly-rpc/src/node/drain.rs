//! Draining: finish what was accepted, accept nothing more, and say what could not be finished.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::inner::Inner;

/// What a drain could not wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// The functions that still ran when the drain timeout passed, and how many of each.
    pub cut: Vec<Cut>,
}

/// Handlers of one function that were still running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The function's name.
    pub function: String,
    /// The function's version.
    pub version: u32,
    /// How many handlers of it still ran.
    pub running: usize,
}

impl DrainReport {
    /// True if everything that was accepted has ended.
    pub fn is_clean(&self) -> bool {
        self.cut.is_empty()
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("drained: every accepted call has ended");
        }
        f.write_str("drain timeout: still running")?;
        self.cut
            .iter()
            .try_for_each(|cut| write!(f, ", {}× {}@{}", cut.running, cut.function, cut.version))
    }
}

pub(super) async fn drain(inner: &Arc<Inner>) -> DrainReport {
    inner.draining.store(true, Ordering::Relaxed);
    // Cut off by the timeout, not by an error: the report says what that left.
    let _ = timeout(inner.drain_timeout, finish(inner)).await;
    let report = DrainReport {
        cut: running(inner),
    };
    tracing::info!(node = %inner.id, %report, "drain ended");
    report
}

/// Tells the peers at once, waits until no handler runs, and then until the answers have arrived.
async fn finish(inner: &Inner) {
    let mut answers_arrived = pin!(inner.endpoint.drain());
    tokio::select! {
        biased;
        () = &mut answers_arrived => idle(inner).await,
        () = idle(inner) => {
            // Whoever is alive has the last answer within some round trips; a peer that died without a word
            // must not hold up the stop.
            let _ = timeout(LAST_ANSWERS, answers_arrived).await;
        }
    }
}

/// Waits until no handler runs.
async fn idle(inner: &Inner) {
    while inner.running.load(Ordering::Relaxed) > 0 {
        // Handlers end on many paths, dropped ones too; looking is simpler than being told by each,
        // and this happens once in a node's life.
        sleep(LOOK).await;
    }
}

fn running(inner: &Inner) -> Vec<Cut> {
    let mut cut: Vec<Cut> = inner
        .registry
        .iter()
        .map(|served| Cut {
            function: served.entry.spec.name.to_owned(),
            version: served.entry.spec.version,
            running: served.running.load(Ordering::Relaxed),
        })
        .filter(|cut| cut.running > 0)
        .collect();
    cut.sort_by(|a, b| (&a.function, a.version).cmp(&(&b.function, b.version)));
    cut
}

/// How long peers may take to say that they have all their answers, once nothing runs any more.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How often running handlers are looked at: well under the drain timeout, and long enough to cost
/// nothing.
const LOOK: Duration = Duration::from_millis(5);
