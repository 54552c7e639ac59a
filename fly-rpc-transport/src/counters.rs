//! What an endpoint counts from its start: the frames that it read, and the connections that it
//! refused.
//!
//! That a stranger reaches no parser but that of certificates is a promise, and a count of frames
//! is how it is seen to be kept.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{log_limit::LogLimit, refusals::RefusalLog};

/// The counts of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    frames_read: AtomicU64,
    retries: AtomicU64,
    connections_made: AtomicU64,
    pub(crate) refusals: RefusalLog,
    /// The log of what members do that no sound one has a reason for.
    pub(crate) offences: LogLimit,
}

impl Counters {
    /// Raised once for all frames of a chunk, never for a single one.
    pub(crate) fn read_frames(&self, frames: u64) {
        self.frames_read.fetch_add(frames, Ordering::Relaxed);
    }

    pub(crate) fn frames_read(&self) -> u64 {
        self.frames_read.load(Ordering::Relaxed)
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections_made.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connections_made(&self) -> u64 {
        self.connections_made.load(Ordering::Relaxed)
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}
