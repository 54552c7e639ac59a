//! A call that stays in this process: the function runs in place, under the same deadline, fence,
//! permits and errors as elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    context::CallContext,
    error::{RpcError, Stage},
    fence::fenced,
    node::Node,
    payload,
    permits::Permit,
    primary::PrimaryView,
    registry::{Function, Pin, Scope, Served},
    run::{Arguments, RunError, log_panic, run, until},
    scope::{self, Current},
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
        let pinned = spec.pin.unwrap_or(Pin::Primary);
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
pub(crate) async fn run_here<F: Function>(
    node: &Node,
    scope: Scope,
    args: F::Args<'_>,
    deadline: Instant,
) -> Result<F::Output, RpcError> {
    if node.inner().encodes_local_calls || F::SPEC.blocking || F::SPEC.detached {
        let arguments = take_along::<F>(args, node)?;
        return run_apart::<F>(node, scope, arguments, deadline).await;
    }
    let function = async {
        let outcome = fenced(F::local(&scope, args)).await;
        outcome.map_err(|panicked| log_panic::<F>(&panicked))
    };
    let outcome = until(
        Some(deadline),
        scope::within(current(node, deadline), function),
    )
    .await;
    conclude::<F>(node, outcome)
}

/// Runs it on arguments that were encoded already, to be sent elsewhere.
pub(crate) async fn run_encoded_here<F: Function>(
    node: &Node,
    scope: Scope,
    arguments: Bytes,
    deadline: Instant,
) -> Result<F::Output, RpcError> {
    let arguments = Arguments::Encoded(arguments, (&node.inner().limits).into());
    run_apart::<F>(node, scope, arguments, deadline).await
}

/// Runs it on arguments that may leave the caller's task.
async fn run_apart<F: Function>(
    node: &Node,
    scope: Scope,
    arguments: Arguments<F>,
    deadline: Instant,
) -> Result<F::Output, RpcError> {
    let current = current(node, deadline);
    // Apart, so that the future of every other call is not as large as this one.
    let function = Box::pin(scope::within(current, run::<F>(scope, arguments)));
    let outcome = if F::SPEC.detached {
        // It goes on when the caller gives up, so it gets a task of its own, on the node's
        // runtime.
        let function = Heritage::here().around(function);
        let task = node.inner().endpoint.runtime().spawn(function);
        until(Some(deadline), task)
            .await
            .map(|joined| joined.unwrap_or_else(|failed| Err(RunError::of_task(&failed))))
    } else {
        until(Some(deadline), function).await
    };
    conclude::<F>(node, outcome)
}

fn current(node: &Node, deadline: Instant) -> Current {
    Current {
        node: node.clone(),
        deadline: Some(deadline),
    }
}

/// What the caller is told of how it ended; of nothing, if the deadline passed.
fn conclude<F: Function>(
    node: &Node,
    outcome: Option<Result<F::Output, RunError>>,
) -> Result<F::Output, RpcError> {
    match outcome {
        Some(Ok(value)) if node.inner().encodes_local_calls => {
            payload::through_the_codec::<F>(value, node)
        }
        Some(Ok(value)) => Ok(value),
        Some(Err(RunError::Arguments)) => Err(RpcError::BadRequest),
        Some(Err(RunError::Panicked)) => Err(RpcError::Panicked {
            function: F::SPEC.name.to_owned(),
            node: node.inner().id.clone(),
        }),
        Some(Err(RunError::Interrupted)) => Err(RpcError::ConnectionLost {
            node: node.inner().id.clone(),
        }),
        None => Err(RpcError::Timeout {
            stage: Stage::Answer,
        }),
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
    let bytes = payload::encode::<F>(args)?;
    Ok(Arguments::Encoded(bytes, (&inner.limits).into()))
}
