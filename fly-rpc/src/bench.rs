//! What `benches/` measures and has no public face: choosing a node among many, and a program of many
//! functions.
//!
//! The nodes are invented, because thousands of connections would measure the machine; what is known
//! of each lies where a connection keeps it, behind the same lock and in the same table. The
//! functions are those of the program under other names, because compiling ten thousand takes longer
//! than anything that is measured of them.

use std::{
    cell::Cell,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fly_rpc_transport::{Catalogue, NodeId, Offer, Region};

use crate::{
    registry::Entry,
    resolve::{Candidate, Here, Wanted, choose},
    target::Target,
};

/// Nodes to choose from, spread evenly over [`REGIONS`] regions, and the place of the caller.
#[derive(Debug)]
pub struct Choices {
    nodes: Vec<Invented>,
    here: (NodeId, Region, Region),
    random: Cell<u64>,
}

#[derive(Debug)]
struct Invented {
    node: NodeId,
    region: Region,
    round_trip: Duration,
    catalogue: RwLock<Arc<Catalogue>>,
}

impl Choices {
    /// So many nodes, all of which offer the same ten functions.
    pub fn new(nodes: usize) -> Self {
        let offers = (0..10).map(|number| Offer {
            name: format!("function_{number}"),
            version: VERSION,
            fingerprint: FINGERPRINT,
            contract: String::new(),
        });
        let catalogue = Arc::new(Catalogue::new(offers));
        let invented = (0..nodes).map(|number| Invented {
            node: format!("node-{number}").into(),
            region: region(number),
            round_trip: Duration::from_millis(1 + number as u64 % 200),
            catalogue: RwLock::new(Arc::clone(&catalogue)),
        });
        Self {
            nodes: invented.collect(),
            here: ("here".into(), region(0), region(1)),
            random: Cell::new(1),
        }
    }

    /// Chooses the node for one call of one function.
    pub fn choose(&self, target: &Target) -> Option<&NodeId> {
        let wanted = Wanted {
            target,
            name: "function_3",
            version: VERSION,
            fingerprint: FINGERPRINT,
            contract: "",
        };
        let (node, region, primary) = &self.here;
        let here = Here {
            node,
            region,
            primary,
        };
        let random = || {
            // A linear congruence, of which the upper half is used: chance must cost nothing here.
            let next = self
                .random
                .get()
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1);
            self.random.set(next);
            next >> 32
        };
        choose(self.nodes.iter(), &wanted, &here, random).map(|chosen| &chosen.node)
    }
}

impl Candidate for &Invented {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn region(&self) -> &Region {
        &self.region
    }

    fn round_trip(&self) -> Duration {
        self.round_trip
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn is_draining(&self) -> bool {
        false
    }

    fn is_suspect(&self) -> bool {
        false
    }

    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        let catalogue = self.catalogue.read();
        let catalogue = Arc::clone(&catalogue.unwrap_or_else(PoisonError::into_inner));
        look(catalogue.versions(name))
    }
}

/// The region with this number, of [`REGIONS`]; 0 is the caller's and 1 the primary's.
pub fn region(number: usize) -> Region {
    format!("region-{}", number % REGIONS).into()
}

/// Registers each function of the program so many times more, under names of their own. Must be said
/// before the first node starts.
pub fn register_copies(count: usize) {
    COPIES.store(count, Ordering::Relaxed);
}

/// The functions of the program, and their copies.
#[cfg_attr(test, expect(dead_code, reason = "tests multiply nothing"))]
pub(crate) fn with_copies(entries: impl Iterator<Item = &'static Entry>) -> Vec<&'static Entry> {
    let copies = COPIES.load(Ordering::Relaxed);
    let all = entries.flat_map(|entry| {
        let copy = move |number| -> &'static Entry {
            let mut copy = *entry;
            copy.spec.name = format!("{}_{number}", entry.spec.name).leak();
            Box::leak(Box::new(copy))
        };
        [entry].into_iter().chain((0..copies).map(copy))
    });
    all.collect()
}

static COPIES: AtomicUsize = AtomicUsize::new(0);

/// As many as a provider that is everywhere has.
pub const REGIONS: usize = 20;
const VERSION: u32 = 1;
const FINGERPRINT: [u8; 16] = [7; 16];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_chosen_for_every_target_and_not_always_the_same() {
        let choices = Choices::new(200);
        for target in [Target::Any, Target::Primary, Target::Region(region(7))] {
            let first = choices.choose(&target).expect("there are ten");
            assert!((0..100).any(|_| choices.choose(&target) != Some(first)));
        }
        let nearest = choices.choose(&Target::Nearest).expect("one");
        assert_eq!(nearest.as_str(), "node-0");
    }
}
