//! A function that blocks its thread, which nothing can stop: others are served meanwhile, and the log names it.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use fly_rpc::region_rpc;
use fly_rpc_tests::{Cluster, Probe, SOON};
use tokio::runtime::Builder;
use tracing_subscriber::util::SubscriberInitExt;

#[region_rpc]
fn hogs(#[state] stop: &Stop, #[state] probe: &Probe) {
    probe.tell("started");
    stop.wait();
}

#[region_rpc]
async fn yields() {
    tokio::task::yield_now().await;
}

/// Holds a thread until the test lets it go.
#[derive(Clone, Default)]
struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    fn wait(&self) {
        let over = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = self.0.1.wait_timeout_while(over, SOON, |over| !*over);
        assert!(*over.expect("no panic").0, "the test lets it go");
    }

    fn let_go(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_function_that_blocks_one_of_two_threads_holds_up_nobody_else_and_is_named() {
    let (stop, log, probe) = (Stop::default(), Log::default(), Probe::new());
    let logged = log.clone();
    let cluster = Cluster::new();
    // The server has two threads, and the callers another one.
    let server = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || {
            let log = logged.clone();
            let subscriber = tracing_subscriber::fmt().with_ansi(false);
            let subscriber = subscriber.with_writer(move || log.clone());
            // Until the thread ends.
            std::mem::forget(subscriber.finish().set_default());
        })
        .build()
        .expect("two threads");
    let syd = cluster
        .builder("syd-1", "syd")
        .state(stop.clone())
        .state(probe.clone());
    let syd = server.block_on(syd.start());
    let syd = syd.expect("a sound configuration");
    let callers = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("one thread");
    callers.block_on(async {
        let node = |id| {
            let node = cluster
                .builder(id, "hkg")
                .peers([syd.local_addr().to_string()]);
            node.state(Stop::default()).state(Probe::new()).start()
        };
        let hkg = node("hkg-1").await.expect("a sound configuration");
        let other = node("hkg-2").await.expect("a sound configuration");
        yields_on_primary().via(&other).await.expect("served");
        let hog = tokio::spawn(hogs_on_primary().via(&hkg).timeout(SOON));
        assert_eq!(probe.told().await, "started");
        let held = tokio::time::Instant::now();

        for _ in 0..200 {
            let served = yields_on_primary().via(&other).timeout(SOON).await;
            served.expect("the other thread serves it");
        }
        // Connections are accepted, too.
        let late = node("hkg-3").await.expect("a sound configuration");
        let served = yields_on_primary().via(&late).timeout(SOON).wait_ready();
        served.await.expect("the other thread serves it");

        assert!(!hog.is_finished(), "all that was meanwhile");
        tokio::time::sleep_until(held + LONG).await; // sleep: it has to take long
        stop.let_go();
        hog.await.expect("no panic").expect("it ends");
    });
    let text = log.text();
    let warnings = text.lines().filter(|line| line.contains("WARN"));
    let named = warnings
        .filter(|line| line.contains("function=\"hogs\""))
        .count();
    assert_eq!(named, 1, "{text}");
    assert!(!text.contains("function=\"yields\""), "{text}");
    drop(syd);
    server.shutdown_background();
}

/// More than what the log calls long.
const LONG: Duration = Duration::from_millis(1_100);
