//! Draining: finish what was accepted, accept nothing more, and say what could not be finished.

use std::{
    fmt,
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
    /// Calls of this node's own, made before the drain, that still awaited an answer.
    pub own_calls: usize,
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
    /// True if everything that was accepted has ended, and every call of this node's own.
    pub fn is_clean(&self) -> bool {
        self.cut.is_empty() && self.own_calls == 0
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("drained: every call has ended");
        }
        f.write_str("drain timeout: still running")?;
        let separator = |index: usize| if index == 0 { ": " } else { ", " };
        for (index, cut) in self.cut.iter().enumerate() {
            let Cut {
                function,
                version,
                running,
            } = cut;
            write!(f, "{}{running}× {function}@{version}", separator(index))?;
        }
        match self.own_calls {
            0 => Ok(()),
            calls => write!(f, "{}{calls} calls of this node", separator(self.cut.len())),
        }
    }
}

pub(super) async fn drain(inner: &Arc<Inner>) -> DrainReport {
    inner.draining.store(true, Ordering::SeqCst);
    if let Some(membership) = &inner.membership {
        membership.revise(|me| me.draining = true).await;
    }
    // Peers are told at once, not when the handlers have ended: both are polled together. Cut off
    // by the timeout, not by an error: the report says what that left.
    let tell = async {
        // Nobody calls an observer, so that nobody needs to know.
        if !inner.observer {
            inner.endpoint.drain().await;
        }
    };
    let finish = async { tokio::join!(tell, idle(inner)) };
    let _ = timeout(inner.drain_timeout, finish).await;
    let report = DrainReport {
        cut: running(inner),
        own_calls: inner.own_calls.get(),
    };
    tracing::info!(node = %inner.id, %report, "drain ended");
    report
}

/// Waits until no handler runs, and no call of this node's own that was made before the drain.
async fn idle(inner: &Inner) {
    while inner.running.load(Ordering::SeqCst) > 0 || inner.own_calls.get() > 0 {
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

/// How often running handlers are looked at: well under the drain timeout, and long enough to cost
/// nothing.
const LOOK: Duration = Duration::from_millis(5);
