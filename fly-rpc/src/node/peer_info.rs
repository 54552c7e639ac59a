//! What a node knows of the others, for people and for tests.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use fly_rpc_transport::{Catalogue, NodeId, Region};

use super::inner::Inner;
use crate::{balance::Condition, contract::Fingerprint, remote::bond};

/// Another node, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its id, proved by its certificate if it was ever connected.
    pub id: NodeId,
    /// Where it says it runs.
    pub region: Region,
    /// Where it says the primary is now; if it is not connected, where gossip has that it says so, and
    /// its own region's name without gossip.
    pub primary_region: Region,
    /// The epoch of that view; 0 if that is its configuration, if it knows no epochs, or if it is not
    /// connected.
    pub primary_epoch: u64,
    /// The address that it is reached at, or was dialled at last.
    pub address: SocketAddr,
    /// Whether calls can go there.
    pub state: PeerState,
    /// The round-trip time that QUIC measures, if it is connected.
    pub round_trip: Option<Duration>,
    /// How long its answers take, as this node remembers it: a slow one counts at once and is
    /// forgotten slowly. `None` if it never answered.
    pub latency: Option<Duration>,
    /// Whether it is left out because it failed.
    pub breaker: BreakerState,
    /// Requests that this node ever queued on the present connection to it.
    pub requests_sent: u64,
    /// What it says its build is.
    pub build: String,
    /// What it serves, sorted by name and version; empty if it is not connected.
    pub functions: Vec<FunctionInfo>,
}

/// Whether calls can go to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// It is connected.
    Connected,
    /// It is connected, but was silent for long; it is called only if there is no other.
    Suspect,
    /// It is about to stop and takes no new calls.
    Draining,
    /// It is known and not connected, or has not said hello yet; this node keeps dialling it.
    Connecting,
    /// It is known by gossip and not connected; it is dialled when a call needs it.
    Known,
}

/// Whether a node is left out because it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// It is not.
    Closed,
    /// It was, or was started again: it gets a part of its calls, in percent, that grows.
    Recovering {
        /// That part.
        share: u8,
    },
    /// It is, for so long. Then one call is made to see whether it is back; 0 if that one is due.
    Open {
        /// What is left.
        remaining: Duration,
    },
    /// One call is on its way to see whether it is back.
    Probing,
}

impl From<Condition> for BreakerState {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Serving => Self::Closed,
            Condition::Recovering { share } => Self::Recovering {
                share: (share * 100.0) as u8,
            },
            Condition::Open { remaining } => Self::Open { remaining },
            Condition::Due => Self::Open {
                remaining: Duration::ZERO,
            },
            Condition::Probing => Self::Probing,
        }
    }
}

/// A function that a node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its contract, readable.
    pub contract: String,
    /// The fingerprint of its contract: nodes whose fingerprints differ do not call each other's.
    pub fingerprint: Fingerprint,
}

impl PeerInfo {
    /// One that is known and not connected, with its region and where it believes the primary to be.
    fn unconnected(
        id: NodeId,
        (region, primary): (Region, Region),
        address: SocketAddr,
        state: PeerState,
    ) -> Self {
        Self {
            id,
            region,
            primary_region: primary,
            primary_epoch: 0,
            address,
            state,
            round_trip: None,
            latency: None,
            breaker: BreakerState::Closed,
            requests_sent: 0,
            build: String::new(),
            functions: Vec::new(),
        }
    }
}

pub(super) fn all(inner: &Inner) -> Vec<PeerInfo> {
    let links = inner.links();
    let now = inner.now();
    let connected: HashSet<&NodeId> = links.iter().map(|link| link.node()).collect();
    let mut peers: Vec<PeerInfo> = links
        .iter()
        .map(|link| PeerInfo {
            id: link.node().clone(),
            region: link.region().clone(),
            primary_region: link.look_at_view(|view| view.region.clone()),
            primary_epoch: link.look_at_view(|view| view.epoch.unwrap_or_default()),
            address: link.address(),
            state: match (link.is_draining(), link.is_suspect()) {
                (true, _) => PeerState::Draining,
                (false, true) => PeerState::Suspect,
                (false, false) => PeerState::Connected,
            },
            round_trip: Some(link.round_trip()),
            latency: bond(link).vitals().latency(now),
            breaker: bond(link).vitals().condition(now).into(),
            requests_sent: link.requests_sent(),
            build: link.hello().build.clone(),
            functions: functions(&link.catalogue()),
        })
        .collect();
    let roster = inner.roster();
    for (id, region, address) in inner.dials.disconnected() {
        if connected.contains(&id) || peers.iter().any(|peer| peer.id == id) {
            continue;
        }
        let known = roster.get(&id).map(|known| known.facts().primary.clone());
        let primary = known.unwrap_or_else(|| region.clone());
        let regions = (region, primary);
        peers.push(PeerInfo::unconnected(
            id,
            regions,
            address,
            PeerState::Connecting,
        ));
    }
    let listed: HashSet<NodeId> = peers.iter().map(|peer| peer.id.clone()).collect();
    for (id, known) in roster.iter().filter(|(id, _)| !listed.contains(*id)) {
        let facts = known.facts();
        let Some(address) = facts.address else {
            continue;
        };
        let state = match facts.draining {
            true => PeerState::Draining,
            false => PeerState::Known,
        };
        let (region, primary) = (facts.region.clone(), facts.primary.clone());
        peers.push(PeerInfo::unconnected(
            id.clone(),
            (region, primary),
            address,
            state,
        ));
    }
    peers.sort_by(|a, b| a.id.cmp(&b.id));
    peers
}

pub(super) fn functions(catalogue: &Catalogue) -> Vec<FunctionInfo> {
    let mut functions: Vec<FunctionInfo> = catalogue
        .offers()
        .map(|offer| FunctionInfo {
            name: offer.name.clone(),
            version: offer.version,
            contract: offer.contract.clone(),
            fingerprint: Fingerprint::from_bytes(offer.fingerprint),
        })
        .collect();
    functions.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
    functions
}
