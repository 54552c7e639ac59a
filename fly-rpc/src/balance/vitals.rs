//! What is remembered of one life of one node: how slowly it answers, whether it does, and whether
//! anything that it was asked hangs.
//!
//! A process that was stopped, or cut off, looks fit until its silence is noticed, which takes
//! seconds (`Limits::silence_suspect`). Calls notice it earlier: a node that has calls of ours and
//! has answered none of them for three times as long as it ever needs is *stalled*, and is passed
//! over while there is another. That is no judgement. A function that takes long and is asked for the
//! first time looks the same, so nothing is counted, and the first answer ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    breaker::{Breaker, Condition, Ticket},
    latency::Latency,
    moment::Moment,
    settings::Settings,
    verdict::Verdict,
};

/// The memory of one life of one node.
#[derive(Debug)]
pub(crate) struct Vitals {
    latency: Latency,
    breaker: Breaker,
    /// Calls that were asked and have not ended.
    pending: AtomicU32,
    /// Milliseconds at its last answer, or when the first of the pending calls was asked.
    progress: AtomicU64,
    settings: Arc<Settings>,
}

/// How a node gets on with the calls that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Fine,
    /// It never answered.
    Unproven,
    /// It has not answered for far too long.
    Stalled,
}

/// What the end of a call makes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    /// Its breaker was open and is closed.
    Closed,
    /// Its breaker wants to open; say whether it may.
    WantsToOpen,
}

impl Vitals {
    /// Of a node that nothing is known of.
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            latency: Latency::default(),
            breaker: Breaker::default(),
            pending: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            settings,
        }
    }

    /// Of a node that was known and has started again: what it served from is cold.
    pub(crate) fn slow_from(now: Moment, settings: Arc<Settings>) -> Self {
        Self {
            breaker: Breaker::slow_from(now),
            ..Self::new(settings)
        }
    }

    /// How long its answers take; `None` if it never answered.
    pub(crate) fn latency(&self, now: Moment) -> Option<Duration> {
        let micros = self.latency.micros(now, self.settings.decay)?;
        Some(Duration::from_secs_f32(micros / 1e6))
    }

    /// The same in microseconds.
    #[inline]
    pub(crate) fn latency_micros(&self, now: Moment) -> Option<f32> {
        self.latency.micros(now, self.settings.decay)
    }

    #[inline]
    pub(crate) fn condition(&self, now: Moment) -> Condition {
        self.breaker.condition(now, &self.settings)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// How it gets on with the calls that it has. `round_trip` is how far it is.
    #[inline]
    pub(crate) fn progress(&self, round_trip: Duration, now: Moment) -> Progress {
        if self.pending.load(Ordering::Relaxed) == 0 {
            return Progress::Fine;
        }
        let since = Moment::from_millis(self.progress.load(Ordering::Relaxed));
        let silent = now.since(since);
        let latency = || self.latency(now).unwrap_or_default();
        if silent >= STALL && silent >= PATIENCE * latency().max(round_trip) {
            Progress::Stalled
        } else if !self.latency.is_known() {
            Progress::Unproven
        } else {
            Progress::Fine
        }
    }

    /// True if it was asked and nothing comes.
    pub(crate) fn is_stalled(&self, round_trip: Duration, now: Moment) -> bool {
        self.progress(round_trip, now) == Progress::Stalled
    }

    /// A call is about to be sent to it, and ends with [`end`](Self::end). `None`: choose again.
    pub(crate) fn ask(&self, now: Moment) -> Option<Ticket> {
        let ticket = self.breaker.ask(now)?;
        if self.pending.fetch_add(1, Ordering::Relaxed) == 0 {
            self.progress.store(now.millis(), Ordering::Relaxed);
        }
        Some(ticket)
    }

    /// The call ended after `took`.
    pub(crate) fn end(
        &self,
        ticket: Ticket,
        verdict: Verdict,
        took: Duration,
        round_trip: Duration,
        now: Moment,
    ) -> Effect {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        // An answer may have been there for a while when its caller has a turn: what came later counts.
        let latest = self.progress.load(Ordering::Relaxed);
        let now = now.max(Moment::from_millis(latest));
        // Written when it changes, as every call looks at it.
        if verdict.is_sign_of_life() && latest != now.millis() {
            self.progress.store(now.millis(), Ordering::Relaxed);
        }
        let settings = &self.settings;
        let decay = settings.decay;
        let wants_to_open = match verdict {
            Verdict::Answered | Verdict::Lived => {
                let closed = self.breaker.answered(ticket, now, settings);
                if verdict == Verdict::Lived {
                    self.latency.strain(round_trip, now, decay);
                } else if closed {
                    // What it took in bad times is over.
                    self.latency.restart(took, now);
                } else {
                    self.latency.observe(took, now, decay);
                }
                return if closed { Effect::Closed } else { Effect::None };
            }
            Verdict::Refused => {
                self.latency.strain(round_trip, now, decay);
                self.breaker.refused(ticket, now, settings)
            }
            Verdict::Silent => {
                // It would have taken longer still.
                self.latency.observe(took, now, decay);
                self.breaker.failed(ticket, now, settings)
            }
            Verdict::Lost => self.breaker.failed(ticket, now, settings),
            Verdict::GivenUp => {
                if self
                    .latency_micros(now)
                    .is_some_and(|known| took.as_secs_f32() * 1e6 > known)
                {
                    self.latency.observe(took, now, decay);
                }
                self.breaker.released(ticket, now);
                false
            }
            Verdict::Nothing => {
                self.breaker.released(ticket, now);
                false
            }
        };
        if wants_to_open {
            Effect::WantsToOpen
        } else {
            Effect::None
        }
    }

    /// Opens its breaker. True if it did.
    pub(crate) fn open(&self, ticket: Ticket, now: Moment, random: f64) -> bool {
        self.breaker.open(ticket, now, random, &self.settings)
    }

    /// Does not open it.
    pub(crate) fn decline(&self, ticket: Ticket) {
        self.breaker.decline(ticket);
    }
}

/// Silence below which no node is stalled: most functions answer well within it, and a call that
/// waits for it still has time to be made elsewhere.
const STALL: Duration = Duration::from_millis(500);
/// How many times its usual latency a node may take: answers vary.
const PATIENCE: u32 = 3;
