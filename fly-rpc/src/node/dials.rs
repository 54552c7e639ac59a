//! The addresses that a node keeps dialling: configured peers, and nodes that discovery found.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fly_rpc_transport::{DialError, Endpoint, Keeper, NodeId, Region, watch};

/// One keeper for each address.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    keepers: Mutex<BTreeMap<SocketAddr, Dial>>,
    /// Names that were never looked up to an end.
    names: watch::Sender<HashSet<String>>,
}

#[derive(Debug)]
struct Dial {
    keeper: Keeper,
    /// Who is expected there, if discovery knows.
    expected: Option<(NodeId, Region)>,
}

impl Dials {
    /// Starts to dial an address, unless it is dialled already.
    pub(crate) fn add(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
        expected: Option<(NodeId, Region)>,
    ) {
        self.lock().entry(address).or_insert_with(|| {
            let node = expected.as_ref().map(|(node, _)| node.clone());
            Dial {
                keeper: Keeper::start(endpoint.clone(), address, node),
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
    }

    /// Notes that a name is about to be looked up for the first time.
    pub(crate) fn look_up(&self, name: &str) {
        self.names.send_modify(|names| {
            names.insert(name.to_owned());
        });
    }

    /// Notes that a name was looked up, whatever came of it.
    pub(crate) fn looked_up(&self, name: &str) {
        self.names.send_if_modified(|names| names.remove(name));
    }

    /// True while some name was never looked up, or some address never dialled, to an end.
    pub(crate) fn has_first(&self) -> bool {
        if !self.names.now().is_empty() {
            return true;
        }
        self.lock()
            .values()
            .any(|dial| dial.keeper.attempts().now().ended == 0)
    }

    /// Waits until every address that is known now was dialled once, whatever came of it.
    pub(crate) async fn first(&self) {
        // The sender is this struct's own.
        let _ = self.names.subscribe().wait_for(HashSet::is_empty).await;
        let attempts: Vec<_> = self
            .lock()
            .values()
            .map(|dial| dial.keeper.attempts())
            .collect();
        for mut attempts in attempts {
            // Fails only when the address is no longer dialled: then there is nothing to wait for.
            let _ = attempts.wait_for(|attempts| attempts.ended > 0).await;
        }
    }

    /// Dials at once what may lead to a wanted node.
    pub(crate) fn hurry(&self, wanted: impl Fn(&NodeId, &Region) -> bool) {
        for dial in self.lock().values() {
            let may_lead_there = dial
                .expected
                .as_ref()
                .is_none_or(|(node, region)| wanted(node, region));
            if may_lead_there && !dial.keeper.attempts().now().connected {
                dial.keeper.hurry();
            }
        }
    }

    /// A wanted node that is known and why it cannot be reached.
    pub(crate) fn failure(
        &self,
        wanted: impl Fn(&NodeId, &Region) -> bool,
    ) -> Option<(NodeId, DialError)> {
        self.lock().values().find_map(|dial| {
            let (node, region) = dial.keeper.last_peer().or_else(|| dial.expected.clone())?;
            let error = dial.keeper.last_error()?;
            (wanted(&node, &region) && !dial.keeper.attempts().now().connected)
                .then_some((node, error))
        })
    }

    /// The known nodes that are not connected, with their addresses.
    pub(crate) fn disconnected(&self) -> Vec<(NodeId, Region, SocketAddr)> {
        let keepers = self.lock();
        let known = keepers
            .values()
            .filter(|dial| !dial.keeper.attempts().now().connected);
        known
            .filter_map(|dial| {
                let (node, region) = dial.keeper.last_peer().or_else(|| dial.expected.clone())?;
                Some((node, region, dial.keeper.address()))
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Dial>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
