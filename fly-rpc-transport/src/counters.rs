//! What an endpoint counts from its start: the frames that it read, and the connections that it
//! refused.
//!
//! That a stranger reaches no parser but that of certificates is a promise, and a count of frames
//! is how it is seen to be kept.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{endpoint::EndpointStats, handshake::DialError};

/// The counts of one endpoint. Each is raised once for a whole batch, never for a single frame.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    frames_read: AtomicU64,
    crowded: AtomicU64,
    draining: AtomicU64,
    handshake: AtomicU64,
    certificate: AtomicU64,
    hello: AtomicU64,
    slow: AtomicU64,
}

/// Connections from outside that a node refused since it started, by what was wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// Ignored, because too many handshakes were in progress.
    pub crowded: u64,
    /// Refused unseen, because this node drains.
    pub draining: u64,
    /// No agreement of QUIC or TLS: no certificate, another protocol or version, or the other end
    /// gave up.
    pub handshake: u64,
    /// The certificate proves no member.
    pub certificate: u64,
    /// A member whose hello was refused: another cluster or protocol version, the wrong node id.
    pub hello: u64,
    /// The handshake or the hello did not come in time.
    pub slow: u64,
}

impl Refusals {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self {
            crowded,
            draining,
            handshake,
            certificate,
            hello,
            slow,
        } = self;
        crowded + draining + handshake + certificate + hello + slow
    }
}

impl Counters {
    pub(crate) fn read_frames(&self, frames: u64) {
        self.frames_read.fetch_add(frames, Ordering::Relaxed);
    }

    pub(crate) fn refuse_crowded(&self) {
        self.crowded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse_draining(&self) {
        self.draining.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, error: &DialError) {
        let count = match error {
            DialError::Certificate { .. } => &self.certificate,
            DialError::Refused { .. } => &self.hello,
            DialError::Slow { .. } => &self.slow,
            _ => &self.handshake,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts so far, with nothing of what an endpoint has besides.
    pub(crate) fn stats(&self) -> EndpointStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        EndpointStats {
            frames_read: read(&self.frames_read),
            refusals: Refusals {
                crowded: read(&self.crowded),
                draining: read(&self.draining),
                handshake: read(&self.handshake),
                certificate: read(&self.certificate),
                hello: read(&self.hello),
                slow: read(&self.slow),
            },
            ..EndpointStats::default()
        }
    }
}
