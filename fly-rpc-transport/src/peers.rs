//! The table of links: at most one for each node that calls are sent on, and the rules by which one
//! replaces another.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, Weak, atomic::AtomicUsize},
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{close::CloseCode, link::Link, links::Links, lock::lock, name::NodeId, watch};

/// The links of one node, by peer.
#[derive(Debug)]
pub(crate) struct Peers {
    table: Mutex<BTreeMap<NodeId, Vec<Arc<Link>>>>,
    /// How many handlers run for each node that has a link, or a handler that outlived it.
    serving: Mutex<HashMap<NodeId, Weak<AtomicUsize>>>,
    /// Links from those who only look. They are in nobody's place, whatever id they have.
    observers: Mutex<Vec<Arc<Link>>>,
    /// Calls run on all threads and look at this, so that a look writes to nothing that they share.
    current: ArcSwap<Links>,
    /// Links over which the other end has not said hello yet, and which calls may take.
    presumed: ArcSwap<Vec<Arc<Link>>>,
    changed: watch::Sender<u64>,
}

/// A link is presumed as long as this lives.
#[derive(Debug)]
pub(crate) struct Presumption {
    peers: Arc<Peers>,
    link: Arc<Link>,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            serving: Mutex::default(),
            observers: Mutex::default(),
            current: ArcSwap::default(),
            presumed: ArcSwap::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Peers {
    /// The link that calls to each connected peer take, in the order of their ids.
    pub(crate) fn current(&self) -> Arc<Links> {
        self.current.load_full()
    }

    /// The same for the time of a look.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Links) -> T) -> T {
        look(&self.current.load())
    }

    /// Counts the changes of any peer's state.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Lets calls find a link that is none of [`current`](Self::current) before its other end has said
    /// hello.
    pub(crate) fn presume(self: &Arc<Self>, link: &Arc<Link>) -> Presumption {
        self.change_presumed(|presumed| presumed.push(Arc::clone(link)));
        Presumption {
            peers: Arc::clone(self),
            link: Arc::clone(link),
        }
    }

    /// Those that are open.
    pub(crate) fn presumed(&self) -> Vec<Arc<Link>> {
        let presumed = self.presumed.load();
        let open = presumed.iter().filter(|link| !link.is_closed());
        open.cloned().collect()
    }

    fn change_presumed(&self, change: impl Fn(&mut Vec<Arc<Link>>)) {
        self.presumed.rcu(|presumed| {
            let mut presumed = Vec::clone(presumed);
            change(&mut presumed);
            presumed
        });
        self.notify();
    }

    /// Adds a fresh link and settles which link to that peer stays.
    pub(crate) fn join(self: &Arc<Self>, link: Arc<Link>) {
        if link.hello().observer {
            return self.join_observer(link);
        }
        link.counters().connected();
        let rivals = {
            let mut table = lock(&self.table);
            let links = table.entry(link.node().clone()).or_default();
            let rivals: Vec<Arc<Link>> = links
                .iter()
                .filter(|rival| !rival.is_closed())
                .cloned()
                .collect();
            // The newcomer is last and therefore the one that calls take until the contest is
            // settled: it is known to be alive.
            links.push(Arc::clone(&link));
            for oldest in links.iter().rev().skip(LINKS) {
                oldest.close(CloseCode::Retired);
            }
            rivals
        };
        self.refresh();
        for rival in rivals {
            let peers = Arc::clone(self);
            let newcomer = Arc::clone(&link);
            tokio::spawn(async move { peers.contest(&newcomer, &rival).await });
        }
    }

    /// Adds a link that nobody calls on. Of one observer, too, so many stay and no more.
    fn join_observer(&self, link: Arc<Link>) {
        let mut observers = lock(&self.observers);
        observers.retain(|other| !other.is_closed());
        let same = observers.iter().rev();
        let same = same.filter(|other| other.node() == link.node());
        for oldest in same.skip(LINKS - 1) {
            oldest.close(CloseCode::Retired);
        }
        observers.push(link);
    }

    /// Drops the links of observers who left.
    pub(crate) fn forget_observers(&self) {
        lock(&self.observers).retain(|link| !link.is_closed());
    }

    /// Tells whoever waits for a change that there is one which concerns no link.
    pub(crate) fn notify(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Recomputes what [`current`](Self::current) shows, and tells whoever waits for a change. To
    /// be called after each change of anything that a call is sent here or there for, even if the
    /// links stay the same ones: what was concluded from them is dropped with them.
    pub(crate) fn refresh(&self) {
        let former = {
            let mut table = lock(&self.table);
            table.retain(|_, links| {
                links.retain(|link| !link.is_closed());
                !links.is_empty()
            });
            // In the order of the table, which is that of the ids. Stored under the table's lock,
            // so that of two refreshes the later one's view stays.
            let current = table.values().filter_map(|links| usable(links));
            let current = Arc::new(current.cloned().collect());
            self.current.swap(current)
        };
        // If they were many it takes a while, and no call needs to wait for that.
        drop(former);
        self.notify();
    }

    /// The count of handlers that run for `node`, over whichever link they came: who reconnects
    /// still has those that outlived the connection before.
    pub(crate) fn serving(&self, node: &NodeId) -> Arc<AtomicUsize> {
        let mut serving = lock(&self.serving);
        if let Some(count) = serving.get(node).and_then(Weak::upgrade) {
            return count;
        }
        serving.retain(|_, count| count.strong_count() > 0);
        let count = Arc::default();
        serving.insert(node.clone(), Arc::downgrade(&count));
        count
    }

    /// Every link that is still open, retiring ones and those of observers included.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        let nodes: Vec<Arc<Link>> = lock(&self.table).values().flatten().cloned().collect();
        let observers = lock(&self.observers);
        nodes.into_iter().chain(observers.iter().cloned()).collect()
    }

    /// Settles which of two links to one node stays. The rule says which; but a link that has died
    /// unnoticed must not win, and the other end must know of the winner before it loses the other:
    /// an answered ping shows both.
    async fn contest(&self, newcomer: &Arc<Link>, rival: &Arc<Link>) {
        let (winner, loser) = match newcomer.standing().compare(rival.standing()) {
            Ordering::Less => (rival, newcomer),
            _ => (newcomer, rival),
        };
        if winner.answers_ping(PATIENCE).await {
            // Meanwhile it may have been told to go itself.
            if !winner.is_retiring() {
                give_way(loser, winner);
            }
        } else if Arc::ptr_eq(winner, rival) && !rival.is_closed() {
            if is_same_life(winner, loser) {
                // After an outage a connection may take longer than that to recover, and its calls
                // with it. If it does not, its silence ends it.
                rival.retire();
            } else {
                rival.close(CloseCode::Silent);
            }
        }
        self.refresh();
    }
}

impl Drop for Presumption {
    fn drop(&mut self) {
        let is_other = |link: &Arc<Link>| !Arc::ptr_eq(link, &self.link);
        self.peers
            .change_presumed(|presumed| presumed.retain(is_other));
    }
}

fn is_same_life(one: &Link, other: &Link) -> bool {
    one.standing().incarnation == other.standing().incarnation
}

/// Ends `loser` in favour of `winner`: after its calls, unless it leads to a life of the node that
/// is over.
fn give_way(loser: &Arc<Link>, winner: &Link) {
    if is_same_life(loser, winner) || loser.is_draining() {
        loser.retire();
    } else {
        loser.close(CloseCode::Replaced);
    }
}

/// The link that calls take: the newest to the node's latest life that is not on its way out, else
/// one that drains (the layer above must still see that it is there).
fn usable(links: &[Arc<Link>]) -> Option<&Arc<Link>> {
    let staying = links.iter().filter(|link| !link.is_retiring());
    // Of equals the last is taken, which is the newest.
    let latest = staying.max_by_key(|link| link.standing().incarnation);
    latest.or_else(|| links.iter().rev().find(|link| link.is_draining()))
}

/// Links to one node beyond which the oldest is closed: more than two at a time are already odd.
const LINKS: usize = 8;

/// How long a link may take to prove that it is alive. Meanwhile calls take the newer of the two,
/// so nothing is gained by haste, and a peer that is merely busy keeps its connection.
const PATIENCE: Duration = Duration::from_secs(5);
