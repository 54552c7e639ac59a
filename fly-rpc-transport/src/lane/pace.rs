//! The pace that a peer must keep on a lane in the midst of a frame, so that none holds a lane and
//! its memory by sending, or reading, a byte now and then.
//!
//! Only time in which this end waits for the peer counts, and no timer runs for frames that come
//! whole. A lane is not blamed for what its connection does not manage either: a peer that is not
//! heard at all is the business of the connection's watch, and a narrow way is shared by all lanes,
//! not always evenly. Who fills it with one lane to keep others waiting spends more than he takes:
//! what they hold is bounded without a clock. When a connection is heard again after a silence, QUIC
//! begins slowly: its lanes are then given their time anew, but only so often.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use quinn::{ReadError, WriteError, Written};
use tokio::time::{Instant, timeout_at};

use super::chunks::Chunks;
use crate::link::Link;

/// How far a frame had come at the beginning of the time that is looked at.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    /// Bytes of the frame by then; `None` while its head is awaited.
    body: Option<usize>,
    /// Bytes that the connection had received by then.
    received: u64,
    silence: Silence,
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
    pub(super) fn of_frame(link: &Link) -> Self {
        Self {
            since: Instant::now(),
            body: None,
            received: link.traffic().received,
            silence: Silence::default(),
        }
    }

    /// Reads on in the midst of a frame of which `came` bytes are there.
    pub(super) async fn read(
        &mut self,
        chunks: &mut Chunks,
        came: usize,
        link: &Link,
    ) -> Result<Result<Option<Bytes>, ReadError>, Lag> {
        let limits = link.limits();
        if self.body.is_none() && came >= limits.header_size {
            self.start_over(Some(came), link);
        }
        let wait = match self.body {
            None => limits.header_wait,
            Some(_) => limits.body_progress_window,
        };
        let mut due = after(self.since, wait);
        loop {
            // What has come already is taken, however late it is looked at.
            if let Ok(read) = timeout_at(due, chunks.read()).await {
                return Ok(read);
            }
            let now = Instant::now();
            let time = now - self.since;
            let received = link.traffic().received - self.received;
            let before = self.body;
            let makes = before.map_or(0, |before| came - before) as u64;
            let verdict = if is_enough(makes.max(received), time, limits.body_progress) {
                Verdict::StartOver
            } else {
                self.silence.judge(link)
            };
            match verdict {
                Verdict::StartOver => {
                    self.start_over(before.map(|_| came), link);
                    due = after(now, wait);
                }
                Verdict::LookAgain => due = now + AGAIN,
                Verdict::Late if before.is_none() => return Err(Lag::Head),
                Verdict::Late => return Err(Lag::Body),
            }
        }
    }

    fn start_over(&mut self, body: Option<usize>, link: &Link) {
        self.since = Instant::now();
        self.body = body;
        self.received = link.traffic().received;
    }
}

/// The pace at which a peer reads the answers of a lane.
#[derive(Debug)]
pub(super) struct Reading {
    since: Instant,
    bytes: u64,
    /// Bytes that the connection had sent by then.
    sent: u64,
    silence: Silence,
}

impl Reading {
    pub(super) fn begin(link: &Link) -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
            sent: link.traffic().sent,
            silence: Silence::default(),
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
                self.bytes += written.as_ref().map_or(0, |written| written.bytes as u64);
                return Ok(written);
            }
            let now = Instant::now();
            let sent = link.traffic().sent - self.sent;
            let time = now - self.since;
            let verdict = if is_enough(self.bytes.max(sent), time, limits.body_progress) {
                Verdict::StartOver
            } else {
                self.silence.judge(link)
            };
            match verdict {
                Verdict::StartOver => {
                    (self.since, self.bytes) = (now, 0);
                    self.sent = link.traffic().sent;
                    due = after(now, limits.body_progress_window);
                }
                Verdict::LookAgain => due = now + AGAIN,
                Verdict::Late => return Err(Lag::Answers),
            }
        }
    }
}

/// What the connection's silence has to do with a lane's being late.
#[derive(Debug, Default)]
struct Silence {
    /// Datagrams that had been heard when the peer was asked for a sign of life.
    asked_after: Option<u64>,
    is_proved: bool,
    /// How often the lane was given its time anew.
    excused: u32,
}

#[derive(Debug)]
enum Verdict {
    Late,
    LookAgain,
    StartOver,
}

impl Silence {
    /// Who was not asked has nothing to say: a silence counts when it follows a question.
    fn judge(&mut self, link: &Link) -> Verdict {
        let heard = link.datagrams();
        match self.asked_after {
            None if link.is_silent() => {
                self.asked_after = Some(heard);
                // Somebody else may have asked before.
                self.is_proved = link.is_cut_off();
                link.ping();
                return Verdict::LookAgain;
            }
            Some(before) if before == heard => {
                self.is_proved = true;
                return Verdict::LookAgain;
            }
            _ => self.asked_after = None,
        }
        if std::mem::take(&mut self.is_proved) && self.excused < EXCUSES {
            self.excused += 1;
            return Verdict::StartOver;
        }
        Verdict::Late
    }
}

fn is_enough(bytes: u64, time: Duration, per_second: usize) -> bool {
    bytes as f64 >= time.as_secs_f64() * per_second as f64
}

fn after(since: Instant, wait: Duration) -> Instant {
    since.checked_add(wait).unwrap_or_else(|| since + FAR)
}

/// When a lane that is not to blame is looked at again: as often as its connection.
const AGAIN: Duration = Duration::from_secs(1);
/// Silences that one frame is excused with.
const EXCUSES: u32 = 3;
/// As good as never.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
