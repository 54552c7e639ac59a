//! The call: what a stub returns, and what a caller awaits.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for each argument twice"
)]

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    deadline,
    error::{CallError, RpcError, Stage},
    local::{admit_here, run_encoded_here, run_here},
    node::Node,
    payload,
    registry::{Function, Registered, registered_of},
    remote::{Course, Outcome, RemoteCall, bad_target},
    resolve::Wanted,
    scope,
    target::Target,
    telemetry::Calling,
};

/// A call of an annotated function: a future of its value. Nothing is sent before it is first
/// polled.
///
/// It borrows the reference arguments, as the future of an `async fn` would; without reference
/// arguments it is `'static`.
///
/// # Delivery
/// At most once, unless the function is marked `idempotent`. A failure says whether the function
/// ran: [`RpcError::executed`].
///
/// # Cancel safety
/// Dropping a call takes its request back if it has not left this process; otherwise the peer is
/// told, and drops the function at its next `.await`, unless it is `detached` or `blocking`.
/// Whether it ran is then unknown.
///
/// # Errors
/// [`RpcError`], each variant of which says what to do.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
///
/// use fly_rpc::region_rpc;
///
/// #[region_rpc]
/// fn upcase(text: &str) -> String {
///     text.to_uppercase()
/// }
///
/// # async fn example() -> Result<(), fly_rpc::RpcError> {
/// let loud = upcase_on_region("hkg", "fly").timeout(Duration::from_millis(800)).await?;
/// assert_eq!(loud, "FLY");
/// # Ok(())
/// # }
/// ```
#[must_use = "a call is not made before it is awaited"]
pub struct Call<'a, R> {
    invocation: Pin<Box<dyn Invoke<'a, R> + 'a>>,
}

#[derive(Debug)]
struct Options<'a, R> {
    target: Target,
    timeout: Option<Duration>,
    node: Option<Node>,
    wait_ready: bool,
    /// The end of a call that this one takes over from.
    no_later_than: Option<Instant>,
    older: Option<Call<'a, R>>,
}

/// A function and its arguments, without the function's type: options until the first poll, and
/// then a future.
trait Invoke<'a, R>: Future<Output = Result<R, RpcError>> + Send {
    fn options(&self) -> Option<&Options<'a, R>>;
    fn options_mut(self: Pin<&mut Self>) -> Option<&mut Options<'a, R>>;
}

pin_project! {
    /// Both live in the one allocation of a call.
    #[project = State]
    enum Invocation<'a, R, A, F, W> {
        /// `None` only while it is made.
        Planned { plan: Option<(Options<'a, R>, A)>, make: F },
        Made { #[pin] work: W },
    }
}

/// Plans a call of `F`. What stubs consist of.
pub fn call<'a, F: Function>(target: impl Into<Target>, args: F::Args<'a>) -> Call<'a, F::Output> {
    let options = Options {
        target: target.into(),
        timeout: None,
        node: None,
        wait_ready: false,
        no_later_than: None,
        older: None,
    };
    Call {
        invocation: Box::pin(Invocation::Planned {
            plan: Some((options, args)),
            make: invoke::<F>,
        }),
    }
}

impl<'a, R> Call<'a, R> {
    /// Gives the call this long, from its first poll on and never more than `Limits::deadline` (5
    /// min), for everything: finding a node, connecting, queueing, and the answer. The default is
    /// the function's own `timeout`, else the node's (5 s). Inside a handler a call never outlives
    /// the call that is being served.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeout = Some(timeout))
    }

    /// Makes the call through this node instead of the one of the current scope or the default one.
    pub fn via(self, node: &Node) -> Self {
        self.with(|options| options.node = Some(node.clone()))
    }

    /// Waits, within the deadline, for a node that can serve the call, instead of failing at once.
    pub fn wait_ready(self) -> Self {
        self.with(|options| options.wait_ready = true)
    }

    /// If no node of the target offers this version, makes that call instead, within what is left
    /// of the deadline. Nothing ran until then, so this cannot run anything twice.
    pub fn or_older(self, older: Self) -> Self {
        self.with(|options| {
            options.older = Some(match options.older.take() {
                Some(first) => first.or_older(older),
                None => older,
            });
        })
    }

    /// What is set after the call began changes nothing any more.
    fn with(mut self, set: impl FnOnce(&mut Options<'a, R>)) -> Self {
        if let Some(options) = self.invocation.as_mut().options_mut() {
            set(options);
        }
        self
    }
}

impl<'a, T, E> Call<'a, Result<T, E>> {
    /// Merges the function's own error and the call's into one: `Result<T, CallError<E>>`.
    pub fn flatten(self) -> FlatCall<'a, T, E> {
        FlatCall { call: self }
    }
}

impl<R> Future for Call<'_, R> {
    type Output = Result<R, RpcError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.invocation.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for Call<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.invocation.options() {
            Some(options) => f
                .debug_struct("Call")
                .field("target", &options.target)
                .field("timeout", &options.timeout)
                .finish_non_exhaustive(),
            None => f.write_str("Call(made)"),
        }
    }
}

/// A call whose two kinds of errors are one: what [`Call::flatten`] gives.
#[must_use = "a call is not made before it is awaited"]
#[derive(Debug)]
pub struct FlatCall<'a, T, E> {
    call: Call<'a, Result<T, E>>,
}

impl<T, E> Future for FlatCall<'_, T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.call).poll(cx)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(CallError::App(error)),
            Err(error) => Err(CallError::Rpc(error)),
        })
    }
}

impl<'a, R, A, F, W> Future for Invocation<'a, R, A, F, W>
where
    F: Fn(Options<'a, R>, A) -> W,
    W: Future<Output = Result<R, RpcError>>,
{
    type Output = Result<R, RpcError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Planned { plan, make } = self.as_mut().project()
            && let Some((options, args)) = plan.take()
        {
            let work = make(options, args);
            self.set(Self::Made { work });
        }
        match self.project() {
            State::Made { work } => work.poll(cx),
            State::Planned { .. } => unreachable!("it is made when it is first polled"),
        }
    }
}

impl<'a, R, A, F, W> Invoke<'a, R> for Invocation<'a, R, A, F, W>
where
    Self: Future<Output = Result<R, RpcError>> + Send,
{
    fn options(&self) -> Option<&Options<'a, R>> {
        match self {
            Self::Planned { plan, .. } => plan.as_ref().map(|(options, _)| options),
            Self::Made { .. } => None,
        }
    }

    fn options_mut(self: Pin<&mut Self>) -> Option<&mut Options<'a, R>> {
        match self.project() {
            State::Planned { plan, .. } => plan.as_mut().map(|(options, _)| options),
            State::Made { .. } => None,
        }
    }
}

/// What becomes of a call when it is first polled.
///
/// Every call in flight is as large as this future and that of [`make`] in it. So their arguments are captured, for
/// which an `async fn` has room twice, and nothing outlives an `await` that is not needed behind it.
fn invoke<'a, F: Function>(
    mut options: Options<'a, F::Output>,
    args: F::Args<'a>,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        let Some(node) = options.node.take().or_else(crate::node) else {
            return Err(RpcError::NotStarted);
        };
        let begun = Instant::now();
        let deadline = options.deadline(begun, &node, F::SPEC.timeout);
        let older = options.older.take();
        let outcome = {
            let registered = registered_of::<F>();
            let place = registered.map(|(place, _)| place);
            let calling = Calling::begin(node.inner(), &F::SPEC, place, &options.target, begun);
            let outcome = match deadline {
                Some(deadline) => {
                    let terms = Terms {
                        target: &options.target,
                        wait_ready: options.wait_ready,
                        has_older: older.is_some(),
                    };
                    let made = make::<F>(&node, args, registered, terms, deadline, &calling);
                    calling.watch(pin!(made)).await
                }
                None => Err(RpcError::Timeout {
                    stage: Stage::FindingNode,
                }),
            };
            calling.end(&outcome);
            outcome
        };
        match older {
            Some(older) if is_for_older(&outcome) => {
                older
                    .with(|options| {
                        options.no_later_than = deadline;
                        options.node.get_or_insert(node);
                    })
                    .await
            }
            _ => outcome,
        }
    }
}

/// True if nobody has the version. A node that has it and is about to stop is as good as none.
fn is_for_older<R>(outcome: &Result<R, RpcError>) -> bool {
    matches!(
        outcome,
        Err(RpcError::FunctionUnavailable { .. } | RpcError::Draining)
    )
}

impl<R> Options<'_, R> {
    /// When a call that begins `now` is due; `None` if that has passed. `own` is the function's timeout.
    fn deadline(&self, now: Instant, node: &Node, own: Option<Duration>) -> Option<Instant> {
        let inner = node.inner();
        let timeout = self.timeout.or(own).unwrap_or(inner.default_timeout);
        let due = deadline::after(now, timeout, inner.limits.deadline);
        let due = deadline::earlier(due, scope::inherited_deadline());
        let due = deadline::earlier(due, self.no_later_than);
        (due > now).then_some(due)
    }
}

/// What of a call's options is left to heed.
#[derive(Clone, Copy, Debug)]
struct Terms<'a> {
    target: &'a Target,
    wait_ready: bool,
    has_older: bool,
}

/// Makes the call: here if this is where it should run, elsewhere otherwise.
fn make<F: Function>(
    node: &Node,
    args: F::Args<'_>,
    registered: Option<(usize, &'static Registered)>,
    terms: Terms<'_>,
    deadline: Instant,
    calling: &Calling<'_>,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        let inner = node.inner();
        if node.is_stopped() {
            return Err(RpcError::NotStarted);
        }
        if let Some(error) = bad_target(terms.target) {
            return Err(error);
        }
        let mut refused_here: Option<Box<RpcError>> = None;
        let first = terms.target.in_order().first();
        if first.is_some_and(|first| inner.here().is_target(first))
            && let Some((place, _)) = registered
            && let Some(served) = inner.registry.at(place)
        {
            match admit_here(node, served, terms.target, deadline) {
                Ok(scope) => {
                    calling.here();
                    return run_here::<F>(node, scope, args, deadline).await;
                }
                Err(error) => refused_here = Some(Box::new(error)),
            }
        }
        // A function that is not in the registry, or has no contract, can only be one that this node
        // hides: it cannot be called from here either.
        let Some((place, function)) = registered else {
            return Err(RpcError::Encode);
        };
        let Ok(contract) = &function.contract else {
            return Err(RpcError::Encode);
        };
        let wanted = Wanted {
            target: terms.target,
            name: F::SPEC.name,
            version: F::SPEC.version,
            fingerprint: contract.fingerprint().to_bytes(),
            contract: contract.text(),
        };
        let remote = RemoteCall {
            node,
            spec: function.spec(),
            place,
            wanted,
            deadline,
            wait_ready: terms.wait_ready,
            has_older: terms.has_older,
        };
        let arguments = payload::encode::<F>(args)?;
        // The primary left in this very moment, and may come back.
        let is_gone = matches!(refused_here.as_deref(), Some(RpcError::WrongRegion { .. }));
        let course = Course::new(refused_here.is_some() && !is_gone);
        let outcome = leave::<F>(&remote, arguments, course, calling).await;
        match outcome {
            // Others of the target did not help either: what this node said first is the better reason.
            Err(RpcError::NoNode { .. } | RpcError::FunctionUnavailable { .. }) => {
                refused_here.map_or(outcome, |reason| Err(*reason))
            }
            outcome => outcome,
        }
    }
}

/// Makes a call that leaves this process. It may come back, if this node belongs to a target that the caller
/// named for the case that the first one has nobody; or if the primary comes here meanwhile.
fn leave<F: Function>(
    remote: &RemoteCall<'_>,
    arguments: Bytes,
    mut course: Course,
    calling: &Calling<'_>,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        loop {
            match remote.run(&arguments, &mut course, calling).await? {
                Outcome::Value(value) => return payload::decode::<F>(&value, remote.node),
                Outcome::Here => {}
            }
            let returned = come_back::<F>(remote, &arguments, calling);
            match Box::pin(returned).await {
                Ok(outcome) => return outcome.map_err(|error| course.verdict(error)),
                Err(refused) => course.refused_here(refused),
            }
        }
    }
}

/// Runs the function here after all.
///
/// # Errors
/// Why this node does not let it in.
async fn come_back<F: Function>(
    remote: &RemoteCall<'_>,
    arguments: &Bytes,
    calling: &Calling<'_>,
) -> Result<Result<F::Output, RpcError>, RpcError> {
    let node = remote.node;
    let Some(served) = node.inner().registry.at(remote.place) else {
        return Ok(Err(RpcError::Encode));
    };
    let scope = admit_here(node, served, remote.wanted.target, remote.deadline)?;
    calling.here();
    Ok(run_encoded_here::<F>(node, scope, arguments.clone(), remote.deadline).await)
}
