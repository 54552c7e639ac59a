//! Nodes that there are not, for tests of how one is chosen.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use fly_rpc_transport::{Limits, NodeId, Offer, Region};

use super::{Candidate, Here, Scene, Wanted};
use crate::{
    balance::{Moment, Nearest, Resort, Settings, Vitals},
    target::Target,
};

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
    /// Shared by clones, as connections to one node share it.
    pub(crate) vitals: Arc<Vitals>,
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
    fn vitals(&self) -> &Vitals {
        &self.vitals
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
        vitals: Arc::new(Vitals::new(Arc::new(settings()))),
    }
}

/// The default ones.
pub(crate) fn settings() -> Settings {
    Settings::from(&Limits::default())
}

/// What choices share that are made one after the other.
pub(crate) struct Stage {
    pub(crate) resort: Resort,
    pub(crate) nearest: Mutex<Nearest>,
}

/// One that nothing happened on.
pub(crate) fn stage(resort: Resort) -> Stage {
    Stage {
        resort,
        nearest: Mutex::default(),
    }
}

impl Stage {
    /// After so many milliseconds, and as many looks.
    pub(crate) fn at(&self, millis: u64) -> Scene<'_> {
        Scene {
            now: Moment::from_millis(millis),
            resort: self.resort,
            looks: millis,
            nearest: &self.nearest,
            hold: Duration::from_secs(10),
        }
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
        observer: false,
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
