//! Whether the peer is there, and sound: what was heard of it, what it was asked, and how much passes.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{Link, micros};
use crate::{close::CloseCode, control::Control, lock::lock, pulse::Traffic};

impl Link {
    /// Looks at the connection's signs of life; called about once a second. Returns true if the
    /// suspicion changed.
    pub(crate) fn observe(&self) -> bool {
        self.tell_view();
        let stats = self.connection.stats();
        let (silence, round_trip, measures) = {
            let mut pulse = lock(&self.pulse);
            let silence = pulse.observe(&stats, Instant::now());
            let round_trip = pulse.round_trip(stats.path.rtt);
            (silence, round_trip, pulse.is_time_to_measure())
        };
        self.round_trip.store(micros(round_trip), Ordering::Relaxed);
        // Calls that time out leave the suspicion behind: only a sign of life ends it.
        let watched = self.watched.load(Ordering::Relaxed);
        let waiting = watched || self.in_flight() > 0 || self.is_suspect();
        if silence >= self.limits.silence_lost {
            tracing::info!(peer = %self.node(), ?silence, "nothing was heard for too long; the connection is given up");
            self.close(CloseCode::Silent);
        } else if (waiting && silence >= PING_WHEN_WAITING)
            || silence >= self.limits.silence_lost / 2
            || measures
        {
            self.ping();
        }
        let suspect = silence >= self.limits.silence_suspect
            && (waiting || silence >= self.limits.silence_lost / 2);
        self.suspect.swap(suspect, Ordering::Relaxed) != suspect
    }

    /// Whether the peer is asked for signs of life even if no call waits for an answer: then its
    /// silence is known after `silence_suspect`, else only after half of `silence_lost`.
    pub fn watch(&self, watch: bool) {
        self.watched.store(watch, Ordering::Relaxed);
    }

    /// Gives the connection up, as after too long a silence: others say as well that the peer is gone.
    pub fn give_up(&self) {
        tracing::info!(peer = %self.node(), "nothing is heard here, and others say that it is gone; the connection is given up");
        self.close(CloseCode::Silent);
    }

    /// Waits for a sign of life that answers a question asked now. False if none comes in time.
    pub(crate) async fn answers_ping(&self, patience: Duration) -> bool {
        let ping = self.ping();
        let pong = self.until(|progress| progress.last_pong >= ping || progress.closed);
        tokio::time::timeout(patience, pong).await.is_ok() && !self.is_closed()
    }

    /// Waits until the peer leaves a ping unanswered for `patience`.
    pub(crate) async fn falls_silent(&self, patience: Duration) {
        while self.answers_ping(patience).await {
            tokio::time::sleep(patience / 4).await;
        }
    }

    /// True while nothing at all is heard, for `silence_suspect` or longer: no lane is to blame for
    /// that. A peer that is asked nothing may have nothing to say.
    pub fn is_silent(&self) -> bool {
        lock(&self.pulse).silence(Instant::now()) >= self.limits.silence_suspect
    }

    /// True if nothing is heard although something was asked a while ago: the silence is not the
    /// peer's choice.
    pub(crate) fn is_cut_off(&self) -> bool {
        let unanswered = lock(&self.pulse).unanswered(Instant::now());
        self.is_silent() && unanswered >= PING_WHEN_WAITING
    }

    /// Datagrams that were ever heard on this connection.
    pub(crate) fn datagrams(&self) -> u64 {
        self.connection.stats().udp_rx.datagrams
    }

    /// What passed so far, as of the last look: when a lane is slow and this is not, the way is
    /// narrow.
    pub(crate) fn traffic(&self) -> Traffic {
        lock(&self.pulse).traffic()
    }

    /// The peer answered this question.
    pub(super) fn note_pong(&self, number: u64) {
        let round_trip = {
            let mut pulse = lock(&self.pulse);
            pulse.answered(number, Instant::now());
            pulse.round_trip(self.connection.rtt())
        };
        self.round_trip.store(micros(round_trip), Ordering::Relaxed);
        self.progress
            .send_modify(|progress| progress.last_pong = progress.last_pong.max(number));
    }

    /// Asks for a sign of life; returns the number of the question.
    pub(crate) fn ping(&self) -> u64 {
        let number = lock(&self.pulse).next_ping(Instant::now());
        self.control.send(&Control::Ping(number));
        number
    }

    /// Names in the log, at most once a second for each name, what the peer does.
    pub(crate) fn complain(&self, what: &'static str) {
        let now = Instant::now().into_std();
        if let Some(left_out) = self.counters.offences.admit(what, now) {
            tracing::warn!(peer = %self.node(), what, left_out, "a peer does what no sound one has a reason for");
        }
    }

    /// The same, and counts it; too often, and the connection is closed.
    pub(crate) fn offence(&self, what: &'static str) {
        let limits = &self.limits;
        let now = Instant::now();
        self.complain(what);
        if self
            .offences
            .is_one_too_many(now, limits.offences, limits.offence_window)
        {
            tracing::warn!(peer = %self.node(), last = what, limit = limits.offences, "too many offences; the connection is closed");
            self.close(CloseCode::ExcessiveLoad);
        }
    }
}

/// Silence, while an answer is awaited, after which the peer is asked for a sign of life: a handler
/// may simply take long.
const PING_WHEN_WAITING: Duration = Duration::from_secs(1);
