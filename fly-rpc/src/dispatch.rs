//! From a request to its answer: the serving side of a call.
//!
//! Everything that can be refused is refused before the function is touched, in an order that tells
//! the caller the most: is this node staying, is there time, is the function here, does it mean the
//! same, may it run here, is there room.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use fly_rpc_transport::{
    CallId, Hearsay, Link, NodeId, Request, ResponseFrame, Served, Service, Status, View,
};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    codec,
    context::CallContext,
    deadline,
    fence::discard,
    handling::{Surroundings, handle},
    inquiry::Question,
    node::{Inner, Node},
    payload,
    permits::Permit,
    primary::PrimaryView,
    registry::{Function, Pin as PinnedTo, Scope, Spec},
    run::{Arguments, RunError, apart, run, run_blocking},
    scope::Current,
    stall,
    telemetry::Serving,
};

/// The bounds of one request and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// What decoding the arguments may cost.
    pub(crate) arguments: codec::Bounds,
    /// Bytes of the encoded value, the smaller of both sides' limits.
    pub(crate) answer: usize,
}

/// The service behind every link of one node.
#[derive(Debug, Default)]
pub(crate) struct Dispatch {
    node: OnceLock<Weak<Inner>>,
}

impl Dispatch {
    /// Tells the dispatch its node, once that exists.
    pub(crate) fn attach(&self, node: Weak<Inner>) {
        // Set once, by `start`.
        let _ = self.node.set(node);
    }

    fn node(&self) -> Option<Node> {
        self.node
            .get()
            .and_then(Weak::upgrade)
            .map(Node::from_inner)
    }

    /// A request was refused.
    fn note(&self, link: &Link, status: Status) {
        tracing::debug!(peer = %link.node(), ?status, "a request was refused");
        if let Some(inner) = self.node.get().and_then(Weak::upgrade) {
            inner.meters.refused(status);
        }
    }
}

impl Service for Dispatch {
    fn gossip(&self, link: &Arc<Link>, message: Bytes) {
        if link.hello().observer {
            return;
        }
        let node = self.node.get().and_then(Weak::upgrade);
        if let Some(membership) = node.as_ref().and_then(|node| node.membership.as_ref()) {
            membership.hear(link.node(), message);
        }
    }

    fn said_of(&self, node: &NodeId) -> Option<Hearsay> {
        let inner = self.node.get().and_then(Weak::upgrade)?;
        let roster = inner.roster();
        let facts = roster.get(node)?.facts();
        Some(Hearsay {
            incarnation: facts.is_exact().then_some(facts.life),
            region: facts.region.clone(),
            view: View {
                region: facts.primary.clone(),
                epoch: None,
                vouched: false,
            },
            catalogue: facts.catalogue,
        })
    }

    fn kept(&self, function: &str, version: u32, held: Duration) {
        stall::warn(function, version, held);
    }

    fn serve(&self, link: &Arc<Link>, request: Request) -> Served {
        let served = match self.node() {
            Some(node) => admit(node, link, request),
            None => Served::Answer(request.respond(Status::Draining)),
        };
        if let Served::Answer(answer) = &served
            && is_refusal(answer.status())
        {
            self.note(link, answer.status());
        }
        served
    }
}

/// False for what answers a question (`inquiry`) at once.
fn is_refusal(status: Status) -> bool {
    !matches!(
        status,
        Status::Ok | Status::BadRequest | Status::BadResponse
    )
}

fn admit(node: Node, link: &Arc<Link>, request: Request) -> Served {
    let inner = node.inner();
    if inner.is_draining() {
        return Served::Answer(request.respond(Status::Draining));
    }
    if request.remaining.is_zero() {
        return Served::Answer(request.respond(Status::Expired));
    }
    let Some(served) = inner.registry.find(request.function(), request.version) else {
        return inquire(node, link, request);
    };
    if served.contract.fingerprint().to_bytes() != request.contract {
        let theirs = served.contract.text().as_bytes();
        return Served::Answer(
            request
                .respond(Status::ContractMismatch)
                .with_detail(&theirs[..theirs.len().min(DETAIL)]),
        );
    }
    let spec: &'static Spec = &served.entry.spec;
    if let Some(primary) = inner.refusal(spec, request.for_primary) {
        let mut views = format!("{}\n{}", inner.region, primary.region);
        // Builds without epochs would take it for a part of the region.
        if link.hello().view.epoch.is_some() {
            views.push_str(&format!("\n{}", primary.epoch));
        }
        return Served::Answer(
            request
                .respond(Status::WrongRegion)
                .with_detail(views.as_bytes()),
        );
    }
    let limits = &inner.limits;
    let [of_peer, of_node] = match permits(inner, link) {
        Ok(permits) => permits,
        Err(status) => return Served::Answer(request.respond(status)),
    };
    let arrived = request.arrived();
    let arrived = arrived.map_or_else(Instant::now, Instant::from_std);
    let deadline = deadline::after(arrived, request.remaining, limits.deadline);
    let context = CallContext {
        caller: link.node().clone(),
        caller_region: link.region().clone(),
        deadline,
        version: request.version,
    };
    let permits = [of_peer, of_node, Permit::count(&served.running)].map(Some);
    let scope = Scope::new(Arc::clone(&inner.states), context, permits);
    let bounds = Bounds {
        arguments: limits.into(),
        answer: limits
            .message_size
            .min(usize::try_from(link.hello().message_size).unwrap_or(usize::MAX)),
    };
    let serve = served.entry.serve;
    let cancellable = !spec.detached;
    let serving = Serving::begin(inner, link, &request, served);
    Served::Handler {
        future: serve(Admitted {
            scope,
            bounds,
            surroundings: Surroundings {
                spec,
                call: request.id(),
                current: Current {
                    node,
                    deadline: Some(deadline),
                },
                serving,
                deadline: cancellable.then_some(deadline),
            },
            arguments: request.arguments,
        }),
        cancellable,
    }
}

/// What a request takes that may run.
fn permits(inner: &Inner, link: &Link) -> Result<[Permit; 2], Status> {
    let limits = &inner.limits;
    let (Some(of_peer), Some(of_node)) = (
        Permit::acquire(link.serving(), limits.handlers_per_peer),
        Permit::acquire(&inner.running, limits.handlers),
    ) else {
        return Err(Status::Overloaded);
    };
    // Again, now that the permit counts: a drain that began meanwhile either sees it or is seen here.
    if inner.is_draining() {
        return Err(Status::Draining);
    }
    link.count_accepted();
    Ok([of_peer, of_node])
}

/// A request of a function that is not registered: a question to the node itself, or nothing that is known.
fn inquire(node: Node, link: &Link, request: Request) -> Served {
    let inner = node.inner();
    let question = Question::named(request.function());
    let Some(question) = question.filter(|question| question.versions().contains(&request.version))
    else {
        return Served::Answer(unknown_function(inner, &request, question));
    };
    match permits(inner, link) {
        Ok(permits) => {
            let limit = inner.limits.deadline;
            let deadline = deadline::after(Instant::now(), request.remaining, limit);
            question.answer(&node, request, deadline, permits)
        }
        Err(status) => Served::Answer(request.respond(status)),
    }
}

/// A request that may run, and what it runs with.
#[derive(Debug)]
pub(crate) struct Admitted {
    scope: Scope,
    arguments: Bytes,
    bounds: Bounds,
    surroundings: Surroundings,
}

/// Runs `F` on a request and writes the answer. What `Entry` points to.
pub(crate) fn serve<F: Function>(
    admitted: Admitted,
) -> Pin<Box<dyn Future<Output = ResponseFrame> + Send>> {
    let Admitted {
        scope,
        arguments,
        bounds,
        surroundings,
    } = admitted;
    let call = surroundings.call;
    let arguments = Arguments::<F>::Encoded(arguments, bounds.arguments);
    let respond = move |outcome| answer(call, &F::SPEC, outcome, bounds);
    // Known when this is compiled, so that only a function that blocks is made ready for a thread of its own.
    if const { F::SPEC.blocking } {
        let work = move || Ok(respond(run_blocking::<F>(scope, arguments)));
        handle(surroundings, apart(work), move |answered| {
            answered.unwrap_or_else(|error| call.respond(error.status()))
        })
    } else {
        handle(surroundings, run::<F>(scope, arguments), respond)
    }
}

/// The value may panic while it is encoded or dropped; it ran all the same.
fn answer<T: Serialize + 'static>(
    call: CallId,
    spec: &Spec,
    outcome: Result<T, RunError>,
    bounds: Bounds,
) -> ResponseFrame {
    let mut value = match outcome {
        Ok(value) => value,
        Err(error) => return call.respond(error.status()),
    };
    let mut answer = call.respond(Status::Ok);
    let encode = || match codec::bytes_in(&mut value) {
        Some(bytes) => {
            codec::encode_into(&bytes.len(), answer.body())?;
            answer.append(bytes);
            Ok(())
        }
        None => codec::encode_into(&value, answer.body()),
    };
    let encoded = payload::answer(spec, encode).is_some();
    discard(value);
    let size = answer.size();
    if encoded && size <= bounds.answer {
        return answer;
    }
    if encoded {
        log_too_large(spec, size, bounds.answer);
    }
    answer.restart(Status::BadResponse)
}

#[cold]
fn log_too_large(spec: &Spec, size: usize, limit: usize) {
    tracing::warn!(
        function = spec.name,
        version = spec.version,
        size,
        limit,
        "an answer is too large"
    );
}

fn unknown_function(inner: &Inner, request: &Request, question: Option<Question>) -> ResponseFrame {
    let mut detail = BytesMut::new();
    let served = inner.registry.versions(request.function()).iter();
    let served = served.map(|served| served.entry.spec.version);
    let answered = question.into_iter().flat_map(Question::versions);
    for version in served.chain(answered).take(DETAIL / 4) {
        detail.put_u32_le(version);
    }
    request
        .respond(Status::UnknownFunction)
        .with_detail(&detail)
}

impl Inner {
    /// Why a call may not run here, as this node's view of the primary: the function is pinned to
    /// another region, or the call is meant for the primary and this is not where it is.
    pub(crate) fn refusal(&self, spec: &Spec, for_primary: bool) -> Option<PrimaryView> {
        let is_primary = || self.region == *self.primary.region();
        let may_serve = match spec.pin {
            None => !for_primary || is_primary(),
            Some(PinnedTo::Primary) => is_primary(),
            Some(PinnedTo::Region(region)) => {
                return (self.region.as_str() != region).then(|| self.primary.view());
            }
        };
        // If the primary came here in this very moment, that view would contradict the refusal.
        let view = (!may_serve).then(|| self.primary.view());
        view.filter(|view| view.region != self.region)
    }
}

/// Bytes of detail that go with a refusal.
const DETAIL: usize = 2048;
