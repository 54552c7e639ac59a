//! Metrics of calls and requests: handles that are made once for each function and then only raised.
//!
//! A label is a function that this program registered, or an end from a closed list. Nothing that a
//! peer says becomes one. A handle is made when it is first needed, so a function that is never called
//! here has no series here.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

use fly_rpc_transport::Status;
use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::Instant;

use super::{end::End, names};
use crate::registry::{Registered, Spec};

/// The handles of one node.
#[derive(Debug)]
pub(crate) struct Meters {
    /// By place among the registered functions.
    functions: Box<[Arc<OfFunction>]>,
    refused: [OnceLock<Counter>; End::COUNT],
}

#[derive(Debug)]
struct OfFunction {
    spec: &'static Spec,
    calls: OnceLock<Calls>,
    requests: OnceLock<Requests>,
}

/// As the caller sees it.
#[derive(Debug)]
struct Calls {
    started: Counter,
    finished: [OnceLock<Counter>; End::COUNT],
    /// By [`Place`].
    duration: [OnceLock<Histogram>; PLACES.len()],
    retries: Counter,
    sent: Counter,
    received: Counter,
}

/// As the callee sees it.
#[derive(Debug)]
struct Requests {
    started: Counter,
    finished: [OnceLock<Counter>; End::COUNT],
    duration: Histogram,
    received: Counter,
    sent: Counter,
}

impl Meters {
    /// Describes everything to the recorder that is installed.
    pub(crate) fn new(functions: &'static [Registered]) -> Self {
        names::describe();
        let functions = functions.iter().map(|function| {
            Arc::new(OfFunction {
                spec: function.spec(),
                calls: OnceLock::new(),
                requests: OnceLock::new(),
            })
        });
        Self {
            functions: functions.collect(),
            refused: [const { OnceLock::new() }; End::COUNT],
        }
    }

    /// A call begins, of a function at this place.
    pub(super) fn call(&self, place: Option<usize>, now: Instant) -> CallMeter<'_> {
        let of = place.and_then(|place| self.functions.get(place));
        let of = of.map(|of| (of.spec, of.calls.get_or_init(|| Calls::new(of.spec))));
        if let Some((_, calls)) = of {
            calls.started.increment(1);
        }
        CallMeter {
            of,
            begun: now,
            place: AtomicU8::new(NOWHERE),
        }
    }

    /// A request was let in.
    pub(super) fn serve(&self, place: usize, received: usize) -> ServeMeter {
        let of = self.functions.get(place).map(Arc::clone);
        if let Some(of) = &of {
            let requests = of.requests();
            requests.started.increment(1);
            requests.received.increment(received as u64);
        }
        ServeMeter {
            of,
            begun: Instant::now(),
        }
    }

    /// A request was not.
    pub(crate) fn refused(&self, status: Status) {
        let end = End::of_status(status);
        let refused = self.refused[end.number]
            .get_or_init(|| counter!(names::REQUESTS_REFUSED, "reason" => end.outcome));
        refused.increment(1);
    }
}

impl OfFunction {
    fn requests(&self) -> &Requests {
        self.requests.get_or_init(|| Requests::new(self.spec))
    }
}

/// A call that is measured.
#[derive(Debug)]
pub(super) struct CallMeter<'a> {
    of: Option<(&'static Spec, &'a Calls)>,
    begun: Instant,
    place: AtomicU8,
}

impl CallMeter<'_> {
    pub(super) const IS_ON: bool = true;

    pub(super) fn here(&self) {
        self.place.store(HERE, Ordering::Relaxed);
    }

    pub(super) fn elsewhere(&self, again: bool, sent: usize) {
        self.place.store(ELSEWHERE, Ordering::Relaxed);
        if let Some((_, calls)) = self.of {
            calls.sent.increment(sent as u64);
            if again {
                calls.retries.increment(1);
            }
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        if let Some((_, calls)) = self.of {
            calls.received.increment(bytes as u64);
        }
    }

    pub(super) fn end(&self, end: End) {
        let Some((spec, calls)) = self.of else {
            return;
        };
        finished(&calls.finished, names::CALLS_FINISHED, spec, end);
        let place = usize::from(self.place.load(Ordering::Relaxed));
        let duration = calls.duration[place].get_or_init(|| {
            histogram!(
                names::CALL_DURATION,
                "function" => spec.name, "version" => spec.version.to_string(), "place" => PLACES[place]
            )
        });
        duration.record(self.begun.elapsed());
    }
}

/// A request that is measured.
#[derive(Debug)]
pub(super) struct ServeMeter {
    of: Option<Arc<OfFunction>>,
    begun: Instant,
}

impl ServeMeter {
    pub(super) fn end(&self, end: End, sent: usize) {
        let Some(of) = &self.of else {
            return;
        };
        let requests = of.requests();
        finished(&requests.finished, names::REQUESTS_FINISHED, of.spec, end);
        requests.sent.increment(sent as u64);
        requests.duration.record(self.begun.elapsed());
    }
}

impl Calls {
    fn new(spec: &'static Spec) -> Self {
        let of = |name| of_function(name, spec);
        Self {
            started: of(names::CALLS_STARTED),
            finished: [const { OnceLock::new() }; End::COUNT],
            duration: [const { OnceLock::new() }; PLACES.len()],
            retries: of(names::CALL_RETRIES),
            sent: of(names::CALL_SENT),
            received: of(names::CALL_RECEIVED),
        }
    }
}

impl Requests {
    fn new(spec: &'static Spec) -> Self {
        let of = |name| of_function(name, spec);
        Self {
            started: of(names::REQUESTS_STARTED),
            finished: [const { OnceLock::new() }; End::COUNT],
            duration: histogram!(
                names::REQUEST_DURATION,
                "function" => spec.name, "version" => spec.version.to_string()
            ),
            received: of(names::REQUEST_RECEIVED),
            sent: of(names::REQUEST_SENT),
        }
    }
}

fn of_function(name: &'static str, spec: &'static Spec) -> Counter {
    counter!(name, "function" => spec.name, "version" => spec.version.to_string())
}

fn finished(
    counters: &[OnceLock<Counter>; End::COUNT],
    name: &'static str,
    spec: &'static Spec,
    end: End,
) {
    let finished = counters[end.number].get_or_init(|| {
        counter!(
            name,
            "function" => spec.name, "version" => spec.version.to_string(),
            "outcome" => end.outcome, "executed" => end.executed
        )
    });
    finished.increment(1);
}

/// Where a call went, as a label: to no node, to this one, to another one.
const PLACES: [&str; 3] = ["nowhere", "here", "elsewhere"];
const NOWHERE: u8 = 0;
const HERE: u8 = 1;
const ELSEWHERE: u8 = 2;
