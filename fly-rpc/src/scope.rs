//! Which node a call is made through, and until when: the task-local scope of a running handler, or
//! the default node of the process.
//!
//! Handlers run in the scope of their node with the deadline of their call, so that nested calls
//! find the same node and never outlive the call around them. It needs no tracing stack. It does
//! not cross `tokio::spawn`: a spawned task is no longer part of the call.

use std::{
    future::Future,
    sync::{PoisonError, RwLock},
};

use tokio::time::Instant;

use crate::{node::Node, telemetry::TraceContext};

/// What the code that runs now belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) node: Node,
    /// When the call that is being served ends; `None` outside handlers.
    pub(crate) deadline: Option<Instant>,
}

tokio::task_local! {
    static CURRENT: Current;
    /// The trace of the request that is being served, if it came with one. Most do not, so it is apart:
    /// what runs in the task of a handler is inside of it anyway.
    static TRACE: TraceContext;
}

/// Runs a future in a scope.
pub(crate) fn within<F: Future>(current: Current, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(current, future)
}

/// Runs a closure in a scope.
pub(crate) fn within_sync<T>(current: Current, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(current, run)
}

/// The scope of the code that runs now, or the default node.
pub(crate) fn current() -> Option<Current> {
    CURRENT.try_with(Clone::clone).ok().or_else(|| {
        default_node().map(|node| Current {
            node,
            deadline: None,
        })
    })
}

/// The deadline of the handler that runs now.
pub(crate) fn inherited_deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline).ok().flatten()
}

/// The trace that the handler which runs now got with its request.
pub(crate) fn inherited_trace() -> Option<TraceContext> {
    TRACE.try_with(|trace| *trace).ok()
}

/// Runs a closure as a part of this trace, or of that which it is in already.
pub(crate) fn in_trace<T>(trace: Option<TraceContext>, run: impl FnOnce() -> T) -> T {
    match trace {
        Some(trace) => TRACE.sync_scope(trace, run),
        None => run(),
    }
}

/// True inside a handler.
pub(crate) fn is_in_handler() -> bool {
    inherited_deadline().is_some()
}

/// Makes a node the default, unless there is one that still runs.
pub(crate) fn offer_default(node: &Node) {
    let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
    if default.as_ref().is_none_or(Node::is_stopped) {
        *default = Some(node.clone());
    }
}

/// Takes a node back that is the default.
pub(crate) fn withdraw_default(node: &Node) {
    let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
    if default
        .as_ref()
        .is_some_and(|current| current.is_same(node))
    {
        *default = None;
    }
}

fn default_node() -> Option<Node> {
    DEFAULT
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

static DEFAULT: RwLock<Option<Node>> = RwLock::new(None);
