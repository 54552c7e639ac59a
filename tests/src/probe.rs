//! What handlers report to their test, and where they wait for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Mutex, Semaphore, mpsc};

/// A state for functions under test: a log that the test can await, and a gate that it opens.
#[derive(Clone, Debug)]
pub struct Probe {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tell: mpsc::UnboundedSender<String>,
    told: Mutex<mpsc::UnboundedReceiver<String>>,
    gate: Semaphore,
    runs: AtomicUsize,
}

impl Probe {
    /// A probe with a closed gate and an empty log.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Self {
            inner: Arc::new(Inner {
                tell,
                told: Mutex::new(told),
                gate: Semaphore::new(0),
                runs: AtomicUsize::new(0),
            }),
        }
    }

    /// Adds a line to the log.
    pub fn tell(&self, line: impl Into<String>) {
        // The receiver lives as long as the probe.
        let _ = self.inner.tell.send(line.into());
    }

    /// The next line of the log.
    pub async fn told(&self) -> String {
        tokio::time::timeout(crate::SOON, self.inner.told.lock().await.recv())
            .await
            .expect("something is told soon")
            .expect("the probe lives")
    }

    /// Counts a run; returns how many there were before.
    pub fn run(&self) -> usize {
        self.inner.runs.fetch_add(1, Ordering::Relaxed)
    }

    /// How many runs were counted.
    pub fn runs(&self) -> usize {
        self.inner.runs.load(Ordering::Relaxed)
    }

    /// Waits until the test lets one handler pass.
    pub async fn pass(&self) {
        self.inner
            .gate
            .acquire()
            .await
            .expect("the gate is never removed")
            .forget();
    }

    /// Lets some handlers pass.
    pub fn open(&self, handlers: usize) {
        self.inner.gate.add_permits(handlers);
    }

    /// Tells `dropped` when the handler that holds it is dropped before it says that it ended.
    pub fn witness(&self) -> Witness {
        Witness {
            probe: self.clone(),
            ended: false,
        }
    }
}

/// Sees how a handler ends.
#[derive(Debug)]
pub struct Witness {
    probe: Probe,
    ended: bool,
}

impl Witness {
    /// The handler came to its end.
    pub fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.probe
            .tell(if self.ended { "ended" } else { "dropped" });
    }
}
