//! When a node that fails is left alone, and when it is tried again.
//!
//! A latency estimate cannot tell a node that fails fast from one that answers fast, and one that
//! takes every request and loses it looks idle. So failures are counted beside it, by two rules that
//! see different faults (Finagle's and linkerd's): several in a row without an answer, which is a
//! node that is dead, within as many calls; and too small a share of successes over a while, which is
//! one that fails now and then and never in a row.
//!
//! *It opens*: no call goes to the node for the backoff (1 s, doubled each time, to 100 s, ±20 %).
//! *Then one call* is let through, whoever's it is; while it is out no other goes there. *If it is
//! answered* the breaker closes, counts start anew, and the node gets a tenth of its share, which
//! grows to all of it over the slow start: what made it fail may have been too many calls. If it
//! fails again before it is over, the backoff goes on where it was. *If it fails*, the backoff
//! doubles. If its outcome says nothing, the next call is let through.
//!
//! *It does not act* on what a call left behind that was sent before the last change: many calls
//! fail together, and they are one event. Calls that are sent to an open node because there is no
//! other are heeded only if they are answered, which closes it. How many nodes may be left out at one
//! time is not known here: the caller is told that the breaker wants to open
//! ([`failed`](Breaker::failed)), and opens it or declines.
//!
//! Refusals for want of room are answers of a node that lives and does useful work, and leaving out
//! the nodes that are full makes the others fuller. Yet a node whose handlers all hang refuses as
//! well, and does nothing else. So refusals count only in a row, and if no answer came in between for
//! [`REFUSING`].
//!
//! All state is one atomic word and one for each rule, and every change of state has a number: who
//! decides from an older one decides nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{moment::Moment, settings::Settings, window::Window};

/// The breaker of one node.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    word: AtomicU64,
    run: AtomicU64,
    /// Apart, so that what every choice looks at fits one line of the cache.
    window: Box<Window>,
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Every call.
    Serving,
    /// This share of its calls, below 1.
    Recovering { share: f32 },
    /// None for so long.
    Open { remaining: Duration },
    /// One: it was open.
    Due,
    /// None until that one ends.
    Probing,
}

/// That a call was sent, and in which state of the breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    number: u64,
}

impl Breaker {
    /// A breaker that lets through a tenth at first, and more from `now` on.
    pub(crate) fn slow_from(now: Moment) -> Self {
        let breaker = Self::default();
        let word = Word {
            phase: Phase::Serving,
            trips: 0,
            number: 0,
            stamp: now.millis().max(1),
        };
        breaker.word.store(word.pack(), Ordering::Relaxed);
        breaker
    }

    #[inline]
    pub(crate) fn condition(&self, now: Moment, settings: &Settings) -> Condition {
        let packed = self.word.load(Ordering::Relaxed);
        // Nearly always.
        if packed & !NUMBERS == 0 {
            return Condition::Serving;
        }
        let word = Word::unpack(packed);
        let stamp = Moment::from_millis(word.stamp);
        match word.phase {
            Phase::Serving => word
                .share(now, settings)
                .map_or(Condition::Serving, |share| Condition::Recovering { share }),
            Phase::Open if stamp <= now => Condition::Due,
            Phase::Open => Condition::Open {
                remaining: stamp.since(now),
            },
            Phase::Probing => Condition::Probing,
        }
    }

    /// A call is about to be sent. `None` if another one, a moment earlier, was the one that is let
    /// through: choose again.
    pub(crate) fn ask(&self, now: Moment) -> Option<Ticket> {
        let packed = self.word.load(Ordering::Relaxed);
        let word = Word::unpack(packed);
        if word.phase != Phase::Open || Moment::from_millis(word.stamp) > now {
            return Some(Ticket {
                number: word.number,
            });
        }
        self.change(packed, word.next(Phase::Probing, word.trips, 0))
    }

    /// The call was answered. True if that closed the breaker.
    pub(crate) fn answered(&self, ticket: Ticket, now: Moment, settings: &Settings) -> bool {
        let packed = self.word.load(Ordering::Relaxed);
        let word = Word::unpack(packed);
        if word.number != ticket.number {
            return false;
        }
        if word.phase == Phase::Serving {
            if self.run.load(Ordering::Relaxed) != 0 {
                self.run.store(0, Ordering::Relaxed);
            }
            self.window.count(true, now, settings.window);
            if word.stamp != 0 && word.share(now, settings).is_none() {
                // It has all of its share again, and need not be asked any more since when. A trip
                // that happens meanwhile wins.
                let settled = Word {
                    trips: 0,
                    stamp: 0,
                    ..word
                };
                let _ = self.change(packed, settled);
            }
            return false;
        }
        let since = now.millis().max(1);
        let closed = self.change(packed, word.next(Phase::Serving, word.trips, since));
        closed.is_some() && self.start_over()
    }

    /// The call failed. True if the breaker wants to open.
    pub(crate) fn failed(&self, ticket: Ticket, now: Moment, settings: &Settings) -> bool {
        match self.phase_of(ticket) {
            Some(Phase::Serving) => {}
            phase => return phase == Some(Phase::Probing),
        }
        self.window.count(false, now, settings.window);
        let run = self.run(|run| run.failures = run.failures.saturating_add(1), now);
        if u32::from(run.failures) >= settings.failures {
            return true;
        }
        let (successes, failures) = self.window.totals(now, settings.window);
        let calls = successes + failures;
        calls >= settings.samples && successes * 100 < calls * settings.success_percent
    }

    /// The node refused the call for want of room. True if the breaker wants to open.
    pub(crate) fn refused(&self, ticket: Ticket, now: Moment, settings: &Settings) -> bool {
        match self.phase_of(ticket) {
            Some(Phase::Serving) => {}
            phase => return phase == Some(Phase::Probing),
        }
        let run = self.run(|run| run.refusals = run.refusals.saturating_add(1), now);
        let lasted = (now.millis() as u32).wrapping_sub(run.begun);
        u32::from(run.refusals) >= settings.failures
            && Duration::from_millis(u64::from(lasted)) >= REFUSING
    }

    /// Opens it, for a time that `random`, uniform in `0.0..1.0`, shifts. True if it did.
    pub(crate) fn open(
        &self,
        ticket: Ticket,
        now: Moment,
        random: f64,
        settings: &Settings,
    ) -> bool {
        let packed = self.word.load(Ordering::Relaxed);
        let word = Word::unpack(packed);
        if word.number != ticket.number || word.phase == Phase::Open {
            return false;
        }
        // What it went through is over once it has all of its share again.
        let is_new = word.phase == Phase::Serving && word.share(now, settings).is_none();
        let trips = if is_new { 0 } else { word.trips };
        let until = now.after(backoff(trips, random, settings)).millis();
        let opened = self.change(
            packed,
            word.next(Phase::Open, (trips + 1).min(MOST_TRIPS), until),
        );
        opened.is_some() && self.start_over()
    }

    /// It may not open: too many others have.
    pub(crate) fn decline(&self, ticket: Ticket) {
        if self.phase_of(ticket) == Some(Phase::Serving) {
            self.start_over();
        }
    }

    /// What became of the call says nothing of the node.
    pub(crate) fn released(&self, ticket: Ticket, now: Moment) {
        let packed = self.word.load(Ordering::Relaxed);
        let word = Word::unpack(packed);
        if word.number == ticket.number && word.phase == Phase::Probing {
            let _ = self.change(packed, word.next(Phase::Open, word.trips, now.millis()));
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        Word::unpack(self.word.load(Ordering::Relaxed)).phase != Phase::Serving
    }

    fn phase_of(&self, ticket: Ticket) -> Option<Phase> {
        let word = Word::unpack(self.word.load(Ordering::Relaxed));
        (word.number == ticket.number).then_some(word.phase)
    }

    fn change(&self, from: u64, to: Word) -> Option<Ticket> {
        self.word
            .compare_exchange(from, to.pack(), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            .then_some(Ticket { number: to.number })
    }

    fn start_over(&self) -> bool {
        self.run.store(0, Ordering::Relaxed);
        self.window.clear();
        true
    }

    fn run(&self, step: impl Fn(&mut Run), now: Moment) -> Run {
        let stepped = |packed| {
            let mut run = Run::unpack(packed, now);
            step(&mut run);
            run
        };
        let before = self
            .run
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                Some(stepped(packed).pack())
            });
        let (Ok(before) | Err(before)) = before;
        stepped(before)
    }
}

/// The time for which a breaker that opened `trips` times before stays open.
fn backoff(trips: u64, random: f64, settings: &Settings) -> Duration {
    let doubled = settings.first.as_secs_f64() * 2_f64.powi(trips.min(MOST_TRIPS) as i32);
    let jitter = 1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0);
    Duration::from_secs_f64(doubled.min(settings.most.as_secs_f64()) * jitter)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Open,
    Probing,
}

/// The state, which fits one atomic.
#[derive(Clone, Copy, Debug)]
struct Word {
    phase: Phase,
    /// How often it opened since it last had all of its share (6 bits).
    trips: u64,
    /// How often it changed (16 bits: who comes back after 65 536 changes finds his own).
    number: u64,
    /// Milliseconds (40 bits, 34 years). Serving: since when again, 0 for ever; open: until when.
    stamp: u64,
}

impl Word {
    fn next(self, phase: Phase, trips: u64, stamp: u64) -> Self {
        Self {
            phase,
            trips,
            number: (self.number + 1) & 0xffff,
            stamp,
        }
    }

    fn pack(self) -> u64 {
        let phase = match self.phase {
            Phase::Serving => 0,
            Phase::Open => 1,
            Phase::Probing => 2,
        };
        phase << 62 | self.trips << 56 | self.number << 40 | self.stamp.min(STAMP)
    }

    fn unpack(packed: u64) -> Self {
        Self {
            phase: match packed >> 62 {
                0 => Phase::Serving,
                1 => Phase::Open,
                _ => Phase::Probing,
            },
            trips: packed >> 56 & 0x3f,
            number: packed >> 40 & 0xffff,
            stamp: packed & STAMP,
        }
    }

    /// The share of its calls that a serving node gets, if that is not all.
    fn share(self, now: Moment, settings: &Settings) -> Option<f32> {
        let served = now.since(Moment::from_millis(self.stamp));
        (self.stamp != 0 && served < settings.slow_start).then(|| {
            let grown = served.as_secs_f32() / settings.slow_start.as_secs_f32();
            LEAST_SHARE + (1.0 - LEAST_SHARE) * grown
        })
    }
}

/// What came in a row without an answer.
#[derive(Clone, Copy, Debug)]
struct Run {
    failures: u16,
    refusals: u16,
    /// The lower half of the milliseconds at its beginning.
    begun: u32,
}

impl Run {
    fn unpack(packed: u64, now: Moment) -> Self {
        let begun = if packed == 0 {
            now.millis() as u32
        } else {
            packed as u32
        };
        Self {
            failures: (packed >> 48) as u16,
            refusals: (packed >> 32) as u16,
            begun,
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.failures) << 48 | u64::from(self.refusals) << 32 | u64::from(self.begun)
    }
}

/// A node that has room again now and then answers somebody within this time; one that refused for so
/// long without a single answer does nothing but refuse.
const REFUSING: Duration = Duration::from_secs(1);
/// What a node gets of its calls right after it was closed: enough to see whether it answers.
const LEAST_SHARE: f32 = 0.1;
const JITTER: f64 = 0.2;
/// 1 s doubled so often is beyond any longest backoff; it keeps the power finite and the field small.
const MOST_TRIPS: u64 = 32;
const STAMP: u64 = (1 << 40) - 1;
/// What counts changes in a word, and trips, which mean nothing while nothing is open.
const NUMBERS: u64 = 0x3f << 56 | 0xffff << 40;
