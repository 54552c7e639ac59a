//! The pace that a peer must keep on a lane in the midst of a frame, so that none holds a lane and
//! its memory by sending, or reading, a byte now and then.
//!
//! Only time in which this end waits for the peer counts, and no timer runs for frames that come
//! whole. A lane is not blamed for what its connection does not manage either: a peer that is not
//! heard at all is the business of the connection's watch, and a narrow way is shared by all lanes,
//! not always evenly. Who fills it with one lane to keep others waiting spends more than he takes:
//! what they hold is bounded without a clock.

use std::{pin::pin, time::Duration};

use quinn::{Chunk, ReadError, RecvStream, WriteError, Written};
use tokio::time::{Instant, timeout_at};

use crate::link::Link;

/// How far a frame had come at the beginning of the time that is looked at.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    /// Bytes of the frame by then; `None` while its head is awaited.
    body: Option<usize>,
}

/// The lane did not keep the pace.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lag {
    #[error("the head of a request did not come in time")]
    Head,
    #[error("a request makes too little progress")]
    Body,
    #[error("answers are not read")]
    Answers,
}

impl Pace {
    /// The pace of a frame that has just begun.
    pub(super) fn of_frame() -> Self {
        Self {
            since: Instant::now(),
            body: None,
        }
    }

    /// Reads on in the midst of a frame of which `came` bytes are there.
    pub(super) async fn read(
        &mut self,
        recv: &mut RecvStream,
        came: usize,
        link: &Link,
    ) -> Result<Result<Option<Chunk>, ReadError>, Lag> {
        let limits = link.limits();
        if self.body.is_none() && came >= limits.header_size {
            *self = Self {
                since: Instant::now(),
                body: Some(came),
            };
        }
        let wait = match self.body {
            None => limits.header_wait,
            Some(_) => limits.body_progress_window,
        };
        let mut due = after(self.since, wait);
        loop {
            // What has come already is taken, however late it is looked at.
            if let Ok(read) = timeout_at(due, recv.read_chunk(usize::MAX, true)).await {
                return Ok(read);
            }
            let now = Instant::now();
            match self.body {
                Some(before)
                    if is_enough(came - before, now - self.since, limits.body_progress) =>
                {
                    (self.since, self.body) = (now, Some(came));
                    due = after(now, wait);
                }
                _ if link.is_silent() || link.receives() => due = now + AGAIN,
                None => return Err(Lag::Head),
                Some(_) => return Err(Lag::Body),
            }
        }
    }
}

/// The pace at which a peer reads the answers of a lane.
#[derive(Debug)]
pub(super) struct Reading {
    since: Instant,
    bytes: usize,
}

impl Reading {
    pub(super) fn begin() -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// Waits for `write` to hand bytes to the network.
    pub(super) async fn write(
        &mut self,
        write: impl Future<Output = Result<Written, WriteError>>,
        link: &Link,
    ) -> Result<Result<Written, WriteError>, Lag> {
        let limits = link.limits();
        let mut write = pin!(write);
        let mut due = after(self.since, limits.body_progress_window);
        loop {
            if let Ok(written) = timeout_at(due, &mut write).await {
                self.bytes += written.as_ref().map_or(0, |written| written.bytes);
                return Ok(written);
            }
            let now = Instant::now();
            if is_enough(self.bytes, now - self.since, limits.body_progress) {
                (self.since, self.bytes) = (now, 0);
                due = after(now, limits.body_progress_window);
            } else if link.is_silent() || link.sends() {
                due = now + AGAIN;
            } else {
                return Err(Lag::Answers);
            }
        }
    }
}

fn is_enough(bytes: usize, time: Duration, per_second: usize) -> bool {
    bytes as f64 >= time.as_secs_f64() * per_second as f64
}

fn after(since: Instant, wait: Duration) -> Instant {
    since.checked_add(wait).unwrap_or_else(|| since + FAR)
}

/// When a lane that is not to blame is looked at again: as often as its connection.
const AGAIN: Duration = Duration::from_secs(1);
/// As good as never.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
