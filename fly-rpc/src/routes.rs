//! Where the calls of each function may go: an index of the nodes that are known, by which a call
//! finds its node without looking at all of them.
//!
//! [`resolve::choose`] says which node is right, and looks at every one. The index chooses as it does
//! wherever that follows from what is indexed, which is nearly always, and says nothing otherwise;
//! the caller then asks `resolve::choose`. What may change while the nodes stay the same ones (that
//! a node drains, retires or is suspected, and its load) is not indexed but looked at: of two nodes
//! that are taken by chance, if both are fit the better one is chosen.
//!
//! An index belongs to one list of nodes and is dropped with it. Making one takes as long as
//! one look or two at every node, so it is made when a function is called for the second time on the
//! same list: where nodes come and go faster than that, it would not pay.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use fly_rpc_transport::{NodeId, Region};

use crate::{
    balance::{self, Grade, Pick, is_fit, two_of},
    resolve::{self, Candidate, Here, Scene, Wanted},
    target::Target,
};

#[cfg(test)]
mod tests;

/// The indices of one list of nodes, one for each function. All that is asked of them must be of
/// that list, and from the same place.
#[derive(Debug)]
pub(crate) struct Routes {
    functions: Box<[Later<Arc<Index>>]>,
    nodes: Later<HashMap<NodeId, u32>>,
    /// Indices that differ, the first [`SHARED`] of them. Nodes that run one build offer the same
    /// functions, so all of these mostly have one index in common.
    distinct: Mutex<Vec<Arc<Index>>>,
}

impl Routes {
    /// No index yet, for so many functions.
    pub(crate) fn new(functions: usize) -> Self {
        Self {
            functions: (0..functions).map(|_| Later::default()).collect(),
            nodes: Later::default(),
            distinct: Mutex::default(),
        }
    }

    /// Chooses one of `candidates` for a call of the function with the number `function`. `None` if
    /// only [`resolve::choose`] can tell.
    pub(crate) fn choose<'a, C: Candidate>(
        &self,
        function: usize,
        candidates: &'a [C],
        wanted: &Wanted<'_>,
        here: &Here<'_>,
        scene: &Scene<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<&'a C> {
        let index = self.functions.get(function)?;
        let index = index.get(|| self.shared(Index::of(candidates, wanted)))?;
        let places = match wanted.target {
            Target::Primary => index.region(here.primary)?,
            Target::Region(region) => index.region(region)?,
            Target::Any | Target::Elsewhere => {
                return one_of(&index.places, candidates, scene, random).map(|(chosen, _)| chosen);
            }
            Target::Node(node) => return self.node(node, index, candidates, scene),
            Target::Nearest => return index.nearest(candidates, here, scene, random),
            Target::FirstOf(_) | Target::Malformed(_) => return None,
        };
        let places = index.places.get(places.clone())?;
        one_of(places, candidates, scene, random).map(|(chosen, _)| chosen)
    }

    /// True if no candidate of `target` can be called now or soon; false says nothing.
    pub(crate) fn has_nobody(&self, function: usize, target: &Target, here: &Here<'_>) -> bool {
        let index = self.functions.get(function);
        let Some(index) = index.and_then(|index| index.made.get()) else {
            return false;
        };
        index.is_whole
            && match target {
                Target::Primary => index.region(here.primary).is_none(),
                Target::Region(region) => index.region(region).is_none(),
                Target::Any | Target::Elsewhere | Target::Nearest => index.places.is_empty(),
                Target::Node(node) => {
                    let nodes = self.nodes.made.get();
                    *node == *here.node || nodes.is_some_and(|nodes| !nodes.contains_key(node))
                }
                Target::FirstOf(_) | Target::Malformed(_) => false,
            }
    }

    fn node<'a, C: Candidate>(
        &self,
        node: &NodeId,
        index: &Index,
        candidates: &'a [C],
        scene: &Scene<'_>,
    ) -> Option<&'a C> {
        let nodes = self.nodes.get(|| {
            let places = candidates.iter().zip(0..);
            places
                .map(|(candidate, place)| (candidate.node().clone(), place))
                .collect()
        })?;
        let place = *nodes.get(node)?;
        let candidate = candidates.get(place as usize)?;
        let neighbours = index
            .places
            .get(index.region(candidate.region())?.clone())?;
        neighbours.binary_search(&place).ok()?;
        one_of(&[place], candidates, scene, || 0).map(|(chosen, _)| chosen)
    }

    /// The index, or another function's that is equal.
    fn shared(&self, index: Index) -> Arc<Index> {
        let mut distinct = self.distinct.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(equal) = distinct.iter().find(|other| other.is_like(&index)) {
            return Arc::clone(equal);
        }
        let index = Arc::new(index);
        if distinct.len() < SHARED {
            distinct.push(Arc::clone(&index));
        }
        index
    }
}

/// The nodes that a function can be called on, by their places in the list.
#[derive(Debug)]
struct Index {
    /// By region, and within a region ascending.
    places: Box<[u32]>,
    /// Where in `places` those of each region are, by region.
    regions: Box<[(Region, Range<usize>)]>,
    /// No candidate that offers the function was unfit when this was made.
    is_whole: bool,
    /// The place, in `regions`, of the nearest one, and above it the lower half of the number of the
    /// look at which it was that: in one, so that neither is ever seen without the other.
    nearest: AtomicU64,
}

impl Index {
    fn of<C: Candidate>(candidates: &[C], wanted: &Wanted<'_>) -> Self {
        let mut is_whole = true;
        let mut by_region: BTreeMap<&Region, Vec<u32>> = BTreeMap::new();
        for (candidate, place) in candidates.iter().zip(0..) {
            if !resolve::offers(candidate, wanted) {
                continue;
            }
            if is_fit(candidate) {
                by_region.entry(candidate.region()).or_default().push(place);
            } else {
                is_whole = false;
            }
        }
        let mut places = Vec::new();
        let mut regions = Vec::new();
        for (region, members) in by_region {
            let begin = places.len();
            places.extend(members);
            regions.push((region.clone(), begin..places.len()));
        }
        Self {
            places: places.into(),
            regions: regions.into(),
            is_whole,
            nearest: AtomicU64::new(u64::MAX),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.places == other.places && self.is_whole == other.is_whole
    }

    fn region(&self, region: &Region) -> Option<&Range<usize>> {
        let place = self.regions.binary_search_by(|(name, _)| name.cmp(region));
        self.regions.get(place.ok()?).map(|(_, places)| places)
    }

    /// One of the nearest region, which is looked for once after each look at the round-trip times.
    fn nearest<'a, C: Candidate>(
        &self,
        candidates: &'a [C],
        here: &Here<'_>,
        scene: &Scene<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<&'a C> {
        let seen = self.nearest.load(Ordering::Relaxed);
        let look = scene.looks << 32;
        let known = usize::try_from(seen & PLACE).ok();
        // Before the first search the place is that of none.
        let known = known.filter(|place| seen & !PLACE == look && *place < self.regions.len());
        let place = known.or_else(|| {
            resolve::look_at_regions(candidates, here, scene);
            let place = self.nearest_region(candidates, scene)?;
            self.nearest.store(look | place as u64, Ordering::Relaxed);
            Some(place)
        })?;
        let (_, places) = self.regions.get(place)?;
        let places = self.places.get(places.clone())?;
        // If none of the two can be called, perhaps none of the region can.
        one_of(places, candidates, scene, random)
            .filter(|(_, grade)| *grade < Grade::Stalled)
            .map(|(chosen, _)| chosen)
    }

    /// The place, in `regions`, of the first one in the order of distance that has a node which can
    /// be called.
    fn nearest_region<C: Candidate>(&self, candidates: &[C], scene: &Scene<'_>) -> Option<usize> {
        let nearest = scene.nearest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order = nearest.order(scene.now, scene.hold);
        order.find_map(|region| {
            let region = self.regions.binary_search_by(|(name, _)| name.cmp(region));
            let place = region.ok()?;
            let (_, places) = self.regions.get(place)?;
            let mut members = self.places.get(places.clone())?.iter();
            let can_be_called = |candidate: &C| {
                is_fit(candidate) && balance::grade(candidate, scene.now) < Grade::Stalled
            };
            members
                .any(|member| candidates.get(*member as usize).is_some_and(can_be_called))
                .then_some(place)
        })
    }
}

/// The better of two of `places`, each two equally likely; `None` if there are none, or if one of
/// the two is not fit, or if all are left out and the caller has another target.
fn one_of<'a, C: Candidate>(
    places: &[u32],
    candidates: &'a [C],
    scene: &Scene<'_>,
    random: impl FnMut() -> u64,
) -> Option<(&'a C, Grade)> {
    let at = |place: usize| candidates.get(*places.get(place)? as usize);
    match two_of(places.len(), at, is_fit, scene.now, scene.resort, random) {
        Pick::One(chosen, grade) => Some((chosen, grade)),
        Pick::Unfit | Pick::Nobody => None,
    }
}

/// What is made when it is asked for more than once.
#[derive(Debug)]
struct Later<T> {
    asked: AtomicU32,
    made: OnceLock<T>,
}

impl<T> Later<T> {
    /// What `make` makes, or `None` if it is not there yet. Who comes while it is made does not
    /// wait: it takes as long as several searches without it.
    fn get(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.made.get().or_else(|| {
            let is_second = self.asked.fetch_add(1, Ordering::Relaxed) == 1;
            is_second.then(|| self.made.get_or_init(make))
        })
    }
}

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self {
            asked: AtomicU32::new(0),
            made: OnceLock::new(),
        }
    }
}

/// Indices that a new one is compared with: as many builds as are ever in use at a time.
const SHARED: usize = 8;
/// The lower half of a number.
const PLACE: u64 = u32::MAX as u64;
