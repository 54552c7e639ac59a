//! The calling side of a call that leaves this process: find a node, send, wait, and if that failed
//! without running, try the next.
//!
//! Nothing here knows the function's types: arguments come encoded and the value leaves encoded, so
//! that this is compiled once and not once per function.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for each argument twice"
)]

mod candidate;
mod course;
mod finding;
#[cfg(any(test, feature = "cli"))]
pub(crate) mod foreign;
mod unconnected;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant as StdInstant,
};

use bytes::Bytes;
use fly_rpc_transport::{
    Abandoned, Backoff, CallLost, DialError, EARLY, Link, Randomness, RequestHead, Response,
    SendRefused, Status,
};
use tokio::time::{Instant, sleep, timeout_at};

pub(crate) use candidate::bond;
pub(crate) use course::Course;
pub(crate) use finding::{Found, before};

use crate::{
    asked::Asked,
    codec::{Count, Encoded},
    error::{Executed, RpcError, Stage},
    local::admit_here,
    node::Node,
    registry::{Scope, Spec},
    resolve::Wanted,
    target::Target,
    telemetry::{Attempt, Calling},
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

/// How a call goes on.
pub(crate) enum Outcome {
    /// With its encoded value.
    Value(Bytes),
    /// In this process, whose turn it is, and which lets it in.
    Here(Box<Scope>),
}

/// What asking one node after another comes to.
enum Turn {
    Value(Bytes),
    Here,
}

/// What an attempt brought.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The encoded value.
    pub(crate) value: Bytes,
    /// When it was read.
    pub(crate) at: Option<StdInstant>,
}

impl RemoteCall<'_> {
    /// Makes the call, as far as it leaves this process. It may come back, if this node belongs to a target
    /// that the caller named for the case that the first one has nobody; or if the primary comes here meanwhile.
    ///
    /// This and what it consists of are no `async fn`: those have room for each argument twice, and every
    /// call in flight is as large as all three.
    pub(crate) fn run(
        &self,
        arguments: &Encoded,
        course: &mut Course,
        calling: &Calling<'_>,
    ) -> impl Future<Output = Result<Outcome, RpcError>> + Send {
        async move {
            let _counted = self.node.inner().count_own_call();
            loop {
                course.turns.begin(&self.node.inner().primary);
                match self.attempts(arguments, course, calling).await {
                    Ok(Turn::Value(value)) => return Ok(Outcome::Value(value)),
                    Ok(Turn::Here) => match self.come_back(calling) {
                        Ok(scope) => return Ok(Outcome::Here(scope)),
                        Err(refused) => course.refused_here(refused),
                    },
                    Err(error) if self.may_begin_anew(&error, course) => course.begin_anew(),
                    Err(error) => return Err(course.verdict(error)),
                }
            }
        }
    }

    /// Lets the call in here, after all.
    ///
    /// # Errors
    /// Why this node does not.
    fn come_back(&self, calling: &Calling<'_>) -> Result<Box<Scope>, RpcError> {
        let served = self.node.inner().registry.at(self.place);
        // It is there: otherwise it would not have been this node's turn.
        let served = served.ok_or(RpcError::Encode)?;
        let scope = admit_here(self.node, served, self.wanted.target, self.deadline)?;
        calling.here();
        Ok(Box::new(scope))
    }

    /// True if the call was meant for the primary, and nobody ran it for a reason that a move of the
    /// primary explains.
    fn may_begin_anew(&self, error: &RpcError, course: &mut Course) -> bool {
        let is_void = matches!(
            error,
            RpcError::WrongRegion { .. }
                | RpcError::NoNode { .. }
                | RpcError::FunctionUnavailable { .. }
                | RpcError::Unreachable { .. }
        );
        is_void && self.is_for_primary() && course.turns.another(&self.node.inner().primary)
    }

    fn is_for_primary(&self) -> bool {
        self.wanted.target.in_order().contains(&Target::Primary)
    }

    /// Asks one node after another.
    fn attempts(
        &self,
        arguments: &Encoded,
        course: &mut Course,
        calling: &Calling<'_>,
    ) -> impl Future<Output = Result<Turn, RpcError>> + Send {
        async move {
            let inner = self.node.inner();
            if arguments.len() > inner.limits.message_size {
                return Err(RpcError::TooLarge {
                    size: arguments.len(),
                    limit: inner.limits.message_size,
                });
            }
            if self.spec.idempotent && course.attempts == 0 {
                inner.deposit_retry();
            }
            loop {
                let mut now = inner.read_clock();
                let link = match self.choose_at_once(course.tried(), now.moment) {
                    Some(link) => link,
                    // Boxed, as is all that few calls need: every call would be as large.
                    None => match Box::pin(self.find(course)).await? {
                        Found::Node(link) => {
                            now = inner.read_clock();
                            link
                        }
                        Found::Here => return Ok(Turn::Here),
                        Found::StartOver => {
                            course.begin_anew();
                            continue;
                        }
                    },
                };
                // Somebody else is about to see whether it is back.
                let Some(asked) = Asked::of(inner, &link, now) else {
                    continue;
                };
                // The outcome ends with this block, or every call would have room for it beside the attempt.
                let error = {
                    let attempt = calling.attempt(self.spec, &link, arguments.len());
                    let outcome = attempt
                        .watch(pin!(self.attempt(&link, arguments, &attempt, now.at)))
                        .await;
                    attempt.end(&outcome);
                    asked.end(&outcome);
                    match outcome {
                        Ok(answer) => return Ok(Turn::Value(answer.value)),
                        Err(error) => Box::new(error),
                    }
                };
                tracing::debug!(function = self.spec.name, version = self.spec.version, peer = %link.node(), %error, "an attempt failed");
                if matches!(*error, RpcError::WrongRegion { .. })
                    && self.is_for_primary()
                    && Box::pin(course.pursuit.follows(
                        &inner.primary,
                        &link,
                        &error,
                        self.deadline,
                    ))
                    .await
                {
                    course.begin_anew();
                    continue;
                }
                // A connection that was gone before it was used costs nobody anything, and a node that
                // drains says so once.
                let is_free = matches!(*error, RpcError::Unreachable { .. } | RpcError::Draining);
                course.attempts += u32::from(!is_free);
                match error.executed() {
                    _ if course.attempts >= inner.limits.attempts => return Err(*error),
                    // Nothing ran: whoever else can serve it is asked at once.
                    Executed::No
                        if !matches!(*error, RpcError::Timeout { .. } | RpcError::BadRequest) => {}
                    Executed::Unknown
                        if self.spec.idempotent
                            && !matches!(*error, RpcError::Timeout { .. })
                            && inner.withdraw_retry() =>
                    {
                        let detours = course.detours();
                        detours.doubt = Some(RpcError::clone(&error));
                        let backoff = detours
                            .backoff
                            .get_or_insert_with(|| Backoff::new(&inner.limits));
                        let pause = sleep(backoff.next_delay(self.chance().fraction()));
                        if Box::pin(timeout_at(self.deadline, pause)).await.is_err() {
                            return Err(*error);
                        }
                    }
                    _ => return Err(*error),
                }
                let detours = course.detours();
                if link.was_turned_away() {
                    // It is dialled once more, as whoever it is.
                    detours.unreached.retain(|node| node != link.node());
                }
                detours.tried.push(link);
                course.failure = Some(error);
            }
        }
    }

    fn chance(&self) -> &Randomness {
        self.node.inner().endpoint.randomness()
    }

    fn attempt(
        &self,
        link: &Arc<Link>,
        arguments: &Encoded,
        attempt: &Attempt<'_>,
        mut now: Instant,
    ) -> impl Future<Output = Result<Answer, RpcError>> + Send {
        async move {
            // Only its hello says whether it accepts that many.
            if arguments.len() > EARLY && !link.is_introduced() {
                let introduced = Box::pin(timeout_at(self.deadline, link.introduced()));
                if introduced.await.is_err() {
                    return Err(RpcError::Timeout {
                        stage: Stage::Connecting,
                    });
                }
                now = Instant::now();
            }
            let limit = usize::try_from(link.hello().message_size).unwrap_or(usize::MAX);
            if arguments.len() > limit {
                return Err(RpcError::TooLarge {
                    size: arguments.len(),
                    limit,
                });
            }
            let inner = self.node.inner();
            let head = RequestHead {
                function: self.wanted.name,
                version: self.wanted.version,
                contract: self.wanted.fingerprint,
                trace: attempt.trace(),
                for_primary: inner.means_primary(self.wanted.target, link.node(), link.region()),
            };
            let answers = self.node.inner().registry.answers(self.place);
            let answer = answers.expected();
            let too_late = || RpcError::Timeout {
                stage: Stage::Queued,
            };
            let sent = poll_fn(|cx| {
                let waker = Some(cx.waker());
                let mut count = Count::default();
                let body = arguments.body(&mut count);
                Poll::Ready(link.call_now(&head, body, answer, self.deadline, now, waker))
            });
            let sent = match sent.await {
                Some(sent) => sent,
                // Waits for a lane, or for room on one.
                None => Box::pin(timeout_at(self.deadline, async {
                    let mut count = Count::default();
                    let body = arguments.body(&mut count);
                    link.call_with_room(&head, body, answer, self.deadline)
                        .await
                }))
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
                // It left, and nobody looked at it.
                Err(CallLost::MayHaveLeft) if link.was_turned_away() => {
                    Err(self.gone_before_sending(link))
                }
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
    }

    /// The link closed under us before anything was sent.
    fn gone_before_sending(&self, link: &Link) -> RpcError {
        RpcError::Unreachable {
            node: link.node().clone(),
            source: DialError::Gone,
        }
    }

    fn judge(&self, link: &Link, response: Response) -> Result<Answer, RpcError> {
        let Wanted {
            target,
            name,
            version,
            ..
        } = self.wanted;
        let detail = || String::from_utf8_lossy(&response.body).into_owned();
        Err(match response.status {
            Status::Ok => {
                return Ok(Answer {
                    at: response.read_at(),
                    value: response.body,
                });
            }
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
                let mut views = detail.split('\n');
                let mut next = || views.next().unwrap_or_default();
                let (region, primary, epoch) = (next(), next(), next());
                RpcError::WrongRegion {
                    function: name.to_owned(),
                    version,
                    node: link.node().clone(),
                    pinned: target.to_string(),
                    region: region.into(),
                    primary: primary.into(),
                    epoch: epoch.parse().unwrap_or_default(),
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

/// A call to a target that is no target never gets here; this keeps the error in one place.
pub(crate) fn bad_target(target: &Target) -> Option<RpcError> {
    match target {
        Target::FirstOf(targets) => targets.iter().find_map(bad_target),
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
