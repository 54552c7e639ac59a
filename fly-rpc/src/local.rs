//! A call that stays in this process: the function runs in place, under the same deadline, fence,
//! permits and errors as elsewhere.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for each argument twice"
)]

use std::{future::Future, pin::Pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::{
    codec::Encoded,
    context::CallContext,
    error::{RpcError, Stage},
    fence::fenced,
    node::Node,
    payload,
    permits::Permit,
    primary::PrimaryView,
    registry::{Function, Pin as PinnedTo, Scope, Served, Spec},
    run::{Arguments, RunError, apart, log_panic, run, run_blocking, until},
    scope::{self, Current},
    stall,
    target::Target,
    telemetry::Heritage,
};

/// The same gate as for a request from elsewhere: is this node staying, may the function run here,
/// is there room. Calls that running handlers make are let in while the node drains: they belong to
/// work that was accepted.
pub(crate) fn admit_here(
    node: &Node,
    served: &Served,
    target: &Target,
    deadline: Instant,
) -> Result<Scope, RpcError> {
    let inner = node.inner();
    let spec = &served.entry.spec;
    if inner.is_draining() && !scope::is_in_handler() {
        return Err(RpcError::Draining);
    }
    let for_primary = inner.means_primary(target, &inner.id, &inner.region);
    if let Some(PrimaryView { epoch, region, .. }) = inner.refusal(spec, for_primary) {
        let pinned = spec.pin.unwrap_or(PinnedTo::Primary);
        return Err(RpcError::WrongRegion {
            function: spec.name.to_owned(),
            version: spec.version,
            node: inner.id.clone(),
            pinned: pinned.to_string(),
            region: inner.region.clone(),
            primary: region,
            epoch,
        });
    }
    let permit =
        Permit::acquire(&inner.running, inner.limits.handlers).ok_or(RpcError::Overloaded)?;
    // Again, now that the permit counts.
    if inner.is_draining() && !scope::is_in_handler() {
        return Err(RpcError::Draining);
    }
    let context = CallContext {
        caller: inner.id.clone(),
        caller_region: inner.region.clone(),
        deadline,
        version: spec.version,
    };
    Ok(Scope::new(
        Arc::clone(&inner.states),
        context,
        [Some(permit), Some(Permit::count(&served.running)), None],
    ))
}

/// Runs the function in place: no serialization, the same deadline, fence, permits and errors as
/// elsewhere.
pub(crate) fn run_here<F: Function>(
    node: &Node,
    scope: Scope,
    args: F::Args<'_>,
    deadline: Instant,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        if const { F::SPEC.blocking || F::SPEC.detached } || node.inner().encodes_local_calls {
            let arguments = take_along::<F>(args, node)?;
            return run_apart::<F>(node, scope, arguments, deadline).await;
        }
        let function = scope::within(current(node, deadline), fenced(F::local(&scope, args)));
        let outcome = until(deadline, function).await;
        let outcome = outcome.map(|ran| ran.map_err(|panicked| log_panic(&F::SPEC, &panicked)));
        conclude(node, &F::SPEC, outcome)
    }
}

/// Runs it on arguments that were encoded already, to be sent elsewhere.
pub(crate) fn run_encoded_here<F: Function>(
    node: &Node,
    scope: Scope,
    arguments: Encoded,
    deadline: Instant,
) -> Concluding<'_, F::Output> {
    let arguments = Arguments::Encoded(arguments.joined(), (&node.inner().limits).into());
    run_apart::<F>(node, scope, arguments, deadline)
}

/// Runs it on arguments that may leave the caller's task.
fn run_apart<F: Function>(
    node: &Node,
    scope: Scope,
    arguments: Arguments<F>,
    deadline: Instant,
) -> Concluding<'_, F::Output> {
    let current = current(node, deadline);
    // Known when this is compiled, so that only a function that needs it is made ready for a thread or a task of
    // its own.
    let function: Running<F::Output> = if const { F::SPEC.blocking } {
        let work = move || run_blocking::<F>(scope, arguments);
        Box::pin(scope::within(current, apart(work)))
    } else {
        Box::pin(scope::within(current, run::<F>(scope, arguments)))
    };
    let function = if const { F::SPEC.detached } {
        detached(node, &F::SPEC, function)
    } else {
        function
    };
    Box::pin(concluded(node, &F::SPEC, function, deadline))
}

/// A function on its way to an outcome, which the caller's deadline does not end.
type Running<R> = Pin<Box<dyn Future<Output = Result<R, RunError>> + Send>>;
/// A local call on its way to what its caller is told.
pub(crate) type Concluding<'a, R> = Pin<Box<dyn Future<Output = Result<R, RpcError>> + Send + 'a>>;

/// It goes on when the caller gives up, so it gets a task of its own, on the node's runtime.
fn detached<R: Send + 'static>(
    node: &Node,
    spec: &'static Spec,
    function: Running<R>,
) -> Running<R> {
    let function = Heritage::here().around(stall::watching(spec, function));
    let task = node.inner().endpoint.runtime().spawn(function);
    Box::pin(async {
        task.await
            .unwrap_or_else(|failed| Err(RunError::of_task(&failed)))
    })
}

async fn concluded<R: Serialize + DeserializeOwned + 'static>(
    node: &Node,
    spec: &'static Spec,
    function: Running<R>,
    deadline: Instant,
) -> Result<R, RpcError> {
    let outcome = until(deadline, stall::watching(spec, function)).await;
    conclude(node, spec, outcome)
}

fn current(node: &Node, deadline: Instant) -> Current {
    Current {
        node: node.clone(),
        deadline: Some(deadline),
    }
}

/// What the caller is told of how it ended; of nothing, if the deadline passed.
fn conclude<R: Serialize + DeserializeOwned + 'static>(
    node: &Node,
    spec: &Spec,
    outcome: Option<Result<R, RunError>>,
) -> Result<R, RpcError> {
    match outcome {
        Some(Ok(value)) if node.inner().encodes_local_calls => {
            payload::through_the_codec(value, spec, node)
        }
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(failed(node, spec, error)),
        None => Err(RpcError::Timeout {
            stage: Stage::Answer,
        }),
    }
}

fn failed(node: &Node, spec: &Spec, error: RunError) -> RpcError {
    match error {
        RunError::Arguments => RpcError::BadRequest,
        RunError::Panicked => RpcError::Panicked {
            function: spec.name.to_owned(),
            node: node.inner().id.clone(),
        },
        RunError::Interrupted => RpcError::ConnectionLost {
            node: node.inner().id.clone(),
        },
    }
}

/// The arguments in a form that may leave the caller's task: as they are if none is a reference,
/// else through the codec.
fn take_along<F: Function>(args: F::Args<'_>, node: &Node) -> Result<Arguments<F>, RpcError> {
    let inner = node.inner();
    let args = if inner.encodes_local_calls {
        args
    } else {
        match F::own(args) {
            Ok(values) => return Ok(Arguments::Values(values)),
            Err(args) => args,
        }
    };
    let encoded = payload::encode::<F>(args)?;
    Ok(Arguments::Encoded(encoded.joined(), (&inner.limits).into()))
}
