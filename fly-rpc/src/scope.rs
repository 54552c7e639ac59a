//! Which node a call is made through, and until when: the scope of a running handler, or
//! the default node of the process.
//!
//! Handlers run in the scope of their node with the deadline of their call, so that nested calls
//! find the same node and never outlive the call around them. It needs no tracing stack. It does
//! not cross `tokio::spawn`: a spawned task is no longer part of the call.

use std::{
    cell::RefCell,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::{PoisonError, RwLock},
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{node::Node, telemetry::TraceContext};

/// What the code that runs now belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) node: Node,
    /// When the call that is being served ends; `None` outside handlers.
    pub(crate) deadline: Option<Instant>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

tokio::task_local! {
    /// The trace of the request that is being served, if it came with one. Most do not, so it is apart:
    /// what runs in the task of a handler is inside of it anyway.
    static TRACE: TraceContext;
}

/// The code that runs on this thread until this is dropped is in a scope. It must not be held over an `.await`.
///
/// A task-local of tokio does the same at each poll, but only as a future around the code, which is made
/// anew for each type: `handling.rs` needs none.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    /// What was here before.
    outer: &'a mut Option<Current>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

/// Enters a scope, and takes it out of its place for as long.
pub(crate) fn enter(current: &mut Option<Current>) -> Entered<'_> {
    exchange(current);
    Entered {
        outer: current,
        _stays_on_its_thread: PhantomData,
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        exchange(self.outer);
    }
}

fn exchange(other: &mut Option<Current>) {
    // Code that runs while its thread ends is in no scope.
    let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), other));
}

pin_project! {
    /// A future whose polls, and whose end, are in a scope.
    pub(crate) struct Within<F> {
        current: Option<Current>,
        // `None` once it is over.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _entered = enter(this.current);
                this.future.set(None);
            }
        }
    }
}

/// Runs a future in a scope.
pub(crate) fn within<F: Future>(current: Current, future: F) -> Within<F> {
    Within {
        current: Some(current),
        future: Some(future),
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = enter(this.current);
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let value = ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(value)
    }
}

/// Runs a closure in a scope.
pub(crate) fn within_sync<T>(current: Current, run: impl FnOnce() -> T) -> T {
    let mut current = Some(current);
    let _entered = enter(&mut current);
    run()
}

/// The scope of the code that runs now, or the default node.
pub(crate) fn current() -> Option<Current> {
    let current = CURRENT.try_with(|current| current.borrow().clone());
    current.ok().flatten().or_else(|| {
        default_node().map(|node| Current {
            node,
            deadline: None,
        })
    })
}

/// The deadline of the handler that runs now.
pub(crate) fn inherited_deadline() -> Option<Instant> {
    let inherited = CURRENT.try_with(|current| current.borrow().as_ref()?.deadline);
    inherited.ok().flatten()
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
