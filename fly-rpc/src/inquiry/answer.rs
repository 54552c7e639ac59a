//! Answering: beside the registered functions, with the same permits and deadlines.

use std::sync::atomic::Ordering;

use fly_rpc_transport::{Request, ResponseFrame, Served, Status as Outcome};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{Question, VERSION, contract, known::Known, status::Status};
use crate::{
    environment,
    node::{Inner, Node},
    permits::Permit,
    registry::Entry,
};

impl Question {
    /// The versions of it that are answered.
    pub(crate) const fn versions(self) -> [u32; 1] {
        [VERSION]
    }

    /// Answers. What takes time is done elsewhere, until `deadline`; the permits are held as long as it lasts.
    pub(crate) fn answer(
        self,
        node: &Node,
        request: Request,
        deadline: Instant,
        permits: [Permit; 2],
    ) -> Served {
        let inner = node.inner();
        let body = match self {
            Self::Contract => return tell_contract(inner, request, deadline, permits),
            Self::Status => status(inner).write(),
            Self::Known => Known::write(&known(node)),
        };
        Served::Answer(answered(inner, &request, &body))
    }
}

fn answered(inner: &Inner, request: &Request, body: &[u8]) -> ResponseFrame {
    if body.len() > inner.limits.message_size {
        return request.respond(Outcome::BadResponse);
    }
    let mut answer = request.respond(Outcome::Ok);
    answer.body().extend_from_slice(body);
    answer
}

/// The types are walked anew: few ever ask, and to keep the trees of ten thousand functions would cost every node.
fn tell_contract(
    inner: &Inner,
    request: Request,
    deadline: Instant,
    permits: [Permit; 2],
) -> Served {
    let Some((name, version)) = contract::asked_of(&request.arguments) else {
        return Served::Answer(request.respond(Outcome::BadRequest));
    };
    let Some(served) = inner.registry.find(&name, version) else {
        return Served::Answer(request.respond(Outcome::Ok));
    };
    let (entry, text): (&'static Entry, _) = (served.entry, served.contract.text());
    let limit = inner.limits.message_size;
    let future = async move {
        let tell = spawn_blocking(move || {
            let tree = (entry.tree)().ok()?;
            drop(permits);
            Some(contract::told(&entry.spec, text, &tree))
        });
        match timeout_at(deadline, tell).await {
            Ok(Ok(Some(told))) if told.len() <= limit => {
                let mut answer = request.respond(Outcome::Ok);
                answer.body().extend_from_slice(&told);
                answer
            }
            Ok(_) => request.respond(Outcome::BadResponse),
            Err(_elapsed) => request.respond(Outcome::Interrupted),
        }
    };
    Served::Handler {
        future: Box::pin(future),
        cancellable: true,
    }
}

fn status(inner: &Inner) -> Status {
    let view = inner.primary.view();
    Status {
        time_of_day: Some(inner.time_of_day()),
        started: Some(inner.endpoint.hello().incarnation),
        library: Some(env!("CARGO_PKG_VERSION").to_owned()),
        configured_primary: inner.configured_primary.as_ref().map(ToString::to_string),
        primary: Some(view.region.to_string()),
        epoch: Some(view.epoch),
        drain_timeout: Some(inner.drain_timeout),
        default_timeout: Some(inner.default_timeout),
        bound: Some(inner.endpoint.local_addr().to_string()),
        development: inner.development,
        rotating: inner.rotating,
        gossip: inner.membership.is_some(),
        handlers: Some(inner.running.load(Ordering::Relaxed) as u64),
        most_handlers: Some(inner.limits.handlers as u64),
        platform: environment::facts(),
    }
}

fn known(node: &Node) -> Vec<Known> {
    let inner = node.inner();
    let (links, roster) = (inner.links(), inner.roster());
    let connected = links.iter().map(|link| Known {
        node: link.node().to_string(),
        region: link.region().to_string(),
        // What it tells others to dial: where it dials from need not be that.
        address: link
            .hello()
            .advertise
            .or(link.is_dialled().then(|| link.address())),
        connected: true,
    });
    let heard_of = roster.iter();
    let heard_of = heard_of.filter(|(node, _)| links.get(node).is_none());
    let heard_of = heard_of.map(|(node, known)| Known {
        node: node.to_string(),
        region: known.facts().region.to_string(),
        address: known.facts().address,
        connected: false,
    });
    connected.chain(heard_of).collect()
}
