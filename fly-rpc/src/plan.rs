//! What a call is about to do, without its function's types: through which node, until when, and whether it
//! stays here.

use std::{any::TypeId, time::Duration};

use tokio::time::Instant;

use crate::{
    deadline,
    error::{RpcError, Stage},
    local::admit_here,
    node::Node,
    registry::{Registered, Scope, Spec, registered_of},
    remote::{Course, RemoteCall, bad_target},
    resolve::Wanted,
    scope,
    target::Target,
    telemetry::Calling,
};

/// What the caller may ask for, whatever is called.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) target: Target,
    pub(crate) timeout: Option<Duration>,
    pub(crate) node: Option<Node>,
    pub(crate) wait_ready: bool,
    /// The end of a call that this one takes over from.
    pub(crate) no_later_than: Option<Instant>,
}

impl Wishes {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            timeout: None,
            node: None,
            wait_ready: false,
            no_later_than: None,
        }
    }

    /// The plan of a call of `function` that begins `now`.
    ///
    /// # Errors
    /// There is no node.
    pub(crate) fn plan(
        &mut self,
        spec: &Spec,
        function: TypeId,
        now: Instant,
    ) -> Result<Plan<'_>, RpcError> {
        let node = self.node.take().or_else(crate::node);
        let node = node.ok_or(RpcError::NotStarted)?;
        let inner = node.inner();
        let timeout = self.timeout.or(spec.timeout);
        let timeout = timeout.unwrap_or(inner.default_timeout);
        let due = deadline::after(now, timeout, inner.limits.deadline);
        let due = deadline::earlier(due, scope::inherited_deadline());
        let due = deadline::earlier(due, self.no_later_than);
        Ok(Plan {
            wishes: self,
            registered: registered_of(function),
            node,
            due: (due > now).then_some(due),
        })
    }
}

/// A call that has begun.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    wishes: &'a Wishes,
    /// The function, and its place among those that are registered.
    registered: Option<(usize, &'static Registered)>,
    pub(crate) node: Node,
    /// When it has to end; `None` if that was not after it began.
    pub(crate) due: Option<Instant>,
}

/// Whether a call stays.
pub(crate) enum Stay {
    /// It does, and this is what its function runs with.
    Here(Scope),
    /// It leaves; also why this node refused it, if it belongs here.
    Elsewhere(Option<Box<RpcError>>),
}

impl Plan<'_> {
    /// What is told of the call, which begins `now`.
    pub(crate) fn calling(&self, spec: &Spec, now: Instant) -> Calling<'_> {
        let place = self.registered.map(|(place, _)| place);
        Calling::begin(self.node.inner(), spec, place, &self.wishes.target, now)
    }

    /// When it has to end.
    ///
    /// # Errors
    /// It should have ended already.
    pub(crate) fn deadline(&self) -> Result<Instant, RpcError> {
        self.due.ok_or(RpcError::Timeout {
            stage: Stage::FindingNode,
        })
    }

    /// Lets the call in, if this is where it should run.
    ///
    /// # Errors
    /// It can run nowhere.
    pub(crate) fn stay(&self, deadline: Instant, calling: &Calling<'_>) -> Result<Stay, RpcError> {
        let inner = self.node.inner();
        let target = &self.wishes.target;
        if self.node.is_stopped() {
            return Err(RpcError::NotStarted);
        }
        if let Some(error) = bad_target(target) {
            return Err(error);
        }
        let first = target.in_order().first();
        if first.is_some_and(|first| inner.here().is_target(first))
            && let Some((place, _)) = self.registered
            && let Some(served) = inner.registry.at(place)
        {
            return Ok(match admit_here(&self.node, served, target, deadline) {
                Ok(scope) => {
                    calling.here();
                    Stay::Here(scope)
                }
                Err(error) => Stay::Elsewhere(Some(Box::new(error))),
            });
        }
        Ok(Stay::Elsewhere(None))
    }

    /// Takes the call elsewhere.
    ///
    /// # Errors
    /// It can run nowhere.
    pub(crate) fn leave(
        &self,
        deadline: Instant,
        refused_here: Option<Box<RpcError>>,
        has_older: bool,
    ) -> Result<Leaving<'_>, RpcError> {
        // A function that is not in the registry, or has no contract, can only be one that this node
        // hides: it cannot be called from here either.
        let Some((place, function)) = self.registered else {
            return Err(RpcError::Encode);
        };
        let Ok(contract) = &function.contract else {
            return Err(RpcError::Encode);
        };
        let wanted = Wanted {
            target: &self.wishes.target,
            name: function.spec().name,
            version: function.spec().version,
            fingerprint: contract.fingerprint().to_bytes(),
            contract: contract.text(),
        };
        // The primary left in this very moment, and may come back.
        let is_gone = matches!(refused_here.as_deref(), Some(RpcError::WrongRegion { .. }));
        Ok(Leaving {
            remote: RemoteCall {
                node: &self.node,
                spec: function.spec(),
                place,
                wanted,
                deadline,
                wait_ready: self.wishes.wait_ready,
                has_older,
            },
            course: Course::new(refused_here.is_some() && !is_gone),
            refused_here,
        })
    }
}

/// A call that leaves this process, or tries to.
pub(crate) struct Leaving<'a> {
    pub(crate) remote: RemoteCall<'a>,
    pub(crate) course: Course,
    refused_here: Option<Box<RpcError>>,
}

impl Leaving<'_> {
    /// What the caller is told of a call that nobody answered. If others of the target did not help either,
    /// what this node said first is the better reason.
    pub(crate) fn reason(&mut self, error: RpcError) -> RpcError {
        match error {
            RpcError::NoNode { .. } | RpcError::FunctionUnavailable { .. } => {
                self.refused_here.take().map_or(error, |reason| *reason)
            }
            _ => error,
        }
    }
}
