//! What a node is busy with, in numbers.

use std::sync::atomic::Ordering;

use fly_rpc_transport::Refusals;

use super::inner::Inner;
use crate::membership::Membership;

/// A node's load at one moment and its counts since it started, for dashboards and for tests.
///
/// The parts are read one after the other, so they may be of slightly different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Functions that run now, for peers and for this node itself.
    pub handlers: usize,
    /// Calls of this node that await an answer of a peer.
    pub pending_calls: usize,
    /// Connections to peers that are open, those that are about to be closed included.
    pub connections: usize,
    /// Frames that were read from peers, broken ones included. What is refused before it has proved
    /// membership adds nothing.
    pub frames_read: u64,
    /// Connections from outside that were asked to prove that their address is their own, because
    /// many handshakes were in progress or that address had used up half of its allowance.
    pub retries: u64,
    /// Connections from outside that were refused, for whatever reason.
    pub refused: u64,
    /// The same by reason.
    pub refusals: Refusals,
    /// How often this node saw the primary move, or that said anew.
    pub primary_moves: u64,
    /// How often a peer was found, for a second or longer, to see the primary elsewhere, or this node's
    /// own source to say so. Who does now is in [`Node::peers`](crate::Node::peers).
    pub primary_disagreements: u64,
    /// Other nodes that this one knows by gossip, connected or not; 0 without gossip.
    pub members: usize,
    /// Bytes of gossip that this node has sent, without what QUIC adds.
    pub gossip_sent: u64,
}

impl NodeStats {
    pub(crate) fn of(inner: &Inner) -> Self {
        let endpoint = inner.endpoint.stats();
        Self {
            handlers: inner.running.load(Ordering::Relaxed),
            pending_calls: endpoint.pending_calls,
            connections: endpoint.connections,
            frames_read: endpoint.frames_read,
            retries: endpoint.retries,
            refused: endpoint.refusals.total(),
            refusals: endpoint.refusals,
            primary_moves: inner.primary.moves(),
            primary_disagreements: inner.primary.disagreements(),
            members: inner.roster().len(),
            gossip_sent: inner.membership.as_ref().map_or(0, Membership::sent),
        }
    }
}
