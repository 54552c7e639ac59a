//! A request that is being served: its scope, its trace, its deadline and its answer, around the function at
//! work on it.
//!
//! All of this is the same for every function and compiled once; what is made anew for each is its work.

#![expect(
    clippy::multiple_bound_locations,
    reason = "the one way in which pin-project-lite reads a bound beside `?Sized`"
)]

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use fly_rpc_transport::{CallId, ResponseFrame, Status};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    registry::Spec,
    run::Due,
    scope::{self, Current},
    stall,
    telemetry::Serving,
};

/// What surrounds a function's work.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) spec: &'static Spec,
    pub(crate) call: CallId,
    pub(crate) current: Current,
    pub(crate) serving: Serving,
    /// When the function is dropped; `None` if it runs to its end whatever happens.
    pub(crate) deadline: Option<Instant>,
}

/// A function at work on a request.
trait Work: Send {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ResponseFrame>;

    /// Drops the function, wherever it is.
    fn give_up(self: Pin<&mut Self>);
}

pin_project! {
    /// A function's future, and what makes an answer of its outcome.
    struct Working<F, A> {
        // `None` once it was given up.
        #[pin]
        function: Option<F>,
        answer: A,
    }
}

impl<F, A> Work for Working<F, A>
where
    F: Future + Send,
    A: Fn(F::Output) -> ResponseFrame + Send,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ResponseFrame> {
        let this = self.project();
        match this.function.as_pin_mut() {
            Some(function) => function.poll(cx).map(this.answer),
            None => Poll::Pending,
        }
    }

    fn give_up(self: Pin<&mut Self>) {
        self.project().function.set(None);
    }
}

pin_project! {
    /// A request that is being served.
    struct Handling<W: ?Sized>
    where
        W: Work,
    {
        spec: &'static Spec,
        call: CallId,
        current: Option<Current>,
        // `None` once it is answered.
        serving: Option<Serving>,
        due: Due,
        #[pin]
        work: W,
    }

    impl<W: ?Sized> PinnedDrop for Handling<W>
    where
        W: Work,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // The scope of one that ended is entered too: what it keeps goes with it.
            let _scope = scope::enter(this.current);
            this.work.give_up();
        }
    }
}

/// Runs `function` in its surroundings; `answer` tells the caller how it ended, in the same.
pub(crate) fn handle<F: Future + Send + 'static>(
    surroundings: Surroundings,
    function: F,
    answer: impl Fn(F::Output) -> ResponseFrame + Send + 'static,
) -> Pin<Box<dyn Future<Output = ResponseFrame> + Send>> {
    let Surroundings {
        spec,
        call,
        current,
        serving,
        deadline,
    } = surroundings;
    Box::pin(Handling {
        spec,
        call,
        current: Some(current),
        serving: Some(serving),
        due: Due::at(deadline),
        work: Working {
            function: Some(function),
            answer,
        },
    })
}

impl<W: Work + 'static> Future for Handling<W> {
    type Output = ResponseFrame;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ResponseFrame> {
        let any: Pin<&mut Handling<dyn Work>> = self;
        any.answer(cx)
    }
}

impl Handling<dyn Work> {
    fn answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ResponseFrame> {
        let mut this = self.project();
        let Some(serving) = this.serving else {
            return Poll::Pending;
        };
        let _scope = scope::enter(this.current);
        let answer = serving.within(|| {
            let work = |cx: &mut Context<'_>| this.work.as_mut().poll(cx);
            if let Poll::Ready(answer) = stall::watched(this.spec, cx, work) {
                return Poll::Ready(answer);
            }
            ready!(this.due.poll(cx));
            // Here, where it was polled: what it does when it is dropped belongs to its span and its trace.
            this.work.as_mut().give_up();
            Poll::Ready(this.call.respond(Status::Interrupted))
        });
        let answer = ready!(answer);
        if let Some(serving) = this.serving.take() {
            serving.end(&answer);
        }
        Poll::Ready(answer)
    }
}
