//! The next node for a call: the first target that has one which can serve it, or why there is none.

use std::{sync::Arc, time::Duration};

use fly_rpc_transport::Link;
use tokio::time::{Instant, timeout_at};

use super::{Course, RemoteCall};
use crate::{
    balance::{Moment, Resort},
    error::{RpcError, Stage},
    resolve,
    target::Target,
};

/// Where a call goes next.
pub(crate) enum Found {
    Node(Arc<Link>),
    /// This one.
    Here,
    /// Something changed: nodes that refused may be asked again.
    StartOver,
}

impl RemoteCall<'_> {
    /// The next node to ask, other than those tried. If there is none: the failure of the last one,
    /// or why there never was one.
    pub(super) async fn find(&self, course: &mut Course) -> Result<Found, RpcError> {
        let inner = self.node.inner();
        let mut changes = inner.endpoint.changes();
        let settled = self.deadline.min(Instant::now() + SETTLING);
        let (links, found) = loop {
            // Everything is concluded from one look: two could contradict each other.
            let links = inner.links();
            let found = self.choose_in_order(&links, course);
            // Between the moment in which a link begins to retire and the one in which its place is
            // taken there is nothing to choose, and nothing to conclude from that either.
            let waits = self.is_settling(&links, before(found.as_ref()));
            if !waits || !matches!(timeout_at(settled, changes.changed()).await, Ok(Ok(()))) {
                break (links, found);
            }
        };
        // Those of an earlier target who are known and not connected come before a later target.
        let mut unreachable = None;
        let targets = self.wanted.target.in_order();
        for (place, target) in targets.iter().take(before(found.as_ref())).enumerate() {
            let is_last = found.is_none() && place + 1 == targets.len();
            let patience = if is_last {
                self.deadline
            } else {
                self.deadline.min(Instant::now() + FALLBACK_DIAL)
            };
            if let Some(link) = self.choose_presumed(target, course) {
                return Ok(Found::Node(link));
            }
            match self
                .connect_somebody(&links, target, course, patience)
                .await
            {
                Ok(Some(link)) => return Ok(Found::Node(link)),
                Ok(None) => {}
                Err(error @ RpcError::Timeout { .. }) if patience == self.deadline => {
                    return Err(course.failure.take().map_or(error, |failure| *failure));
                }
                Err(RpcError::Timeout { .. }) => {}
                Err(error) => unreachable = Some(error),
            }
        }
        if let Some((_, found)) = found {
            return Ok(found);
        }
        // Whoever was connected just now and serves something else can say so.
        let links = inner.links();
        let reason = course
            .failure
            .take()
            .map(|failure| *failure)
            .or_else(|| self.explain(&links))
            .or(unreachable)
            .or_else(|| self.explain_unconnected());
        // As long as nobody of the target is connected, nodes whose very first dial has not ended
        // may still turn out to belong to it.
        if reason.is_none() && inner.is_dialling_first() {
            let patience = self.deadline.min(Instant::now() + FIRST_DIALS);
            let dialled = timeout_at(patience, inner.first_dials()).await;
            if dialled.is_err() && patience == self.deadline {
                return Err(RpcError::Timeout {
                    stage: Stage::Connecting,
                });
            }
            if dialled.is_ok() || self.choose_in_order(&inner.links(), course).is_some() {
                return Ok(Found::StartOver);
            }
        }
        inner.hurry(self.wanted.target);
        let reason = reason.unwrap_or_else(|| self.nobody());
        let is_older_s_turn = self.has_older
            && matches!(
                reason,
                RpcError::FunctionUnavailable { .. } | RpcError::Draining
            );
        if !self.wait_ready || is_older_s_turn {
            return Err(reason);
        }
        match timeout_at(self.deadline, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(RpcError::NotStarted),
            Err(_elapsed) => {
                tracing::warn!(%reason, "no node could serve a call before its deadline");
                return Err(if course.tried().is_empty() {
                    RpcError::Timeout {
                        stage: Stage::FindingNode,
                    }
                } else {
                    reason
                });
            }
        }
        Ok(Found::StartOver)
    }

    /// A node that is chosen without looking at all of them; `None` says nothing.
    pub(crate) fn choose_at_once(&self, tried: &[Arc<Link>], now: Moment) -> Option<Arc<Link>> {
        let inner = self.node.inner();
        let here = inner.here();
        let targets = self.wanted.target.in_order();
        let resort = match targets {
            [_only] => Resort::Panic,
            _ => Resort::Elsewhere,
        };
        inner.look_at_links(|links, routes| {
            for (place, target) in targets.iter().enumerate() {
                // Of the first it is known that it is not this node's turn.
                if place > 0 && here.is_target(target) {
                    return None;
                }
                let choice = routes.choose(
                    self.place,
                    links,
                    &self.wanted.at(target),
                    &here,
                    &inner.scene(now, resort),
                    || self.chance().number(),
                );
                if choice.is_some()
                    || !routes.has_nobody(self.place, target, &here)
                    || self.may_be_connected(links, target)
                {
                    return choice.filter(|link| is_fresh(link, tried)).cloned();
                }
            }
            None
        })
    }

    /// The first target that has somebody to ask, and whom. If all that there are failed too often
    /// for that, one of them is better than none.
    pub(crate) fn choose_in_order(
        &self,
        links: &[Arc<Link>],
        course: &Course,
    ) -> Option<(usize, Found)> {
        let inner = self.node.inner();
        let targets = self.wanted.target.in_order();
        let resorts = [Resort::Elsewhere, Resort::Panic];
        let resorts = resorts.get(usize::from(targets.len() < 2)..)?;
        let choose = |target: &Target, resort: Resort| {
            let serves = !course.here && inner.registry.at(self.place).is_some();
            if serves && inner.here().is_target(target) {
                return Some(Found::Here);
            }
            let chosen = resolve::choose(
                links,
                |link| is_fresh(link, course.tried()),
                &self.wanted.at(target),
                &inner.here(),
                &inner.scene(inner.now(), resort),
                || self.chance().number(),
            );
            chosen.cloned().map(Found::Node)
        };
        resorts.iter().find_map(|resort| {
            let mut places = targets.iter().enumerate();
            places.find_map(|(place, target)| Some((place, choose(target, *resort)?)))
        })
    }

    /// True while a link to a node of the targets before that place is on its way out for another
    /// one.
    fn is_settling(&self, links: &[Arc<Link>], before: usize) -> bool {
        let here = self.node.inner().here();
        links.iter().any(|link| {
            let targets = self.wanted.target.in_order().iter().take(before);
            link.is_retiring()
                && !link.is_draining()
                && targets
                    .into_iter()
                    .any(|target| here.includes(target, link.node(), link.region()))
        })
    }

    /// Why no connected node of the target can serve the call; `None` if none is connected.
    fn explain(&self, links: &[Arc<Link>]) -> Option<RpcError> {
        let inner = self.node.inner();
        let own: Vec<u32> = inner
            .registry
            .versions(self.wanted.name)
            .iter()
            .map(|served| served.entry.spec.version)
            .collect();
        resolve::explain(links.iter(), &self.wanted, &inner.here(), &own)
    }

    /// No node of the target is connected: is one known at least?
    fn nobody(&self) -> RpcError {
        let inner = self.node.inner();
        inner
            .unreachable(self.wanted.target)
            .unwrap_or_else(|| RpcError::NoNode {
                target: self.wanted.target.clone(),
                known_regions: inner.known_regions(),
            })
    }
}

pub(super) fn is_fresh(link: &Arc<Link>, tried: &[Arc<Link>]) -> bool {
    !tried.iter().any(|tried| Arc::ptr_eq(tried, link))
}

/// How many targets come before the one that was found: all, if none was.
pub(crate) fn before(found: Option<&(usize, Found)>) -> usize {
    found.map_or(usize::MAX, |(place, _)| *place)
}

/// How long a call waits for nodes of one target to be connected before it turns to the next: the far
/// side of the globe is reached within a third of it, and a dead node takes ten times as long.
const FALLBACK_DIAL: Duration = Duration::from_secs(1);

/// How long a call waits for one link to take the place of another: it takes microseconds.
const SETTLING: Duration = Duration::from_secs(1);

/// How long a call waits for addresses that were never dialled before: a dead one among them takes
/// as long as the handshake timeout, and nobody should have to wait for that.
const FIRST_DIALS: Duration = Duration::from_secs(2);
