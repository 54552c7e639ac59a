//! The call: what a stub returns, and what a caller awaits.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    deadline,
    error::{CallError, RpcError, Stage},
    local::{admit_here, run_here},
    node::Node,
    payload,
    registry::{Function, registered_of},
    remote::{RemoteCall, bad_target},
    resolve::Wanted,
    scope::{self, Current},
    target::Target,
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
    state: State<'a, R>,
}

enum State<'a, R> {
    Planned(Plan<'a, R>),
    Running(CallFuture<'a, R>),
    Over,
}

struct Plan<'a, R> {
    options: Options,
    launch: Box<dyn Launch<'a, R> + 'a>,
    older: Option<Box<Call<'a, R>>>,
}

#[derive(Debug)]
struct Options {
    target: Target,
    timeout: Option<Duration>,
    node: Option<Node>,
    wait_ready: bool,
    /// The end of a call that this one takes over from.
    no_later_than: Option<Instant>,
}

type CallFuture<'a, R> = Pin<Box<dyn Future<Output = Result<R, RpcError>> + Send + 'a>>;

/// A function and its arguments, without the function's type.
trait Launch<'a, R>: Send {
    fn launch(
        self: Box<Self>,
        options: Options,
        older: Option<Box<Call<'a, R>>>,
    ) -> CallFuture<'a, R>;
}

/// Plans a call of `F`. What stubs consist of.
pub fn call<'a, F: Function>(target: impl Into<Target>, args: F::Args<'a>) -> Call<'a, F::Output> {
    let options = Options {
        target: target.into(),
        timeout: None,
        node: None,
        wait_ready: false,
        no_later_than: None,
    };
    let launch = Box::new(Invocation::<'a, F> { args });
    Call {
        state: State::Planned(Plan {
            options,
            launch,
            older: None,
        }),
    }
}

impl<'a, R> Call<'a, R> {
    /// Gives the call this long, from its first poll on and never more than `Limits::deadline` (5
    /// min), for everything: finding a node, connecting, queueing, and the answer. The default is
    /// the function's own `timeout`, else the node's (5 s). Inside a handler a call never outlives
    /// the call that is being served.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|plan| plan.options.timeout = Some(timeout))
    }

    /// Makes the call through this node instead of the one of the current scope or the default one.
    pub fn via(self, node: &Node) -> Self {
        self.with(|plan| plan.options.node = Some(node.clone()))
    }

    /// Waits, within the deadline, for a node that can serve the call, instead of failing at once.
    pub fn wait_ready(self) -> Self {
        self.with(|plan| plan.options.wait_ready = true)
    }

    /// If no node of the target offers this version, makes that call instead, within what is left
    /// of the deadline. Nothing ran until then, so this cannot run anything twice.
    pub fn or_older(self, older: Self) -> Self {
        self.with(|plan| {
            plan.older = Some(Box::new(match plan.older.take() {
                Some(first) => first.or_older(older),
                None => older,
            }));
        })
    }

    /// What is set after the call began changes nothing any more.
    fn with(mut self, set: impl FnOnce(&mut Plan<'a, R>)) -> Self {
        if let State::Planned(plan) = &mut self.state {
            set(plan);
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
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Planned(Plan {
                    options,
                    launch,
                    older,
                }) => self.state = State::Running(launch.launch(options, older)),
                State::Running(mut future) => {
                    let outcome = future.as_mut().poll(cx);
                    if outcome.is_pending() {
                        self.state = State::Running(future);
                    }
                    return outcome;
                }
                State::Over => panic!("a call was polled after it had completed"),
            }
        }
    }
}

impl<R> fmt::Debug for Call<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Planned(plan) => f.debug_tuple("Call").field(&plan.options).finish(),
            State::Running(_) => f.write_str("Call(running)"),
            State::Over => f.write_str("Call(over)"),
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

struct Invocation<'a, F: Function> {
    args: F::Args<'a>,
}

impl<'a, F: Function> Launch<'a, F::Output> for Invocation<'a, F> {
    fn launch(
        self: Box<Self>,
        options: Options,
        older: Option<Box<Call<'a, F::Output>>>,
    ) -> CallFuture<'a, F::Output> {
        Box::pin(async move {
            let Some(current) = options.node.clone().map_or_else(scope::current, |node| {
                Some(Current {
                    node,
                    deadline: None,
                })
            }) else {
                return Err(RpcError::NotStarted);
            };
            let node = current.node;
            let own = options
                .timeout
                .or(F::SPEC.timeout)
                .unwrap_or(node.inner().default_timeout);
            let now = Instant::now();
            let deadline = deadline::after(now, own, node.inner().limits.deadline);
            let deadline = deadline::earlier(
                deadline::earlier(deadline, scope::inherited_deadline()),
                options.no_later_than,
            );
            if deadline <= now {
                return Err(RpcError::Timeout {
                    stage: Stage::FindingNode,
                });
            }
            match make::<F>(&node, self.args, &options, deadline, older.is_some()).await {
                // A node that has the version and is about to stop is as good as none that has it.
                Err(RpcError::FunctionUnavailable { .. } | RpcError::Draining)
                    if older.is_some() =>
                {
                    let Some(older) = older else {
                        unreachable!("just seen")
                    };
                    older
                        .with(|plan| {
                            plan.options.no_later_than = Some(deadline);
                            plan.options.node.get_or_insert(node);
                        })
                        .await
                }
                outcome => outcome,
            }
        })
    }
}

/// Makes the call: here if this is where it should run, elsewhere otherwise.
async fn make<F: Function>(
    node: &Node,
    args: F::Args<'_>,
    options: &Options,
    deadline: Instant,
    has_older: bool,
) -> Result<F::Output, RpcError> {
    let inner = node.inner();
    if node.is_stopped() {
        return Err(RpcError::NotStarted);
    }
    if let Some(error) = bad_target(&options.target) {
        return Err(error);
    }
    let registered = registered_of::<F>();
    let mut refused_here = None;
    if inner.here().is_target(&options.target)
        && let Some((place, _)) = registered
        && let Some(served) = inner.registry.at(place)
    {
        match admit_here(node, served, deadline) {
            Ok(scope) => return run_here::<F>(node, scope, args, deadline).await,
            Err(error) => refused_here = Some(error),
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
        target: &options.target,
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
        wait_ready: options.wait_ready,
        has_older,
    };
    let arguments = payload::encode::<F>(args)?;
    let value = match remote.run(arguments).await {
        // Others of the target did not help either: what this node said first is the better reason.
        Err(RpcError::NoNode { .. } | RpcError::FunctionUnavailable { .. })
            if refused_here.is_some() =>
        {
            return Err(refused_here.unwrap_or(RpcError::Draining));
        }
        outcome => outcome?,
    };
    payload::decode::<F>(&value, node)
}
