//! What is known of a peer's signs of life, and of how much passes between it and this node.

use std::time::Duration;

use quinn::ConnectionStats;
use tokio::time::Instant;

/// Looked at about once a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    datagrams: u64,
    heard: Instant,
    pings: u64,
    /// When the last ping was sent, until it is answered.
    asked: Option<Instant>,
    /// When the first ping was sent that nothing answered yet.
    unanswered: Option<Instant>,
    /// How long the last two answers took.
    answers: [Option<Duration>; 2],
    looks: u32,
    traffic: Traffic,
}

/// Bytes of UDP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Pulse {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            datagrams: 0,
            heard: now,
            pings: 0,
            asked: None,
            unanswered: None,
            answers: [None; 2],
            looks: 0,
            traffic: Traffic::default(),
        }
    }

    /// Takes note of what QUIC counted; returns how long nothing was heard.
    pub(crate) fn observe(&mut self, stats: &ConnectionStats, now: Instant) -> Duration {
        if self.datagrams != stats.udp_rx.datagrams {
            self.datagrams = stats.udp_rx.datagrams;
            self.heard = now;
        }
        self.traffic = Traffic {
            received: stats.udp_rx.bytes,
            sent: stats.udp_tx.bytes,
        };
        self.silence(now)
    }

    /// How long nothing was heard.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// What had passed by the last observation.
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The number of the next ping, which is sent now.
    pub(crate) fn next_ping(&mut self, now: Instant) -> u64 {
        self.pings += 1;
        self.asked = Some(now);
        self.unanswered.get_or_insert(now);
        self.pings
    }

    /// The ping of this number was answered.
    pub(crate) fn answered(&mut self, ping: u64, now: Instant) {
        self.unanswered = None;
        if ping == self.pings
            && let Some(asked) = self.asked.take()
        {
            self.answers = [Some(now.saturating_duration_since(asked)), self.answers[0]];
        }
    }

    /// For how long no ping was answered; nothing if none is on its way.
    pub(crate) fn unanswered(&self, now: Instant) -> Duration {
        self.unanswered
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The time that an answer takes: QUIC's smoothed round trip, or what pings took if that is less.
    /// A link that carries nothing learns of its distance by its keep-alives alone, an eighth each
    /// time, and what delayed its handshake would stay with it for minutes.
    pub(crate) fn round_trip(&self, smoothed: Duration) -> Duration {
        let answers = self.answers.iter().flatten();
        answers.fold(smoothed, |least, answer| least.min(*answer))
    }

    /// True at the first look, and now and then: the peer should be asked how far it is.
    pub(crate) fn is_time_to_measure(&mut self) -> bool {
        let is_time = self.looks.is_multiple_of(MEASURE);
        self.looks = self.looks.wrapping_add(1);
        is_time
    }
}

/// Looks between two measurements: distances change rarely, and most of the pings come in place of a
/// keep-alive.
const MEASURE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_unanswered_from_the_first_one_to_any_answer() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pulse = Pulse::new(start);
        assert_eq!(pulse.unanswered(at(9)), Duration::ZERO);
        let first = pulse.next_ping(at(10));
        pulse.next_ping(at(1_000));
        assert_eq!(pulse.unanswered(at(1_500)), Duration::from_millis(1_490));
        pulse.answered(first, at(1_600));
        assert_eq!(pulse.unanswered(at(1_700)), Duration::ZERO);
    }

    #[test]
    fn a_ping_corrects_what_the_handshake_was_delayed_by() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pulse = Pulse::new(start);
        assert!(pulse.is_time_to_measure());
        assert!((1..10).all(|_| !pulse.is_time_to_measure()));
        assert!(pulse.is_time_to_measure());
        let smoothed = Duration::from_millis(656);
        assert_eq!(pulse.round_trip(smoothed), smoothed);
        let ping = pulse.next_ping(start);
        pulse.answered(ping - 1, at(1));
        pulse.answered(ping, at(16));
        pulse.answered(ping, at(17));
        assert_eq!(pulse.round_trip(smoothed), Duration::from_millis(16));
        // The way became longer.
        for _ in 0..2 {
            let ping = pulse.next_ping(at(20));
            pulse.answered(ping, at(120));
        }
        assert_eq!(pulse.round_trip(smoothed), Duration::from_millis(100));
    }
}
