//! Nodes that are not connected, when nobody who is connected can serve a call: it follows this node's
//! hello to one that was dialled just now, or has one dialled that is known by gossip.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use fly_rpc_transport::{Catalogue, Link, Links, NodeId};
use tokio::time::{Instant, timeout_at};

use super::{Course, RemoteCall, finding::is_fresh};
use crate::{
    balance::Resort,
    error::{RpcError, Stage},
    membership::Facts,
    resolve::{self, Scene},
    target::Target,
};

impl RemoteCall<'_> {
    /// One of those whose certificates were seen a moment ago, and whose hellos are under way. They are
    /// taken to be of this node's build, unless gossip has it otherwise: one that is not says what it serves
    /// instead.
    pub(super) fn choose_presumed(&self, target: &Target, course: &Course) -> Option<Arc<Link>> {
        let inner = self.node.inner();
        let presumed = inner.endpoint.presumed();
        for link in &presumed {
            inner.bond(link);
        }
        // Which region is the nearest is concluded from those that are connected.
        let nearest = Mutex::default();
        let scene = Scene {
            nearest: &nearest,
            ..inner.scene(inner.now(), Resort::Elsewhere)
        };
        let chosen = resolve::choose(
            &presumed,
            |link| is_fresh(link, course.tried()),
            &self.wanted.at(target),
            &inner.here(),
            &scene,
            || self.chance().number(),
        );
        chosen.cloned()
    }

    /// Connects, until then, a node of one of the call's targets that may serve the call; `None` if
    /// there is none. Those that cannot be reached, or do not serve it after all, are left in
    /// `unreached`.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] if there were some and none could be reached, and
    /// [`RpcError::Timeout`] if the time passed meanwhile.
    pub(super) async fn connect_somebody(
        &self,
        links: &Links,
        target: &Target,
        course: &mut Course,
        until: Instant,
    ) -> Result<Option<Arc<Link>>, RpcError> {
        let inner = self.node.inner();
        let mut failure = None;
        while let Some((node, address)) = self.unconnected(links, target, course.unreached()) {
            let reaching = inner.reach(&node, address);
            let reached = timeout_at(until, reaching).await;
            course.detours().unreached.push(node.clone());
            match reached.map_err(|_elapsed| RpcError::Timeout {
                stage: Stage::Connecting,
            })? {
                Ok(link)
                    if is_fresh(&link, course.tried()) && resolve::offers(&link, &self.wanted) =>
                {
                    return Ok(Some(link));
                }
                Ok(_) => {}
                Err(source) => failure = Some(RpcError::Unreachable { node, source }),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The most promising of them, and where it is.
    fn unconnected(
        &self,
        links: &Links,
        target: &Target,
        unreached: &[NodeId],
    ) -> Option<(NodeId, SocketAddr)> {
        let inner = self.node.inner();
        let here = inner.here();
        let roster = inner.roster();
        let candidates = roster.iter().filter_map(|(node, known)| {
            let facts = known.facts();
            let is_candidate = !facts.draining
                && here.includes(target, node, &facts.region)
                && !unreached.contains(node)
                && !is_connected(links, node)
                // What is seen directly counts more than what is said.
                && !inner.dials.is_failing(node);
            let serves = is_candidate.then(|| self.serves(facts))?;
            if serves == Some(false) {
                return None;
            }
            let rank = (known.is_suspect(), serves.is_none(), self.chance().number());
            Some((rank, node, facts.address?))
        });
        candidates
            .min_by_key(|(rank, ..)| *rank)
            .map(|(_, node, address)| (node.clone(), address))
    }

    /// The first of so many targets in order that has one, and which would be called.
    pub(crate) fn choose_unconnected(
        &self,
        links: &Links,
        targets: usize,
    ) -> Option<(usize, NodeId)> {
        let targets = self.wanted.target.in_order().iter().take(targets);
        targets.enumerate().find_map(|(place, target)| {
            let presumed = self.choose_presumed(target, &Course::default());
            let presumed = presumed.map(|link| link.node().clone());
            let known = || Some(self.unconnected(links, target, &[])?.0);
            Some((place, presumed.or_else(known)?))
        })
    }

    /// True if there is one that may serve the call.
    pub(super) fn may_be_connected(&self, links: &Links, target: &Target) -> bool {
        let inner = self.node.inner();
        let is_presumed = |link: &Arc<Link>| {
            let is_of_target = inner.here().includes(target, link.node(), link.region());
            is_of_target && resolve::offers(link, &self.wanted)
        };
        inner.endpoint.presumed().iter().any(is_presumed)
            || self.unconnected(links, target, &[]).is_some()
    }

    /// Why none of the nodes of the target that are not connected can serve the call; `None` if there
    /// is none of which that is known.
    pub(super) fn explain_unconnected(&self) -> Option<RpcError> {
        let inner = self.node.inner();
        let here = inner.here();
        let roster = inner.roster();
        let mut offered = BTreeSet::new();
        let mut nodes_checked = 0;
        for (node, known) in roster.iter() {
            if here.includes(self.wanted.target, node, &known.facts().region)
                && let Some(catalogue) = self.catalogue(known.facts())
            {
                nodes_checked += 1;
                let versions = catalogue.versions(self.wanted.name).iter();
                offered.extend(versions.map(|offer| offer.version));
            }
        }
        (nodes_checked > 0).then(|| RpcError::FunctionUnavailable {
            function: self.wanted.name.to_owned(),
            version: self.wanted.version,
            target: self.wanted.target.clone(),
            offered: offered.into_iter().collect(),
            nodes_checked,
        })
    }

    /// Whether a node serves the call; `None` if that is not known.
    fn serves(&self, facts: &Facts) -> Option<bool> {
        let catalogue = self.catalogue(facts)?;
        let offer = catalogue.find(self.wanted.name, self.wanted.version);
        Some(offer.is_some_and(|offer| offer.fingerprint == self.wanted.fingerprint))
    }

    /// What a node serves: known if this one, or any that is connected, serves the same.
    fn catalogue(&self, facts: &Facts) -> Option<Arc<Catalogue>> {
        self.node.inner().endpoint.catalogue(&facts.catalogue)
    }
}

fn is_connected(links: &Links, node: &NodeId) -> bool {
    links
        .get(node)
        .is_some_and(|link| !link.is_retiring() && !link.is_closed())
}
