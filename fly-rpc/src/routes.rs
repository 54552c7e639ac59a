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
    resolve::{self, Candidate, Here, Wanted},
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
    /// only [`resolve::choose`] can tell. `looks` counts the times at which round trips changed.
    pub(crate) fn choose<'a, C: Candidate>(
        &self,
        function: usize,
        candidates: &'a [C],
        wanted: &Wanted<'_>,
        here: &Here<'_>,
        looks: u64,
        random: impl FnOnce() -> u64,
    ) -> Option<&'a C> {
        let index = self.functions.get(function)?;
        let index = index.get(|| self.shared(Index::of(candidates, wanted, here)))?;
        let places = match wanted.target {
            Target::Primary => &index.primary,
            Target::Region(region) => index.region(region)?,
            Target::Any | Target::Elsewhere => return two_of(&index.places, candidates, random),
            Target::Node(node) => return self.node(node, index, candidates),
            Target::Nearest => return index.nearest(candidates, here, looks),
            Target::Malformed(_) => return None,
        };
        two_of(index.places.get(places.clone())?, candidates, random)
    }

    fn node<'a, C: Candidate>(
        &self,
        node: &NodeId,
        index: &Index,
        candidates: &'a [C],
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
        is_fit(candidate).then_some(candidate)
    }

    /// The index, or another function's that is equal.
    fn shared(&self, index: Index) -> Arc<Index> {
        let mut distinct = self.distinct.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(equal) = distinct.iter().find(|other| other.places == index.places) {
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
    primary: Range<usize>,
    /// The place of the nearest one, and above it the lower half of the number of the look at which
    /// it was the nearest: in one, so that neither is ever seen without the other.
    nearest: AtomicU64,
}

impl Index {
    fn of<C: Candidate>(candidates: &[C], wanted: &Wanted<'_>, here: &Here<'_>) -> Self {
        let mut by_region: BTreeMap<&Region, Vec<u32>> = BTreeMap::new();
        for (candidate, place) in candidates.iter().zip(0..) {
            if is_fit(candidate) && resolve::offers(candidate, wanted) {
                by_region.entry(candidate.region()).or_default().push(place);
            }
        }
        let mut places = Vec::new();
        let mut regions = Vec::new();
        for (region, members) in by_region {
            let begin = places.len();
            places.extend(members);
            regions.push((region.clone(), begin..places.len()));
        }
        let mut index = Self {
            places: places.into(),
            regions: regions.into(),
            primary: 0..0,
            nearest: AtomicU64::new(u64::MAX),
        };
        index.primary = index.region(here.primary).cloned().unwrap_or_default();
        index
    }

    fn region(&self, region: &Region) -> Option<&Range<usize>> {
        let place = self.regions.binary_search_by(|(name, _)| name.cmp(region));
        self.regions.get(place.ok()?).map(|(_, places)| places)
    }

    /// The nearest one, looked for once after each look at the round-trip times.
    fn nearest<'a, C: Candidate>(
        &self,
        candidates: &'a [C],
        here: &Here<'_>,
        looks: u64,
    ) -> Option<&'a C> {
        let seen = self.nearest.load(Ordering::Relaxed);
        let look = looks << 32;
        // Before the first search the place is that of none.
        let known = candidates.get((seen & PLACE) as usize);
        if let Some(nearest) = known.filter(|_| seen & !PLACE == look) {
            return is_fit(nearest).then_some(nearest);
        }
        let own = self.region(here.region).cloned();
        let places = self.places.get(own.unwrap_or(0..self.places.len()))?;
        let fit = places.iter().filter_map(|&place| {
            let candidate = candidates.get(place as usize)?;
            is_fit(candidate).then(|| (candidate.round_trip(), place))
        });
        // Of equals the first of the list.
        let (_, place) = fit.min()?;
        self.nearest
            .store(look | u64::from(place), Ordering::Relaxed);
        candidates.get(place as usize)
    }
}

/// The better of two of `places`, each two equally likely; `None` if there are none, or if one of
/// the two is not fit.
fn two_of<'a, C: Candidate>(
    places: &[u32],
    candidates: &'a [C],
    random: impl FnOnce() -> u64,
) -> Option<&'a C> {
    let at = |place: usize| candidates.get(*places.get(place)? as usize);
    let (first, second) = match places.len() {
        0 => return None,
        1 => return at(0).filter(|only| is_fit(*only)),
        count => two_numbers(count, random()),
    };
    let (first, second) = (at(first)?, at(second)?);
    if !is_fit(first) || !is_fit(second) {
        return None;
    }
    // Between equals chance has decided already which is the first.
    Some(if resolve::cost(second) < resolve::cost(first) {
        second
    } else {
        first
    })
}

/// Two different numbers below `count`, which is at least 2, from one random number: its lower half
/// is as good as its upper one, and both have far more digits than `count`.
fn two_numbers(count: usize, random: u64) -> (usize, usize) {
    let below = |count: usize, half: u64| ((half * count as u64) >> 32) as usize;
    let first = below(count, random & PLACE);
    let second = below(count - 1, random >> 32);
    // Over all but the first.
    (first, second + usize::from(second >= first))
}

/// True if it is as good a choice as any, as far as that may change from one moment to the next.
fn is_fit(candidate: &impl Candidate) -> bool {
    !candidate.is_draining() && !candidate.is_suspect() && !candidate.is_retiring()
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
