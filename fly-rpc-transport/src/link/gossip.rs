//! What nodes tell each other of the cluster, beside calls.
//!
//! It travels on a connection whose both ends have proved that they belong here, so nothing from
//! outside is ever heard. What it means is known above. A datagram may be lost, which suits questions
//! that are asked again; a message arrives.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::Link;
use crate::{
    control::{Control, GOSSIP},
    lock::lock,
    service::Service,
};

impl Link {
    /// Sends a datagram if the peer takes datagrams of this size, at least 1 100 bytes on any path that
    /// QUIC works on. Never waits; what is not sent is lost, as it might be on its way.
    pub fn send_datagram(&self, message: Bytes) {
        // The peer takes none, or the connection is gone: as good as lost.
        let _ = self.connection.send_datagram(message);
    }

    /// Sends a message of at most [`gossip_size`](Self::gossip_size) bytes, once there is room for it.
    /// What is longer is not sent. A peer that knows no gossip skips it.
    ///
    /// # Cancel safety
    /// The message is queued as a whole or not at all.
    pub async fn send_gossip(&self, message: Bytes) {
        if message.len() <= GOSSIP {
            self.control.send_with_room(&Control::Gossip(message)).await;
        }
    }

    /// Bytes of the longest message of gossip.
    pub const fn gossip_size() -> usize {
        GOSSIP
    }

    /// Hears a message, unless there were too many of late.
    pub(super) fn hear(self: &Arc<Self>, service: &dyn Service, message: Bytes) {
        let most = self.limits.gossip_rate;
        if lock(&self.gossip).admits(Instant::now(), most) {
            service.gossip(self, message);
        } else {
            self.offence("sends too much gossip");
        }
    }

    pub(super) async fn read_datagrams(self: &Arc<Self>, service: &dyn Service) {
        while let Ok(message) = self.connection.read_datagram().await {
            self.hear(service, message);
        }
    }
}

/// How many messages were heard in the present second.
#[derive(Debug)]
pub(super) struct Allowance {
    since: Instant,
    heard: u32,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            heard: 0,
        }
    }

    pub(super) fn admits(&mut self, now: Instant, most: u32) -> bool {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = Self::new(now);
        }
        self.heard = self.heard.saturating_add(1);
        self.heard <= most
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_heard_in_a_second_than_is_allowed() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut heard = |after: u64| {
            let now = start + Duration::from_millis(after);
            (0..9).filter(|_| allowance.admits(now, 5)).count()
        };
        assert_eq!((heard(0), heard(999), heard(1_000)), (5, 0, 5));
    }
}
