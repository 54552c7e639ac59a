//! What `benches/` measures and has no public face: choosing a node among many, and a program of many
//! functions.
//!
//! The nodes are invented, because thousands of connections would measure the machine; what is known
//! of each lies where a connection keeps it, behind the same lock, in the same table and in the same
//! atomics, and a node is found by the same index, beside a list that is shared in the same way. The
//! functions are those of the program under other names, because compiling ten thousand takes longer
//! than anything that is measured of them.

use std::{
    any::Any,
    cell::Cell,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fly_rpc_transport::{Catalogue, Limits, NodeId, Offer, Region};

use crate::{
    balance::{Moment, Nearest, Resort, Settings, Verdict, Vitals},
    node::Node,
    registry::{Entry, registered},
    remote::RemoteCall,
    resolve::{Candidate, Here, Scene, Wanted, choose},
    routes::Routes,
    target::Target,
};

pub use crate::balance::model;
pub use crate::membership::model as gossip;

/// Nodes to choose from, spread evenly over [`REGIONS`] regions, and the place of the caller.
#[derive(Debug)]
pub struct Choices {
    known: RwLock<Arc<Known>>,
    here: (NodeId, Region, Region),
    random: Cell<u64>,
    nearest: Mutex<Nearest>,
    began: Instant,
}

/// As `Links`.
#[derive(Debug)]
struct Known {
    nodes: Vec<Arc<Invented>>,
    conclusion: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// As `Link`.
#[derive(Debug)]
struct Invented {
    node: NodeId,
    region: Region,
    /// Microseconds.
    round_trip: AtomicU64,
    /// Behind a pointer, as that of all lanes of a link is.
    in_flight: Arc<AtomicUsize>,
    draining: AtomicBool,
    suspect: AtomicBool,
    retiring: AtomicBool,
    /// Where that of a link is.
    bond: OnceLock<Box<dyn Any + Send + Sync>>,
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
        let settings = Arc::new(Settings::from(&Limits::default()));
        let invented = (0..nodes).map(|number| Invented {
            node: format!("node-{number}").into(),
            region: region(number),
            round_trip: AtomicU64::new(1_000 * (1 + number as u64 % 200)),
            in_flight: Arc::default(),
            draining: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            bond: OnceLock::from(Box::new(answered(&settings, number)) as Box<_>),
            catalogue: RwLock::new(Arc::clone(&catalogue)),
        });
        let mut nodes: Vec<Arc<Invented>> = invented.map(Arc::new).collect();
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        let conclusion = OnceLock::new();
        Self {
            known: RwLock::new(Arc::new(Known { nodes, conclusion })),
            here: ("here".into(), region(0), region(1)),
            random: Cell::new(1),
            nearest: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// Chooses the node for one call of one function, as a call does.
    pub fn choose(&self, target: &Target) -> Option<NodeId> {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        let routes = known.conclusion.get_or_init(|| Box::new(Routes::new(10)));
        let routes = routes.downcast_ref::<Routes>()?;
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
            observer: false,
            region,
            primary,
        };
        let random = || {
            // SplitMix64: chance must cost next to nothing here.
            let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.random.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let nodes = known.nodes.as_slice();
        // A call reads the clock for this.
        let now = self.began.elapsed().as_millis() as u64;
        let scene = Scene {
            now: Moment::from_millis(now),
            resort: Resort::Panic,
            looks: 1,
            nearest: &self.nearest,
            hold: Duration::from_secs(10),
        };
        let chosen = routes
            .choose(3, nodes, &wanted, &here, &scene, random)
            .or_else(|| choose(nodes, |_| true, &wanted, &here, &scene, random))?;
        Some(chosen.node.clone())
    }
}

/// The memory of a node that answered once.
fn answered(settings: &Arc<Settings>, number: usize) -> Vitals {
    let now = Moment::from_millis(0);
    let vitals = Vitals::new(Arc::clone(settings));
    let took = Duration::from_millis(1 + number as u64 % 200);
    if let Some(ticket) = vitals.ask(now) {
        vitals.end(ticket, Verdict::Answered, took, took, now);
    }
    vitals
}

impl Candidate for Arc<Invented> {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn region(&self) -> &Region {
        &self.region
    }

    fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip.load(Ordering::Relaxed))
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Acquire)
    }

    fn vitals(&self) -> &Vitals {
        let bond = self.bond.get().and_then(|bond| bond.downcast_ref());
        bond.expect("it was put there when the node was invented")
    }

    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        let catalogue = self.catalogue.read();
        let catalogue = Arc::clone(&catalogue.unwrap_or_else(PoisonError::into_inner));
        look(catalogue.versions(name))
    }
}

/// What one choice of a node takes, on average over so many, for a function of this program (its name
/// and version) that is called through `node`; `None` if there is nobody whom a call could be sent to
/// at once, or no such function.
pub fn resolution(
    node: &Node,
    target: &Target,
    function: (&str, u32),
    rounds: u32,
) -> Option<Duration> {
    let mut named = registered().iter().enumerate();
    let (place, function) = named.find(|(_, registered)| {
        let spec = registered.spec();
        (spec.name, spec.version) == function
    })?;
    let contract = function.contract.as_ref().ok()?;
    let call = RemoteCall {
        node,
        spec: function.spec(),
        place,
        wanted: Wanted {
            target,
            name: function.spec().name,
            version: function.spec().version,
            fingerprint: contract.fingerprint().to_bytes(),
            contract: contract.text(),
        },
        deadline: tokio::time::Instant::now(),
        wait_ready: false,
        has_older: false,
    };
    call.choose_at_once(&[], node.inner().now())?;
    let began = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(call.choose_at_once(&[], node.inner().now()));
    }
    Some(began.elapsed() / rounds.max(1))
}

/// The digest of the catalogue that a node has, as `node` heard by gossip.
pub fn catalogue_heard(node: &Node, of: &NodeId) -> Option<[u8; 16]> {
    let roster = node.inner().roster();
    roster.get(of).map(|known| known.facts().catalogue)
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
            assert!((0..100).any(|_| choices.choose(&target).as_ref() != Some(&first)));
        }
        // Any of the own region.
        let nearest = choices.choose(&Target::Nearest).expect("one");
        let number = nearest.as_str().strip_prefix("node-").expect("its name");
        assert_eq!(number.parse::<usize>().expect("a number") % REGIONS, 0);
    }
}
