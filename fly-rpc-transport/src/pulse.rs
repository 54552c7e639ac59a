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

    /// The number of the next ping.
    pub(crate) fn next_ping(&mut self) -> u64 {
        self.pings += 1;
        self.pings
    }
}
