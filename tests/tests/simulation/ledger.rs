//! What was asked for, what ran, and what callers were told: the evidence for the invariants.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fly_rpc::{Executed, RpcError};

/// The record of one run, shared by everything in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<u64, Entry>>>);

/// One call.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// True if it may be made again when nobody knows whether it ran.
    repeatable: bool,
    begun: u32,
    ended: u32,
    settled: Option<Settled>,
}

/// What its caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Settled {
    Right,
    Wrong(String),
    Failed(RpcErrorKind),
    GivenUp,
}

/// An error, by what matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RpcErrorKind {
    executed: Executed,
    text: String,
    expected: bool,
}

/// How the calls of a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) right: u64,
    pub(crate) not_run: u64,
    pub(crate) unknown: u64,
    pub(crate) given_up: u64,
}

impl Ledger {
    /// Lists a call that is about to be made; returns its id.
    pub(crate) fn open(&self, repeatable: bool) -> u64 {
        let mut entries = self.lock();
        let id = entries.len() as u64 + 1;
        let entry = Entry {
            repeatable,
            ..Entry::default()
        };
        entries.insert(id, entry);
        id
    }

    pub(crate) fn begin(&self, id: u64) {
        self.entry(id, |entry| entry.begun += 1);
    }

    pub(crate) fn end(&self, id: u64) {
        self.entry(id, |entry| entry.ended += 1);
    }

    /// Notes what the caller was told.
    pub(crate) fn settle<T: Debug + PartialEq>(
        &self,
        id: u64,
        outcome: &Result<T, RpcError>,
        right: T,
    ) {
        let settled = match outcome {
            Ok(value) if *value == right => Settled::Right,
            Ok(value) => Settled::Wrong(format!("{value:?}")),
            Err(error) => Settled::Failed(RpcErrorKind {
                executed: error.executed(),
                text: error.to_string(),
                expected: matches!(
                    error,
                    RpcError::NotStarted
                        | RpcError::NoNode { .. }
                        | RpcError::FunctionUnavailable { .. }
                        | RpcError::Unreachable { .. }
                        | RpcError::Overloaded
                        | RpcError::Draining
                        | RpcError::Timeout { .. }
                        | RpcError::ConnectionLost { .. }
                ),
            }),
        };
        self.entry(id, |entry| {
            assert_eq!(entry.settled, None, "call {id} ended twice");
            entry.settled = Some(settled);
        });
    }

    /// Notes that the caller gave the call up.
    pub(crate) fn give_up(&self, id: u64) {
        self.entry(id, |entry| entry.settled = Some(Settled::GivenUp));
    }

    /// Checks, once nothing runs any more, what must hold of every call.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn check(&self) -> Sums {
        let mut sums = Sums::default();
        for (id, entry) in self.lock().iter() {
            let Entry {
                repeatable,
                begun,
                ended,
                ref settled,
            } = *entry;
            assert!(
                begun <= 1 || repeatable,
                "I1: call {id} ran {begun} times: {entry:?}"
            );
            match settled {
                Some(Settled::Right) => {
                    sums.right += 1;
                    assert!(
                        ended >= 1,
                        "I2: call {id} was answered and did not run: {entry:?}"
                    );
                }
                Some(Settled::Wrong(_)) => panic!("I2: call {id} was answered wrongly: {entry:?}"),
                Some(Settled::Failed(error)) => {
                    assert!(error.expected, "call {id} failed oddly: {entry:?}");
                    match error.executed {
                        Executed::No => {
                            sums.not_run += 1;
                            assert_eq!(begun, 0, "I3: call {id} ran: {entry:?}");
                        }
                        Executed::Unknown => sums.unknown += 1,
                        Executed::Yes => panic!("call {id} failed after it ran: {entry:?}"),
                    }
                }
                Some(Settled::GivenUp) => sums.given_up += 1,
                // A nested call whose own caller was dropped.
                None => assert!(begun <= 1, "I1: call {id} ran {begun} times"),
            }
        }
        sums
    }

    fn entry(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        change(self.lock().get_mut(&id).expect("it was opened"));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
