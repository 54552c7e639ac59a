//! One task for each connection: QUIC's own driver, the control stream and the lanes that this node
//! opened are polled by it, one after the other.
//!
//! They share the connection's lock and wake each other at every packet. As tasks of their own, the
//! workers of a runtime would poll them beside each other, wait for that lock and wake each other's
//! threads for work that takes a microsecond. What runs an application's functions has no place here:
//! one that keeps its thread must not keep the connection. Lanes that are served have tasks of their
//! own, and so do handlers that wait. A runtime of one thread polls one thing at a time anyway: there
//! each gets its task.

pub(crate) mod attention;

use std::{
    cell::RefCell, fmt, future::Future, io, mem, net::UdpSocket, panic::AssertUnwindSafe, pin::Pin,
    sync::Arc, time::Instant,
};

use futures_util::{
    FutureExt,
    stream::{FuturesUnordered, StreamExt},
};
use quinn::{AsyncTimer, AsyncUdpSocket, TokioRuntime};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
};

/// What polls one connection. It ends when every handle is dropped and all its work is done.
#[derive(Clone)]
pub(crate) struct Reactor(Kind);

#[derive(Clone)]
enum Kind {
    /// One task.
    Task(UnboundedSender<Work>),
    /// A runtime of one thread.
    Thread(Handle),
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Reactor {
    /// For a connection that is about to be made, on `runtime`.
    pub(crate) fn start(runtime: &Handle) -> Self {
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Self(Kind::Thread(runtime.clone()));
        }
        let (work, more) = mpsc::unbounded_channel();
        runtime.spawn(attention::noting(react(more)));
        Self(Kind::Task(work))
    }

    /// Has `work` polled, never beside other work of this reactor.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.take(Box::pin(work));
    }

    /// Runs `connect`; the driver of the connection that it makes is polled here.
    pub(crate) fn adopt<T>(&self, connect: impl FnOnce() -> T) -> T {
        let _adopting = Adopting::begin(self.clone());
        connect()
    }

    fn take(&self, work: Work) {
        match &self.0 {
            Kind::Thread(runtime) => {
                runtime.spawn(work);
            }
            Kind::Task(task) => {
                // Fails only once the runtime stops, and all that runs on it with it.
                let _ = task.send(work);
            }
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reactor")
    }
}

async fn react(mut more: UnboundedReceiver<Work>) {
    let mut all = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !all.is_empty() {
        tokio::select! {
            biased;
            work = more.recv(), if is_open => match work {
                // As in a task of its own: what panics ends alone.
                Some(work) => all.push(AssertUnwindSafe(work).catch_unwind()),
                None => is_open = false,
            },
            Some(outcome) = all.next() => if let Err(payload) = outcome {
                // It may panic when it is dropped.
                mem::forget(payload);
            }
        }
    }
}

thread_local! {
    /// Whom the connection that this thread makes just now belongs to.
    static ADOPTING: RefCell<Option<Reactor>> = const { RefCell::new(None) };
}

/// The time in which a reactor adopts.
struct Adopting;

impl Adopting {
    fn begin(reactor: Reactor) -> Self {
        ADOPTING.with(|adopting| adopting.replace(Some(reactor)));
        Self
    }
}

impl Drop for Adopting {
    fn drop(&mut self) {
        ADOPTING.with(|adopting| adopting.replace(None));
    }
}

/// tokio, as far as quinn needs it; drivers of connections go where they belong.
#[derive(Debug)]
pub(crate) struct Drivers;

impl quinn::Runtime for Drivers {
    fn spawn(&self, driver: Work) {
        match ADOPTING.with(|adopting| adopting.borrow().clone()) {
            Some(reactor) => reactor.take(driver),
            // The endpoint's: it serves all connections and belongs to none.
            None => TokioRuntime.spawn(driver),
        }
    }

    fn new_timer(&self, end: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(end)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use quinn::Runtime;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_one_reactor_polls_never_runs_at_the_same_time() {
        let reactor = Reactor::start(&Handle::current());
        let (alone, rounds) = (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)));
        let (done, mut all_done) = mpsc::channel::<()>(1);
        for _ in 0..4 {
            let (alone, rounds, done) = (Arc::clone(&alone), Arc::clone(&rounds), done.clone());
            reactor.spawn(async move {
                for _ in 0..1000 {
                    {
                        let _alone = alone.try_lock().expect("nothing else is polled just now");
                        std::thread::yield_now();
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::task::yield_now().await;
                }
                drop(done);
            });
        }
        drop(done);
        assert_eq!(all_done.recv().await, None);
        assert_eq!(rounds.load(Ordering::Relaxed), 4000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_driver_that_is_spawned_while_a_connection_is_made_is_adopted() {
        let reactor = Reactor::start(&Handle::current());
        let driver_in_task = |spawn: &dyn Fn(Work)| {
            let (tell, told) = oneshot::channel();
            spawn(Box::pin(async move {
                let _ = tell.send(tokio::task::id());
            }));
            told
        };
        let own = driver_in_task(&|work| reactor.take(work)).await;
        let adopted = driver_in_task(&|work| reactor.adopt(|| Drivers.spawn(work))).await;
        let other = driver_in_task(&|work| Drivers.spawn(work)).await;
        assert_eq!(adopted, own);
        assert_ne!(other, own);
    }

    #[tokio::test]
    async fn a_reactor_ends_with_its_last_handle_and_its_last_work() {
        let (work, more) = mpsc::unbounded_channel();
        let task = tokio::spawn(react(more));
        let reactor = Reactor(Kind::Task(work));
        let (finish, finished) = oneshot::channel::<()>();
        reactor.spawn(async move {
            let _ = finished.await;
        });
        drop(reactor);
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        drop(finish);
        assert!(task.await.is_ok());
    }
}
