//! One direction between two hosts.

use tokio::time::Instant;

use super::{conditions::Conditions, inbox::Datagram};

/// The way from one host to another.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// Conditions of its own, if they differ from the network's.
    pub(super) conditions: Option<Conditions>,
    /// Nothing passes, and what is sent is lost.
    pub(super) cut: bool,
    /// Nothing passes, and what is sent waits here.
    pub(super) clogged: Option<Vec<(std::net::SocketAddr, Datagram)>>,
    /// When a way of limited rate has sent all that was queued.
    pub(super) busy_until: Option<Instant>,
}
