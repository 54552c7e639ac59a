//! The addresses that a node keeps dialling: configured peers, nodes that discovery found, and
//! neighbours in the gossip.
//!
//! Without gossip every address is dialled, and everybody connected with everybody. With it that holds
//! for small clusters; in a large one an address whose node is known by gossip is dialled only when it
//! is needed.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fly_rpc_transport::{Attempts, DialError, Endpoint, Keeper, NodeId, Region, watch};

use crate::membership::{MESH, Roster};

/// One keeper for each address.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    keepers: Mutex<BTreeMap<SocketAddr, Dial>>,
    /// Members that are kept connected, wherever they were heard of.
    neighbours: Mutex<BTreeMap<NodeId, Keeper>>,
    /// True if not every address has to be dialled.
    is_thrifty: bool,
    /// Sources of addresses that never gave an answer.
    names: watch::Sender<HashSet<String>>,
}

#[derive(Debug)]
struct Dial {
    /// `None` while it is dialled only when it is needed.
    keeper: Option<Keeper>,
    /// Who is expected there, if discovery knows.
    expected: Option<(NodeId, Region)>,
}

impl Dial {
    fn attempts(&self) -> Option<Attempts> {
        Some(self.keeper.as_ref()?.attempts().now())
    }

    fn is_connected(&self) -> bool {
        self.attempts().is_some_and(|attempts| attempts.connected)
    }

    /// Who is there, as far as is known.
    fn who(&self) -> Option<(NodeId, Region)> {
        let last = self.keeper.as_ref().and_then(Keeper::last_peer);
        last.or_else(|| self.expected.clone())
    }
}

impl Dials {
    /// Dials nobody yet; and not everybody, if it `is_thrifty`.
    pub(crate) fn new(is_thrifty: bool) -> Self {
        Self {
            is_thrifty,
            ..Self::default()
        }
    }

    /// Keeps these members connected; and, in a large cluster, of the addresses those only at which
    /// nobody is who can be found in the roster. In a small one, which is also what is left of a large
    /// one to a node that was cut off, all of them.
    pub(crate) fn keep(
        &self,
        endpoint: &Endpoint,
        neighbours: BTreeMap<NodeId, SocketAddr>,
        roster: &Roster,
    ) {
        let mut dials = self.lock();
        self.keep_neighbours(endpoint, neighbours, &dials);
        let is_large = roster.len() > MESH;
        let mut strangers = 0;
        for (address, dial) in dials.iter_mut() {
            match dial.who() {
                Some((node, region)) if is_large && roster.address(&node).is_some() => {
                    dial.expected = Some((node, region));
                    dial.keeper = None;
                }
                _ if dial.keeper.is_some() => {
                    strangers += usize::from(!dial.is_connected());
                }
                expected if !is_large || strangers < STRANGERS => {
                    strangers += 1;
                    let node = expected.map(|(node, _)| node);
                    dial.keeper = Some(Keeper::start(endpoint.clone(), *address, node));
                }
                _ => {}
            }
        }
    }

    /// Keeps these members connected, unless that is done already because of their address.
    fn keep_neighbours(
        &self,
        endpoint: &Endpoint,
        mut neighbours: BTreeMap<NodeId, SocketAddr>,
        dials: &BTreeMap<SocketAddr, Dial>,
    ) {
        for dial in dials.values().filter(|dial| dial.keeper.is_some()) {
            if let Some((node, _)) = dial.who() {
                neighbours.remove(&node);
            }
        }
        let mut kept = lock(&self.neighbours);
        kept.retain(|node, keeper| neighbours.get(node) == Some(&keeper.address()));
        for (node, address) in neighbours {
            kept.entry(node).or_insert_with_key(|node| {
                Keeper::start(endpoint.clone(), address, Some(node.clone()))
            });
        }
    }

    /// True if `node` is being dialled again and again: it cannot be reached, or was lost just now. One that let its
    /// connection go, because it was idle, is there.
    pub(crate) fn is_failing(&self, node: &NodeId) -> bool {
        let fails = |keeper: &Keeper| {
            let attempts = keeper.attempts().now();
            attempts.ended > 0 && !attempts.connected && !attempts.let_go
        };
        self.has_keeper(node, fails)
    }

    /// True if a connection to `node` is kept for its own sake.
    pub(crate) fn keeps(&self, node: &NodeId) -> bool {
        self.has_keeper(node, |_| true)
    }

    /// True if somebody keeps a connection to `node`, of whom this holds.
    fn has_keeper(&self, node: &NodeId, holds: impl Fn(&Keeper) -> bool) -> bool {
        lock(&self.neighbours).get(node).is_some_and(&holds)
            || self.lock().values().any(|dial| {
                dial.keeper.as_ref().is_some_and(&holds)
                    && dial.who().is_some_and(|(who, _)| who == *node)
            })
    }

    /// Starts to dial an address, unless it is dialled already.
    pub(crate) fn add(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
        expected: Option<(NodeId, Region)>,
    ) {
        let mut dials = self.lock();
        let is_kept = !self.is_thrifty || dials.len() < MESH;
        dials.entry(address).or_insert_with(|| {
            let node = expected.as_ref().map(|(node, _)| node.clone());
            Dial {
                keeper: is_kept.then(|| Keeper::start(endpoint.clone(), address, node)),
                expected,
            }
        });
    }

    /// No longer dials an address. A connection that there is stays as long as it lives.
    pub(crate) fn remove(&self, address: SocketAddr) {
        self.lock().remove(&address);
    }

    /// No longer dials anything.
    pub(crate) fn stop(&self) {
        self.lock().clear();
        lock(&self.neighbours).clear();
    }

    /// Notes that a source is about to be asked for the first time.
    pub(crate) fn look_up(&self, name: &str) {
        self.names.send_modify(|names| {
            names.insert(name.to_owned());
        });
    }

    /// Notes that a source was asked, whatever came of it.
    pub(crate) fn looked_up(&self, name: &str) {
        self.names.send_if_modified(|names| names.remove(name));
    }

    /// True while some source was never asked, or some address never dialled, to an end.
    pub(crate) fn has_first(&self) -> bool {
        if !self.names.now().is_empty() {
            return true;
        }
        self.lock()
            .values()
            .filter_map(Dial::attempts)
            .any(|attempts| attempts.ended == 0)
    }

    /// Waits until every address that is known now was dialled once, whatever came of it.
    pub(crate) async fn first(&self) {
        self.each_first(|attempts| attempts.ended > 0).await;
    }

    /// The same, but not for what those say of themselves whom calls can reach before that.
    pub(crate) async fn first_or_presumed(&self) {
        self.each_first(|attempts| attempts.ended > 0 || attempts.presumes)
            .await;
    }

    async fn each_first(&self, is_dialled: impl Fn(&Attempts) -> bool) {
        // The sender is this struct's own.
        let _ = self.names.subscribe().wait_for(HashSet::is_empty).await;
        let attempts: Vec<_> = self
            .lock()
            .values()
            .filter_map(|dial| Some(dial.keeper.as_ref()?.attempts()))
            .collect();
        for mut attempts in attempts {
            // Fails only when the address is no longer dialled: then there is nothing to wait for.
            let _ = attempts.wait_for(&is_dialled).await;
        }
    }

    /// Dials at once what may lead to a wanted node.
    pub(crate) fn hurry(&self, wanted: impl Fn(&NodeId, &Region) -> bool) {
        for dial in self.lock().values() {
            let may_lead_there = dial
                .expected
                .as_ref()
                // A malformed region is one that discovery does not know.
                .is_none_or(|(node, region)| !region.is_well_formed() || wanted(node, region));
            if let Some(keeper) = &dial.keeper
                && may_lead_there
                && !dial.is_connected()
            {
                keeper.hurry();
            }
        }
    }

    /// A wanted node that is known and why it cannot be reached.
    pub(crate) fn failure(
        &self,
        wanted: impl Fn(&NodeId, &Region) -> bool,
    ) -> Option<(NodeId, DialError)> {
        self.lock().values().find_map(|dial| {
            let (node, region) = dial.who()?;
            let error = dial.keeper.as_ref()?.last_error()?;
            (wanted(&node, &region) && !dial.is_connected()).then_some((node, error))
        })
    }

    /// Every address that is dialled and not connected, who may be there, and why the last dial failed, if one ended.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn failures(&self) -> Vec<(SocketAddr, Option<NodeId>, Option<DialError>)> {
        let dials = self.lock();
        let failed = dials.iter().filter(|(_, dial)| !dial.is_connected());
        failed
            .filter_map(|(address, dial)| {
                let error = dial.keeper.as_ref()?.last_error();
                Some((*address, dial.who().map(|(node, _)| node), error))
            })
            .collect()
    }

    /// The known nodes that are dialled and not connected, with their addresses.
    pub(crate) fn disconnected(&self) -> Vec<(NodeId, Region, SocketAddr)> {
        let dials = self.lock();
        let is_dialled = |dial: &Dial| dial.keeper.is_some() && !dial.is_connected();
        let known = dials.iter().filter(|(_, dial)| is_dialled(dial));
        known
            .filter_map(|(address, dial)| {
                let (node, region) = dial.who()?;
                Some((node, region, *address))
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Dial>> {
        lock(&self.keepers)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Addresses at which it is not known who is there that are dialled at a time, in a large cluster.
const STRANGERS: usize = 8;
