//! Whether a connection's task waits for this very thread.
//!
//! A task that is woken by a thread of tokio's runtime waits in a slot of that thread's own, from which no other
//! thread takes it (the *LIFO slot*), until the task that woke it lets go of the thread. Whoever serves a lane
//! wakes the connection's task by reading, when credit is due; if the function that is called then keeps the
//! thread, the connection would stand still with it. So who serves looks before it calls.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Wake, Waker},
};

thread_local! {
    /// True if this thread has woken a connection's task since it began to poll what is polled now.
    static WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// Notes whenever somebody wakes what `connection` does.
pub(super) async fn noting(connection: impl Future<Output = ()>) {
    let mut connection = pin!(connection);
    let mut known: Option<(Waker, Waker)> = None;
    poll_fn(move |cx| {
        let is_same = |(task, _): &(Waker, Waker)| task.will_wake(cx.waker());
        if !known.as_ref().is_some_and(is_same) {
            let task = cx.waker().clone();
            let noting = Waker::from(Arc::new(Noting(task.clone())));
            known = Some((task, noting));
        }
        match &known {
            Some((_, noting)) => connection.as_mut().poll(&mut Context::from_waker(noting)),
            None => connection.as_mut().poll(cx),
        }
    })
    .await;
}

/// Lets [`is_awaited`] know what happens while this is polled.
pub(crate) async fn attentive<F: Future>(serving: F) -> F::Output {
    let mut serving = pin!(serving);
    poll_fn(|cx| {
        WOKEN.set(false);
        serving.as_mut().poll(cx)
    })
    .await
}

/// True if a connection's task was woken here since the present poll began: it may wait for this thread.
pub(crate) fn is_awaited() -> bool {
    WOKEN.get()
}

struct Noting(Waker);

impl Wake for Noting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only on a thread that ends, which polls nothing any more.
        let _ = WOKEN.try_with(|woken| woken.set(true));
        self.0.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_is_woken_while_one_serves_is_known_until_the_next_poll() {
        let (wake, mut woken) = mpsc::unbounded_channel::<()>();
        tokio::spawn(noting(async move { while woken.recv().await.is_some() {} }));
        tokio::task::yield_now().await;
        let mut polls = 0;
        attentive(poll_fn(|cx| {
            polls += 1;
            assert!(!is_awaited(), "it was woken before this poll");
            if polls == 2 {
                return Poll::Ready(());
            }
            wake.send(()).expect("it waits");
            assert!(is_awaited());
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
        .await;
    }
}
