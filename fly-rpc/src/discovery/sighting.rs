//! An address, and what its source knows of it.

use std::net::SocketAddr;

use fly_rpc_transport::{NodeId, Region};

/// An address at which there may be a node.
///
/// What a source knows beyond the address saves work and is never proof. If a node is named, only
/// that node is accepted there: an address that another machine has taken over is not mistaken for
/// the one that had it before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Sighting {
    /// Where to dial, UDP.
    pub address: SocketAddr,
    /// Which node is there, if the source knows.
    pub node: Option<NodeId>,
    /// Where that node runs, if the source knows. Without `node` it says nothing.
    pub region: Option<Region>,
}

impl Sighting {
    /// An address of which nothing else is known.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            node: None,
            region: None,
        }
    }

    /// Says which node is there.
    #[must_use]
    pub fn node(mut self, node: impl Into<NodeId>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Says where that node runs.
    #[must_use]
    pub fn region(mut self, region: impl Into<Region>) -> Self {
        self.region = Some(region.into());
        self
    }
}

impl From<SocketAddr> for Sighting {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}
