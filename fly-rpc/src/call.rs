//! The call: what a stub returns, and what a caller awaits.

#![expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for each argument twice"
)]

use std::{
    any::TypeId,
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    error::{CallError, RpcError},
    local::{run_encoded_here, run_here},
    node::Node,
    payload,
    plan::{Leaving, Plan, Stay, Wishes},
    registry::Function,
    remote::Outcome,
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
    wishes: Wishes,
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
        Wished { wish: Option<(Options<'a, R>, A)>, make: F },
        Made { #[pin] work: W },
    }
}

/// A call of `F` that is not made yet. What stubs consist of.
pub fn call<'a, F: Function>(target: impl Into<Target>, args: F::Args<'a>) -> Call<'a, F::Output> {
    let options = Options {
        wishes: Wishes::new(target.into()),
        older: None,
    };
    Call {
        invocation: Box::pin(Invocation::Wished {
            wish: Some((options, args)),
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
        self.with(|options| options.wishes.timeout = Some(timeout))
    }

    /// Makes the call through this node instead of the one of the current scope or the default one.
    pub fn via(self, node: &Node) -> Self {
        self.with(|options| options.wishes.node = Some(node.clone()))
    }

    /// Waits, within the deadline, for a node that can serve the call, instead of failing at once.
    pub fn wait_ready(self) -> Self {
        self.with(|options| options.wishes.wait_ready = true)
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

    /// Takes over from a call that nobody serves, within what is left of its time.
    fn behind(self, plan: Plan<'_>) -> Self {
        self.with(|options| {
            options.wishes.no_later_than = plan.due;
            options.wishes.node.get_or_insert(plan.node);
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
                .field("target", &options.wishes.target)
                .field("timeout", &options.wishes.timeout)
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
        if let State::Wished { wish, make } = self.as_mut().project()
            && let Some((options, args)) = wish.take()
        {
            let work = make(options, args);
            self.set(Self::Made { work });
        }
        match self.project() {
            State::Made { work } => work.poll(cx),
            State::Wished { .. } => unreachable!("it is made when it is first polled"),
        }
    }
}

impl<'a, R, A, F, W> Invoke<'a, R> for Invocation<'a, R, A, F, W>
where
    Self: Future<Output = Result<R, RpcError>> + Send,
{
    fn options(&self) -> Option<&Options<'a, R>> {
        match self {
            Self::Wished { wish, .. } => wish.as_ref().map(|(options, _)| options),
            Self::Made { .. } => None,
        }
    }

    fn options_mut(self: Pin<&mut Self>) -> Option<&mut Options<'a, R>> {
        match self.project() {
            State::Wished { wish, .. } => wish.as_mut().map(|(options, _)| options),
            State::Made { .. } => None,
        }
    }
}

/// What becomes of a call when it is first polled.
///
/// Every call in flight is as large as this future and that of [`make`] in it. So their arguments are captured, for
/// which an `async fn` has room twice, and nothing outlives an `await` that is not needed behind it. And what
/// need not know the function's types stands apart: these two are compiled for each function.
fn invoke<'a, F: Function>(
    mut options: Options<'a, F::Output>,
    args: F::Args<'a>,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        let now = Instant::now();
        let plan = options.wishes.plan(&F::SPEC, TypeId::of::<F>(), now)?;
        let outcome = {
            let calling = plan.calling(&F::SPEC, now);
            let made = make::<F>(&plan, args, options.older.is_some(), &calling);
            let outcome = calling.watch(pin!(made)).await;
            calling.end(&outcome);
            outcome
        };
        match options.older.take() {
            Some(older) if is_for_older(&outcome) => older.behind(plan).await,
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

/// Makes the call: here if this is where it should run, elsewhere otherwise.
fn make<F: Function>(
    plan: &Plan<'_>,
    args: F::Args<'_>,
    has_older: bool,
    calling: &Calling<'_>,
) -> impl Future<Output = Result<F::Output, RpcError>> + Send {
    async move {
        let deadline = plan.deadline()?;
        let refused = {
            let stay = plan.stay(deadline, calling)?;
            match stay {
                Stay::Here(scope) => return run_here::<F>(&plan.node, scope, args, deadline).await,
                Stay::Elsewhere(refused) => refused,
            }
        };
        let mut leaving = plan.leave(deadline, refused, has_older)?;
        let arguments = payload::encode::<F>(args)?;
        let Leaving { remote, course, .. } = &mut leaving;
        // What is awaited behind this is not awaited in it, or the outcome would have room beside it.
        let scope = match remote.run(&arguments, course, calling).await {
            Ok(Outcome::Value(value)) => return payload::decode(&value, &F::SPEC, &plan.node),
            Ok(Outcome::Here(scope)) => *scope,
            Err(error) => return Err(leaving.reason(error)),
        };
        // Not the one above, for which every call would have room behind the first `await`.
        let deadline = leaving.remote.deadline;
        run_encoded_here::<F>(&plan.node, scope, arguments, deadline)
            .await
            .map_err(|error| leaving.course.verdict(error))
    }
}
