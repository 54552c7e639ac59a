//! Where one node sees the primary, shared by all who ask or change it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use fly_rpc_transport::{Endpoint, NodeId, Region, View, watch};

use super::{
    PrimaryChanges, PrimaryError, PrimaryView, PrimaryWord, belief::Belief, places::Places,
};

/// A node's view, and the endpoint that tells it to the peers.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) endpoint: Endpoint,
    places: Places,
    /// The number of the present region.
    present: AtomicUsize,
    belief: Mutex<Belief>,
    news: watch::Sender<News>,
    moves: AtomicU64,
    pub(super) disagreements: AtomicU64,
    /// Its view is nobody's business but its own.
    is_observer: bool,
    /// It was said once that no other region can be remembered.
    is_full: AtomicBool,
}

/// What those who wait for changes are told.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) view: PrimaryView,
    pub(super) ended: bool,
}

impl Seat {
    /// Sees the primary where the configuration has it.
    pub(crate) fn new(endpoint: Endpoint, configured: Region, is_observer: bool) -> Self {
        let places = Places::new();
        let present = places.number(&configured, false).unwrap_or_default();
        let belief = Belief::configured(configured);
        Self {
            endpoint,
            places,
            present: AtomicUsize::new(present),
            news: watch::Sender::new(News {
                view: belief.view().clone(),
                ended: false,
            }),
            belief: Mutex::new(belief),
            moves: AtomicU64::new(0),
            disagreements: AtomicU64::new(0),
            is_observer,
            is_full: AtomicBool::new(false),
        }
    }

    /// The primary's region now.
    pub(crate) fn region(&self) -> &Region {
        self.places
            .get(self.present.load(Ordering::Acquire))
            .expect("a region has its number before that is stored")
    }

    pub(crate) fn view(&self) -> PrimaryView {
        self.lock().view().clone()
    }

    pub(crate) fn changes(&self) -> PrimaryChanges {
        PrimaryChanges::new(self.news.subscribe())
    }

    /// How often the view changed.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// How often a peer was found to see the primary elsewhere.
    pub(crate) fn disagreements(&self) -> u64 {
        self.disagreements.load(Ordering::Relaxed)
    }

    /// Hears a word of this node's source.
    pub(super) fn say(&self, word: PrimaryWord) -> Result<(), PrimaryError> {
        self.change("this node's source", false, |belief| belief.say(word))?
    }

    /// Hears a word that is given by hand.
    pub(crate) fn set(&self, region: &Region) -> Result<(), PrimaryError> {
        self.change("by hand", false, |belief| {
            // Looked at under the lock, so that whoever is heard meanwhile is heard after this.
            let presumed = self.endpoint.presumed();
            let unheard = presumed.iter().map(|link| link.node().clone());
            belief.set(region, unheard.collect())
        })?
    }

    /// Hears a peer's view.
    pub(crate) fn hear(&self, node: &NodeId, epoch: u64, region: &Region) {
        let heard = self.change("another node", true, |belief| {
            belief.hear(node, epoch, region)
        });
        if let Err(error) = heard
            && !self.is_full.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, %region, "another node's view of the primary is not taken over");
        }
    }

    /// Sees the primary where most nodes have it, if this is an observer and nobody has said anything: what it was
    /// configured with is not what they were.
    pub(crate) fn assume(&self) {
        if !self.is_observer || self.view().epoch > 0 {
            return;
        }
        let links = self.endpoint.links();
        let mut counts: BTreeMap<Region, usize> = BTreeMap::new();
        for link in links.iter() {
            *counts.entry(link.view().region).or_default() += 1;
        }
        let Some((region, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            return;
        };
        // Fails only if there were too many regions: then the last one stays.
        let _ = self.change("most nodes", true, |belief| {
            if belief.view().epoch == 0 {
                *belief = Belief::configured(region);
            }
        });
    }

    /// Puts the word of this node's source in the place of a view that nobody vouches for.
    pub(super) fn insist(&self) {
        // What is insisted on was said here before.
        let _ = self.change("this node's source insists", false, Belief::insist);
    }

    /// Looks at the belief, or at what of it is no news to anybody.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Belief) -> T) -> T {
        look(&mut self.lock())
    }

    /// Tells those who wait for changes that none will come.
    pub(crate) fn end(&self) {
        self.news.send_modify(|news| news.ended = true);
    }

    /// Changes the belief, and tells everybody: under one lock, so that of two changes all hear the
    /// later one last.
    fn change<T>(
        &self,
        by: &'static str,
        is_heard: bool,
        change: impl FnOnce(&mut Belief) -> T,
    ) -> Result<T, PrimaryError> {
        let mut belief = self.lock();
        let mut next = belief.clone();
        let outcome = change(&mut next);
        let number = self.places.number(&next.view().region, is_heard);
        let number = number.ok_or(PrimaryError::TooManyRegions)?;
        let (moved, told) = (
            belief.view() != next.view(),
            belief.view() != next.view() || belief.vouches() != next.vouches(),
        );
        let former = std::mem::replace(&mut *belief, next);
        if moved {
            let view = belief.view();
            tracing::info!(from = %former.view(), to = %view, by, "the primary is elsewhere, or said so anew");
            self.present.store(number, Ordering::Release);
            self.moves.fetch_add(1, Ordering::Relaxed);
            self.news.send_modify(|news| news.view = view.clone());
        }
        if told && !self.is_observer {
            self.endpoint.set_view(View {
                region: belief.view().region.clone(),
                epoch: Some(belief.view().epoch),
                vouched: belief.vouches(),
            });
        }
        Ok(outcome)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Belief> {
        self.belief.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
