//! The journal of one process: what it asks of others, and what it does for them, written down as it happens.

use std::{
    fs::{File, OpenOptions},
    future::{Future, poll_fn},
    io::{self, Write},
    path::Path,
    pin::pin,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Instant,
};

use fly_rpc::{CallError, Target};

use super::{
    attempts::{count_failed_attempts, failed_attempts},
    event::{CallId, Event, Outcome},
};
use crate::fleet::Build;

/// Appends one line per event, each with a single write, so that a kill loses nothing that was written before it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    process: u32,
    build: Build,
    calls: AtomicU32,
    phase: AtomicUsize,
}

impl Journal {
    /// What the names of journals end with.
    pub const EXTENSION: &str = "journal";

    /// Starts the journal of a process.
    ///
    /// # Errors
    /// What the file system says; a file that is there already is one.
    pub fn create(path: &Path, process: u32, build: Build) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        count_failed_attempts();
        Ok(Self {
            file,
            process,
            build,
            calls: AtomicU32::new(0),
            phase: AtomicUsize::new(0),
        })
    }

    /// The build that this process runs.
    pub fn build(&self) -> Build {
        self.build
    }

    /// The number of the current phase.
    pub fn phase(&self) -> usize {
        self.phase.load(Ordering::SeqCst)
    }

    /// Enters a phase: calls that are made or settled from now on belong to it.
    pub fn enter(&self, phase: usize) {
        self.phase.store(phase, Ordering::SeqCst);
    }

    /// Names a call, makes it, and writes down that it was made and what became of it.
    pub async fn call<E, F>(
        &self,
        function: &str,
        target: &Target,
        make: impl FnOnce(CallId) -> F,
    ) -> Outcome
    where
        F: Future<Output = Result<bool, CallError<E>>>,
    {
        let call = CallId {
            process: self.process,
            number: self.calls.fetch_add(1, Ordering::Relaxed),
        };
        let (build, phase) = (self.build, self.phase());
        self.write(&Event::Made {
            call,
            build,
            function: function.to_owned(),
            target: target.to_string(),
            phase,
        });
        let mut pending = Pending {
            journal: self,
            call,
            begun: Instant::now(),
            polls: 0,
            failed_attempts: 0,
            settled: false,
        };
        let mut future = pin!(make(call));
        let answer = poll_fn(|context| {
            pending.polls += 1;
            let before = failed_attempts();
            let polled = future.as_mut().poll(context);
            pending.failed_attempts += failed_attempts() - before;
            polled
        });
        let outcome = Outcome::of(answer.await);
        pending.settle(outcome.clone());
        outcome
    }

    /// Writes down that the work of a call begins. Called before anything of it is done, so that no execution is missing.
    pub fn begin(&self, call: CallId, function: &str) -> Execution<'_> {
        self.write(&Event::Began {
            call,
            function: function.to_owned(),
            build: self.build,
        });
        Execution {
            journal: self,
            call,
        }
    }

    /// A process that cannot keep its journal is of no use to the test.
    fn write(&self, event: &Event) {
        let line = format!("{event}\n");
        (&self.file)
            .write_all(line.as_bytes())
            .expect("a journal can be written");
    }
}

/// The work of a call, while it is done.
#[derive(Debug)]
#[must_use = "work that ends says so"]
pub struct Execution<'a> {
    journal: &'a Journal,
    call: CallId,
}

impl Execution<'_> {
    /// Writes down that the work is done. Work that is dropped half-way never gets here.
    pub fn end(self) {
        self.journal.write(&Event::Ended { call: self.call });
    }
}

/// A call on its way. If it is dropped, that is what became of it.
struct Pending<'a> {
    journal: &'a Journal,
    call: CallId,
    begun: Instant,
    polls: usize,
    failed_attempts: u32,
    settled: bool,
}

impl Pending<'_> {
    fn settle(&mut self, outcome: Outcome) {
        self.settled = true;
        self.journal.write(&Event::Settled {
            call: self.call,
            phase: self.journal.phase(),
            at_once: self.polls == 1,
            micros: u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            failed_attempts: self.failed_attempts,
            outcome,
        });
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(Outcome::Abandoned);
        }
    }
}
