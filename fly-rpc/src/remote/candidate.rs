//! A link as a candidate of a choice.

use std::{sync::Arc, time::Duration};

use fly_rpc_transport::{Link, NodeId, Offer, Region};

use crate::{
    balance::{Bond, Vitals},
    resolve::Candidate,
};

impl Candidate for Arc<Link> {
    fn node(&self) -> &NodeId {
        Link::node(self)
    }

    fn region(&self) -> &Region {
        Link::region(self)
    }

    fn round_trip(&self) -> Duration {
        Link::round_trip(self)
    }

    fn in_flight(&self) -> usize {
        Link::in_flight(self)
    }

    fn is_draining(&self) -> bool {
        Link::is_draining(self)
    }

    fn is_suspect(&self) -> bool {
        Link::is_suspect(self)
    }

    fn is_retiring(&self) -> bool {
        Link::is_retiring(self)
    }

    fn vitals(&self) -> &Vitals {
        bond(self).vitals()
    }

    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        look(self.catalogue().versions(name))
    }
}

/// What is remembered of the node at the other end: it was attached when the link was first listed
/// ([`Inner::links`](crate::node::Inner::links)).
pub(crate) fn bond(link: &Link) -> &Bond {
    link.attachment(Bond::apart)
}
