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
        if self.admits("sends too much gossip") {
            service.gossip(self, message);
        }
    }

    /// Counts one more message about the cluster or the peer itself. False if there were too many in the
    /// present second, which is an offence.
    pub(super) fn admits(&self, offence: &'static str) -> bool {
        let is_admitted = self.gossip.count(Instant::now(), SECOND) <= self.limits.gossip_rate;
        if !is_admitted {
            self.offence(offence);
        }
        is_admitted
    }

    pub(super) async fn read_datagrams(self: &Arc<Self>, service: &dyn Service) {
        while let Ok(message) = self.connection.read_datagram().await {
            self.hear(service, message);
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
