//! The calling side of a call that leaves this process: find a node, send, wait, and if that failed
//! without running, try the next.
//!
//! Nothing here knows the function's types: arguments come encoded and the value leaves encoded, so
//! that this is compiled once and not once per function.

mod unconnected;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fly_rpc_transport::{
    Abandoned, Backoff, CallLost, DialError, Link, NodeId, Offer, Randomness, RequestHead,
    Response, SendRefused, Status,
};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    error::{Executed, RpcError, Stage},
    node::Node,
    registry::{Spec, registered},
    resolve::{self, Candidate, Wanted},
    routes::Routes,
    target::Target,
};

/// One call, without its types.
pub(crate) struct RemoteCall<'a> {
    pub(crate) node: &'a Node,
    pub(crate) spec: &'static Spec,
    /// The function's place among those that are registered.
    pub(crate) place: usize,
    pub(crate) wanted: Wanted<'a>,
    pub(crate) deadline: Instant,
    pub(crate) wait_ready: bool,
    /// Another call takes over if no node offers this version: waiting for one would be in its way.
    pub(crate) has_older: bool,
}

impl RemoteCall<'_> {
    /// Makes the call; returns the encoded value and the node that computed it.
    pub(crate) async fn run(&self, arguments: Bytes) -> Result<Bytes, RpcError> {
        let _counted = self.node.inner().count_own_call();
        let mut doubt = None;
        let outcome = self.attempts(arguments, &mut doubt).await;
        match outcome {
            // The last attempt did not run, but an earlier one may have: the caller must hear of
            // that one.
            Err(error) if error.executed() == Executed::No => Err(doubt.unwrap_or(error)),
            outcome => outcome,
        }
    }

    /// Asks one node after another. An attempt that may have run, and was followed by another, is
    /// left in `doubt`.
    async fn attempts(
        &self,
        arguments: Bytes,
        doubt: &mut Option<RpcError>,
    ) -> Result<Bytes, RpcError> {
        let inner = self.node.inner();
        if arguments.len() > inner.limits.message_size {
            return Err(RpcError::TooLarge {
                size: arguments.len(),
                limit: inner.limits.message_size,
            });
        }
        if self.spec.idempotent {
            inner.deposit_retry();
        }
        let mut tried: Vec<Arc<Link>> = Vec::new();
        let mut unreached: Vec<NodeId> = Vec::new();
        let mut backoff = Backoff::new(&inner.limits);
        let mut failure: Option<RpcError> = None;
        let mut attempts = 0;
        loop {
            let link = match self.choose_at_once(&tried) {
                Some(link) => link,
                // Boxed, as is all that few calls need: every call would be as large.
                None => match Box::pin(self.find(&tried, &mut unreached, failure.take())).await? {
                    Found::Node(link) => link,
                    Found::StartOver => {
                        tried.clear();
                        unreached.clear();
                        continue;
                    }
                },
            };
            let error = match self.attempt(&link, &arguments).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            tracing::debug!(function = self.spec.name, version = self.spec.version, peer = %link.node(), %error, "an attempt failed");
            // A connection that was gone before it was used costs nobody anything, and a node that
            // drains says so once.
            let is_free = matches!(error, RpcError::Unreachable { .. } | RpcError::Draining);
            attempts += u32::from(!is_free);
            match error.executed() {
                _ if attempts >= inner.limits.attempts => return Err(error),
                // Nothing ran: whoever else can serve it is asked at once.
                Executed::No
                    if !matches!(error, RpcError::Timeout { .. } | RpcError::BadRequest) => {}
                Executed::Unknown
                    if self.spec.idempotent
                        && !matches!(error, RpcError::Timeout { .. })
                        && inner.withdraw_retry() =>
                {
                    *doubt = Some(error.clone());
                    let pause = sleep(backoff.next_delay(self.chance().fraction()));
                    if Box::pin(timeout_at(self.deadline, pause)).await.is_err() {
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
            tried.push(link);
            failure = Some(error);
        }
    }

    /// The next node to ask, other than those `tried`. If there is none: the `failure` of the last
    /// one, or why there never was one.
    async fn find(
        &self,
        tried: &[Arc<Link>],
        unreached: &mut Vec<NodeId>,
        failure: Option<RpcError>,
    ) -> Result<Found, RpcError> {
        let inner = self.node.inner();
        let mut changes = inner.endpoint.changes();
        let settled = self.deadline.min(Instant::now() + SETTLING);
        let links = loop {
            // Everything is concluded from one look: two could contradict each other.
            let links = inner.endpoint.links();
            if let Some(link) = self.choose(&links, tried) {
                return Ok(Found::Node(link));
            }
            // Between the moment in which a link begins to retire and the one in which its place is
            // taken there is nothing to choose, and nothing to conclude from that either.
            let waits = self.is_settling(&links);
            if !waits || !matches!(timeout_at(settled, changes.changed()).await, Ok(Ok(()))) {
                break links;
            }
        };
        let unreachable = match self.connect_somebody(&links, tried, unreached).await {
            Ok(Some(link)) => return Ok(Found::Node(link)),
            Ok(None) => None,
            Err(error @ RpcError::Timeout { .. }) => return Err(failure.unwrap_or(error)),
            Err(error) => Some(error),
        };
        // Whoever was connected just now and serves something else can say so.
        let links = inner.endpoint.links();
        let reason = failure
            .or_else(|| self.explain(&links))
            .or(unreachable)
            .or_else(|| self.explain_unconnected(&links));
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
            if dialled.is_ok() || self.choose(&inner.endpoint.links(), tried).is_some() {
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
                return Err(if tried.is_empty() {
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
    fn choose_at_once(&self, tried: &[Arc<Link>]) -> Option<Arc<Link>> {
        let inner = self.node.inner();
        let links = inner.endpoint.links();
        let routes = links.conclusion(|| Routes::new(registered().len()));
        let choice = routes.choose(
            self.place,
            &links,
            &self.wanted,
            &inner.here(),
            inner.endpoint.looks(),
            || self.chance().number(),
        );
        choice.filter(|link| is_fresh(link, tried)).cloned()
    }

    fn choose(&self, links: &[Arc<Link>], tried: &[Arc<Link>]) -> Option<Arc<Link>> {
        let fresh = links.iter().filter(|link| is_fresh(link, tried));
        resolve::choose(fresh, &self.wanted, &self.node.inner().here(), || {
            self.chance().number()
        })
        .cloned()
    }

    /// True while a link to a node of the target is on its way out for another one.
    fn is_settling(&self, links: &[Arc<Link>]) -> bool {
        let here = self.node.inner().here();
        links.iter().any(|link| {
            link.is_retiring()
                && !link.is_draining()
                && here.includes(self.wanted.target, link.node(), link.region())
        })
    }

    fn chance(&self) -> &Randomness {
        self.node.inner().endpoint.randomness()
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

    async fn attempt(&self, link: &Arc<Link>, arguments: &Bytes) -> Result<Bytes, RpcError> {
        let limit = usize::try_from(link.hello().message_size).unwrap_or(usize::MAX);
        if arguments.len() > limit {
            return Err(RpcError::TooLarge {
                size: arguments.len(),
                limit,
            });
        }
        let head = RequestHead {
            function: self.wanted.name,
            version: self.wanted.version,
            contract: self.wanted.fingerprint,
            trace: None,
        };
        let answers = self.node.inner().registry.answers(self.place);
        let answer = answers.expected();
        let too_late = || RpcError::Timeout {
            stage: Stage::Queued,
        };
        let sent = match link.call_now(&head, arguments, answer, self.deadline) {
            Some(sent) => sent,
            // Waits for a lane, or for room on one.
            None => Box::pin(timeout_at(
                self.deadline,
                link.call_with_room(&head, arguments, answer, self.deadline),
            ))
            .await
            .map_err(|_elapsed| too_late())?,
        };
        let mut pending = match sent {
            Err(SendRefused::Late) => return Err(too_late()),
            Err(SendRefused::Full) => return Err(RpcError::Overloaded),
            Err(SendRefused::Closed) => return Err(self.gone_before_sending(link)),
            Ok(pending) => pending,
        };
        match (&mut pending).await {
            Ok(response) => {
                answers.came(response.body.len());
                self.judge(link, response)
            }
            Err(CallLost::NeverLeft) => Err(self.gone_before_sending(link)),
            Err(CallLost::MayHaveLeft) => Err(RpcError::ConnectionLost {
                node: link.node().clone(),
            }),
            Err(CallLost::Due) => match pending.abandon() {
                // It came in the very moment in which the deadline passed: an answer is worth more
                // than an error.
                Abandoned::Answered(response) => self.judge(link, response),
                Abandoned::NeverLeft => Err(RpcError::Timeout {
                    stage: Stage::Queued,
                }),
                Abandoned::MayHaveLeft => Err(RpcError::Timeout {
                    stage: Stage::Answer,
                }),
            },
        }
    }

    /// The link closed under us before anything was sent.
    fn gone_before_sending(&self, link: &Link) -> RpcError {
        RpcError::Unreachable {
            node: link.node().clone(),
            source: DialError::Gone,
        }
    }

    fn judge(&self, link: &Link, response: Response) -> Result<Bytes, RpcError> {
        let Wanted {
            target,
            name,
            version,
            ..
        } = self.wanted;
        let detail = || String::from_utf8_lossy(&response.body).into_owned();
        Err(match response.status {
            Status::Ok => return Ok(response.body),
            Status::BadRequest => RpcError::BadRequest,
            Status::UnknownFunction => RpcError::FunctionUnavailable {
                function: name.to_owned(),
                version,
                target: target.clone(),
                offered: response
                    .body
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| u32::from_le_bytes(*bytes))
                    .collect(),
                nodes_checked: 1,
            },
            Status::ContractMismatch => RpcError::ContractMismatch {
                function: name.to_owned(),
                version,
                node: link.node().clone(),
                ours: self.wanted.contract.to_owned(),
                theirs: detail(),
            },
            Status::WrongRegion => {
                let detail = detail();
                let (region, primary) = detail.split_once('\n').unwrap_or_default();
                RpcError::WrongRegion {
                    function: name.to_owned(),
                    version,
                    node: link.node().clone(),
                    pinned: target.to_string(),
                    region: region.into(),
                    primary: primary.into(),
                }
            }
            Status::Draining => RpcError::Draining,
            Status::Expired => RpcError::Timeout {
                stage: Stage::Expired,
            },
            Status::Panicked => RpcError::Panicked {
                function: name.to_owned(),
                node: link.node().clone(),
            },
            Status::Interrupted => RpcError::Timeout {
                stage: Stage::Answer,
            },
            // What a newer peer knows better is at least told by whether it ran.
            Status::Overloaded | Status::OtherNotRun(_) => RpcError::Overloaded,
            Status::BadResponse | Status::OtherRan(_) => RpcError::BadResponse,
            _ => RpcError::ConnectionLost {
                node: link.node().clone(),
            },
        })
    }
}

enum Found {
    Node(Arc<Link>),
    /// Something changed: nodes that refused may be asked again.
    StartOver,
}

fn is_fresh(link: &Arc<Link>, tried: &[Arc<Link>]) -> bool {
    !tried.iter().any(|tried| Arc::ptr_eq(tried, link))
}

impl Candidate for Arc<Link> {
    fn node(&self) -> &NodeId {
        Link::node(self)
    }

    fn region(&self) -> &fly_rpc_transport::Region {
        Link::region(self)
    }

    fn round_trip(&self) -> Duration {
        Link::round_trip(self)
    }

    fn in_flight(&self) -> usize {
        Link::in_flight(self)
    }

    fn is_draining(&self) -> bool {
        Link::is_draining(self)
    }

    fn is_suspect(&self) -> bool {
        Link::is_suspect(self)
    }

    fn is_retiring(&self) -> bool {
        Link::is_retiring(self)
    }

    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T {
        look(self.catalogue().versions(name))
    }
}

/// How long a call waits for one link to take the place of another: it takes microseconds.
const SETTLING: Duration = Duration::from_secs(1);

/// How long a call waits for addresses that were never dialled before: a dead one among them takes
/// as long as the handshake timeout, and nobody should have to wait for that.
const FIRST_DIALS: Duration = Duration::from_secs(2);

/// A call to a target that is no target never gets here; this keeps the error in one place.
pub(crate) fn bad_target(target: &Target) -> Option<RpcError> {
    match target {
        Target::Malformed(text) => Some(RpcError::BadTarget { text: text.clone() }),
        Target::Region(region) if !region.is_well_formed() => Some(RpcError::BadTarget {
            text: region.to_string(),
        }),
        Target::Node(node) if !node.is_well_formed() => Some(RpcError::BadTarget {
            text: node.to_string(),
        }),
        _ => None,
    }
}
