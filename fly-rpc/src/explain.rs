//! Why a call goes where it goes: every node that is known, and what speaks for or against it.
//!
//! Chance takes part in each choice, so what is said here is what a call made at this moment would
//! have found, with one choice made as it would have made it. Nothing is sent and nothing is counted.

mod table;

use std::{sync::Arc, time::Duration};

use fly_rpc_transport::{Link, Links, NodeId, Offer, Region};
use tokio::time::Instant;

use crate::{
    balance::{self, Condition},
    membership::Known,
    node::{Inner, Node},
    registry::{Registered, registered},
    remote::{Course, Found, RemoteCall, before, bond},
    resolve::{self, Candidate, Wanted},
    target::Target,
};

/// Why a call of a function would go where it goes; shows itself as a table. What
/// [`Node::explain`] gives.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The target that was asked about.
    pub target: Target,
    /// The function's name.
    pub function: String,
    /// Its version; `None` if this program has no function of this name, and none was given.
    pub version: Option<u32>,
    /// Where the call would go, or this node's id if it would run here. A node that is not connected
    /// may turn out to be unreachable: then the call goes on to the next.
    pub chosen: Option<NodeId>,
    /// Every node that is known, this one first and the others by id.
    pub nodes: Vec<Considered>,
}

/// A node, as the choice sees it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Considered {
    /// Its id.
    pub node: NodeId,
    /// Where it says it runs.
    pub region: Region,
    /// Why it was chosen or was not.
    pub reason: Reason,
    /// The round-trip time that QUIC measures, if it is connected.
    pub round_trip: Option<Duration>,
    /// How long its answers take, as remembered; `None` if it never answered this node.
    pub latency: Option<Duration>,
    /// Calls of this node that it has not answered.
    pub in_flight: usize,
    /// What one more call costs there: its latency, times the calls that it then has. Of two nodes
    /// that chance takes the cheaper one is called. `None` if it never answered the first it was asked.
    pub cost: Option<Duration>,
}

/// Why a node was chosen, or was not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A call made now would go there. If it is not connected (`round_trip` is `None`, and it is
    /// another node), it is dialled first.
    Chosen,
    /// It could have been: chance, cost, or that this node comes first, decided for another.
    Possible,
    /// It does not belong to the target.
    NotOfTarget,
    /// It belongs to a target that is tried later.
    LaterTarget,
    /// Another region is nearer.
    Farther,
    /// It is known, and not connected. If it is known by gossip, it is dialled when a call needs it and
    /// nobody who is connected can serve that.
    NotConnected,
    /// It is about to stop.
    Draining,
    /// Its calls are moving to another connection to the same node.
    Retiring,
    /// It does not serve this function, or not in this version.
    NotOffered {
        /// The versions that it does serve, ascending.
        offered: Vec<u32>,
    },
    /// It serves another contract under this name and version.
    OtherContract {
        /// Its contract.
        theirs: String,
    },
    /// It was silent for too long; it is called only if there is no other.
    Suspect,
    /// It has not answered any of the calls it has for much longer than it needs; others are
    /// preferred.
    Stalled,
    /// It failed too often, and is left out.
    LeftOut {
        /// For so long.
        remaining: Duration,
    },
    /// It failed too often; one call is on its way that will show whether it is back.
    Probed,
}

/// A function by its name, with or without a version: `"create_post"`, `"create_post@2"` or
/// `("create_post", 2)`. Without one the latest that this program has is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionName {
    name: String,
    version: Option<u32>,
}

impl From<&str> for FunctionName {
    fn from(text: &str) -> Self {
        let named = text.rsplit_once('@');
        let versioned = named.and_then(|(name, version)| Some((name, version.parse().ok()?)));
        let (name, version) = versioned.unzip();
        Self {
            name: name.unwrap_or(text).to_owned(),
            version,
        }
    }
}

impl From<String> for FunctionName {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<(&str, u32)> for FunctionName {
    fn from((name, version): (&str, u32)) -> Self {
        Self {
            name: name.to_owned(),
            version: Some(version),
        }
    }
}

impl FunctionName {
    /// The function of this program that is meant, with its place among them.
    fn registered(&self) -> Option<(usize, &'static Registered)> {
        let named = registered().iter().enumerate().filter(|(_, function)| {
            let spec = function.spec();
            spec.name == self.name && self.version.is_none_or(|version| version == spec.version)
        });
        named.max_by_key(|(_, function)| function.spec().version)
    }
}

/// What a call to `target`, which is one, would find.
pub(crate) fn explain(node: &Node, target: Target, function: &FunctionName) -> Explanation {
    let inner = node.inner();
    let found = function.registered();
    let contract = found.and_then(|(_, function)| function.contract.as_ref().ok());
    let version = found.map(|(_, function)| function.spec().version);
    let version = version.or(function.version);
    let wanted = Wanted {
        target: &target,
        name: &function.name,
        version: version.unwrap_or(0),
        fingerprint: contract.map_or([0; 16], |contract| contract.fingerprint().to_bytes()),
        contract: contract.map_or("", |contract| contract.text()),
    };
    let links = inner.links();
    let choice = found.zip(contract).and_then(|((place, function), _)| {
        let call = RemoteCall {
            node,
            spec: function.spec(),
            place,
            wanted,
            deadline: Instant::now(),
            wait_ready: false,
            has_older: false,
        };
        choose(&call, &links)
    });
    let look = Look {
        inner,
        wanted,
        is_known: contract.is_some(),
        chosen: choice.as_ref().map(|choice| &choice.node),
        place: choice.as_ref().map_or(usize::MAX, |choice| choice.place),
        region: choice.as_ref().and_then(|choice| choice.region.as_ref()),
    };
    let mut others: Vec<Considered> = links.iter().map(|link| look.at(link)).collect();
    for (node, region, _) in inner.dials.disconnected() {
        if others.iter().all(|other| other.node != node) {
            others.push(look.at_unconnected(node, region));
        }
    }
    for (node, known) in inner.roster().iter() {
        if *node != inner.id && others.iter().all(|other| other.node != *node) {
            others.push(look.at_known(node, known));
        }
    }
    others.sort_by(|a, b| a.node.cmp(&b.node));
    others.insert(0, look.at_this());
    Explanation {
        function: function.name.clone(),
        version,
        chosen: choice.map(|choice| choice.node),
        nodes: others,
        target,
    }
}

/// Where a call goes.
struct Choice {
    node: NodeId,
    /// Which of the targets in order it is of.
    place: usize,
    /// Where it runs, if that is why.
    region: Option<Region>,
}

/// As a call has it that looks for a node the first time.
fn choose(call: &RemoteCall<'_>, links: &Links) -> Option<Choice> {
    let inner = call.node.inner();
    let found = call.choose_in_order(links, &Course::new(inner.is_draining()));
    if let Some((place, node)) = call.choose_unconnected(links, before(found.as_ref())) {
        return Some(Choice {
            node,
            place,
            region: None,
        });
    }
    let (place, found) = found?;
    let (node, region) = match found {
        Found::Node(link) => (link.node().clone(), Some(link.region().clone())),
        Found::Here | Found::StartOver => (inner.id.clone(), None),
    };
    Some(Choice {
        node,
        place,
        region,
    })
}

/// What every node is seen by.
struct Look<'a> {
    inner: &'a Inner,
    wanted: Wanted<'a>,
    /// This program has the function, and with it a contract to compare.
    is_known: bool,
    chosen: Option<&'a NodeId>,
    /// Which of the targets in order was chosen from.
    place: usize,
    region: Option<&'a Region>,
}

impl Look<'_> {
    fn at(&self, link: &Arc<Link>) -> Considered {
        let now = self.inner.now();
        let cost = balance::cost(link, now);
        Considered {
            node: link.node().clone(),
            region: link.region().clone(),
            reason: self.reason(link),
            round_trip: Some(link.round_trip()),
            latency: bond(link).vitals().latency(now),
            in_flight: link.in_flight(),
            cost: Duration::try_from_secs_f32(cost / 1e6)
                .ok()
                .filter(|cost| *cost < UNKNOWN),
        }
    }

    /// One that is known by gossip only.
    fn at_known(&self, node: &NodeId, known: &Known) -> Considered {
        let facts = known.facts();
        let mut considered = self.at_unconnected(node.clone(), facts.region.clone());
        let catalogue = self.inner.endpoint.catalogue(&facts.catalogue);
        let unsuited = || self.unsuited_by(catalogue.as_deref()?.versions(self.wanted.name));
        if considered.reason == Reason::NotConnected {
            considered.reason = match (facts.draining, known.is_suspect()) {
                (true, _) => Reason::Draining,
                (false, true) => Reason::Suspect,
                (false, false) => unsuited().unwrap_or(Reason::NotConnected),
            };
        }
        considered
    }

    fn at_unconnected(&self, node: NodeId, region: Region) -> Considered {
        let reason = match self.place_of(&node, &region) {
            None => Reason::NotOfTarget,
            Some(_) if self.chosen == Some(&node) => Reason::Chosen,
            Some(_) => Reason::NotConnected,
        };
        Considered {
            node,
            region,
            reason,
            round_trip: None,
            latency: None,
            in_flight: 0,
            cost: None,
        }
    }

    fn at_this(&self) -> Considered {
        let Inner { id, region, .. } = self.inner;
        let targets = self.wanted.target.in_order().iter();
        let place = targets
            .zip(0..)
            .find(|(target, _)| self.inner.here().is_target(target));
        let own = self.inner.registry.versions(self.wanted.name);
        let offered: Vec<u32> = own.iter().map(|served| served.entry.spec.version).collect();
        let reason = match place {
            None => Reason::NotOfTarget,
            Some(_) if !offered.contains(&self.wanted.version) => Reason::NotOffered { offered },
            Some(_) if self.inner.is_draining() => Reason::Draining,
            Some(_) if self.chosen == Some(id) => Reason::Chosen,
            Some((_, place)) if place > self.place => Reason::LaterTarget,
            Some(_) => Reason::Possible,
        };
        Considered {
            node: id.clone(),
            region: region.clone(),
            reason,
            round_trip: None,
            latency: None,
            in_flight: 0,
            cost: None,
        }
    }

    fn reason(&self, link: &Arc<Link>) -> Reason {
        let now = self.inner.now();
        let Some(place) = self.place_of(link.node(), link.region()) else {
            return Reason::NotOfTarget;
        };
        if link.is_draining() {
            return Reason::Draining;
        }
        if link.is_retiring() {
            return Reason::Retiring;
        }
        if let Some(reason) = self.unsuited(link) {
            return reason;
        }
        if self.chosen == Some(link.node()) {
            return Reason::Chosen;
        }
        if link.is_suspect() {
            return Reason::Suspect;
        }
        let vitals = bond(link).vitals();
        let target = self.wanted.target.in_order().get(self.place);
        let is_later = target.is_some_and(|target| {
            !self
                .inner
                .here()
                .includes(target, link.node(), link.region())
                && place > self.place
        });
        match vitals.condition(now) {
            Condition::Open { remaining } => Reason::LeftOut { remaining },
            Condition::Probing => Reason::Probed,
            _ if is_later => Reason::LaterTarget,
            _ if vitals.is_stalled(link.round_trip(), now) => Reason::Stalled,
            _ if target == Some(&Target::Nearest) && self.region != Some(link.region()) => {
                Reason::Farther
            }
            _ => Reason::Possible,
        }
    }

    /// Why it cannot serve the function, if it cannot.
    fn unsuited(&self, link: &Arc<Link>) -> Option<Reason> {
        if self.is_known && resolve::offers(link, &self.wanted) {
            return None;
        }
        Candidate::versions(link, self.wanted.name, |offers| self.unsuited_by(offers))
    }

    /// Why nobody can serve the function who offers these versions of it.
    fn unsuited_by(&self, offers: &[Offer]) -> Option<Reason> {
        let Wanted {
            version,
            fingerprint,
            ..
        } = self.wanted;
        match offers.iter().find(|offer| offer.version == version) {
            // Nothing to compare it with.
            Some(_) if !self.is_known => None,
            Some(same) if same.fingerprint == fingerprint => None,
            Some(other) => Some(Reason::OtherContract {
                theirs: other.contract.clone(),
            }),
            None => Some(Reason::NotOffered {
                offered: offers.iter().map(|offer| offer.version).collect(),
            }),
        }
    }

    /// The first of the targets in order that it belongs to.
    fn place_of(&self, node: &NodeId, region: &Region) -> Option<usize> {
        let here = self.inner.here();
        let mut targets = self.wanted.target.in_order().iter();
        targets.position(|target| here.includes(target, node, region))
    }
}

/// No latency is as long: what costs more was asked and never answered.
const UNKNOWN: Duration = Duration::from_secs(7 * 24 * 3600);
