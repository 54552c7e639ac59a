//! The table of links: at most one for each node that calls are sent on, and the rules by which one
//! replaces another.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{Arc, Mutex, RwLock, atomic::AtomicUsize},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    close::CloseCode,
    link::Link,
    lock::{lock, read, write},
    name::NodeId,
};

/// The links of one node, by peer.
#[derive(Debug)]
pub(crate) struct Peers {
    table: Mutex<HashMap<NodeId, Vec<Arc<Link>>>>,
    current: RwLock<Arc<[Arc<Link>]>>,
    changed: watch::Sender<u64>,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            current: RwLock::new(Arc::default()),
            changed: watch::Sender::new(0),
        }
    }
}

impl Peers {
    /// The link that calls to each connected peer take, in the order of their ids.
    pub(crate) fn current(&self) -> Arc<[Arc<Link>]> {
        Arc::clone(&read(&self.current))
    }

    /// Counts the changes of any peer's state.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Adds a fresh link and settles which link to that peer stays.
    pub(crate) fn join(self: &Arc<Self>, link: Arc<Link>) {
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
            rivals
        };
        self.refresh();
        for rival in rivals {
            match link.standing().compare(rival.standing()) {
                Ordering::Less => {
                    let peers = Arc::clone(self);
                    let newcomer = Arc::clone(&link);
                    tokio::spawn(async move { peers.contest(&newcomer, &rival).await });
                }
                _ => {
                    give_way(&rival, &link);
                    self.refresh();
                }
            }
        }
    }

    /// Recomputes what [`current`](Self::current) shows, and tells whoever waits for a change.
    pub(crate) fn refresh(&self) {
        {
            let mut table = lock(&self.table);
            table.retain(|_, links| {
                links.retain(|link| !link.is_closed());
                !links.is_empty()
            });
            let mut current: Vec<Arc<Link>> = table
                .values()
                .filter_map(|links| usable(links))
                .cloned()
                .collect();
            current.sort_by(|a, b| a.node().cmp(b.node()));
            // Stored under the table's lock, so that of two refreshes the later one's view stays.
            *write(&self.current) = current.into();
        }
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// The count of handlers that run for a node that is connected already.
    pub(crate) fn serving(&self, node: &NodeId) -> Option<Arc<AtomicUsize>> {
        let table = lock(&self.table);
        table
            .get(node)?
            .first()
            .map(|link| Arc::clone(link.serving()))
    }

    /// Every link that is still open, retiring ones included.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        lock(&self.table).values().flatten().cloned().collect()
    }

    /// `newcomer` should give way to `rival` by the rule, but a rival that has died unnoticed must
    /// not win.
    async fn contest(&self, newcomer: &Arc<Link>, rival: &Arc<Link>) {
        if rival.answers_ping(PATIENCE).await {
            give_way(newcomer, rival);
        } else if !rival.is_closed() {
            rival.close(CloseCode::Silent);
        }
        self.refresh();
    }
}

/// Ends `loser` in favour of `winner`: at once if it leads to another life of the node, after its
/// calls otherwise.
fn give_way(loser: &Arc<Link>, winner: &Link) {
    if loser.standing().incarnation == winner.standing().incarnation {
        loser.retire();
    } else {
        loser.close(CloseCode::Replaced);
    }
}

/// The link that calls take: the newest that is not on its way out, else one that drains (the layer
/// above must still see that it is there).
fn usable(links: &[Arc<Link>]) -> Option<&Arc<Link>> {
    links
        .iter()
        .rev()
        .find(|link| !link.is_retiring())
        .or_else(|| links.iter().rev().find(|link| link.is_draining()))
}

/// How long a link may take to prove that it is alive before a newcomer takes its place.
const PATIENCE: Duration = Duration::from_secs(2);
