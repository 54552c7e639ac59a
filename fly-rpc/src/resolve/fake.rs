//! Nodes that there are not, for tests of how one is chosen.

use std::{cell::Cell, time::Duration};

use fly_rpc_transport::{NodeId, Offer, Region};

use super::{Candidate, Here, Wanted};
use crate::target::Target;

/// A node; what changes with time may be set while others look.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) node: NodeId,
    pub(crate) region: Region,
    pub(crate) offers: Vec<Offer>,
    pub(crate) millis: Cell<u64>,
    pub(crate) in_flight: Cell<usize>,
    pub(crate) draining: Cell<bool>,
    pub(crate) suspect: Cell<bool>,
    pub(crate) retiring: Cell<bool>,
}

impl Candidate for Fake {
    fn node(&self) -> &NodeId {
        &self.node
    }
    fn region(&self) -> &Region {
        &self.region
    }
    fn round_trip(&self) -> Duration {
        Duration::from_millis(self.millis.get())
    }
    fn in_flight(&self) -> usize {
        self.in_flight.get()
    }
    fn is_draining(&self) -> bool {
        self.draining.get()
    }
    fn is_suspect(&self) -> bool {
        self.suspect.get()
    }
    fn is_retiring(&self) -> bool {
        self.retiring.get()
    }
    fn versions<T>(&self, _name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        look(&self.offers)
    }
}

/// One that is fit, idle, and `millis` away.
pub(crate) fn fake(node: &str, region: &str, millis: u64) -> Fake {
    Fake {
        node: node.into(),
        region: region.into(),
        offers: vec![offer(1, 7)],
        millis: Cell::new(millis),
        in_flight: Cell::new(0),
        draining: Cell::new(false),
        suspect: Cell::new(false),
        retiring: Cell::new(false),
    }
}

pub(crate) fn offer(version: u32, fingerprint: u8) -> Offer {
    Offer {
        name: "f".into(),
        version,
        fingerprint: [fingerprint; 16],
        contract: format!("f@{version} #{fingerprint}"),
    }
}

/// A call of version 1 from `lax`, where `syd` is the primary.
pub(crate) fn with<T>(target: &Target, run: impl FnOnce(&Wanted<'_>, &Here<'_>) -> T) -> T {
    let (node, region, primary) = ("me".into(), "lax".into(), "syd".into());
    let wanted = Wanted {
        target,
        name: "f",
        version: 1,
        fingerprint: [7; 16],
        contract: "ours",
    };
    let here = Here {
        node: &node,
        region: &region,
        primary: &primary,
    };
    run(&wanted, &here)
}

/// SplitMix64.
pub(crate) fn chance(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
