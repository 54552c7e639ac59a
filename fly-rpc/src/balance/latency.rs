//! How slowly a node answers: a mean that rises at once and falls slowly (Finagle's peak-EWMA).
//!
//! A plain mean learns of a node that became slow as slowly as it forgets one that was. Calls pay for
//! the former and nobody for the latter, so an answer that took longer than was thought becomes the
//! estimate as it is, and a faster one pulls it down by as much of the distance as time has passed:
//! two thirds in the decay time. While nothing is asked the estimate fades as well, so that a node
//! that nobody takes any more is tried again; never below the round-trip time, which the caller
//! knows.
//!
//! Only answers of functions that ran to their end say how long the node takes. A refusal, or a
//! panic, comes back at once and would make the node that can do least the most attractive one: it
//! counts as an answer that took twice as long as was thought, up to [`STRAIN`].
//!
//! One atomic holds the estimate and its time, so that neither is ever seen without the other.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::moment::Moment;

/// The estimate for one node.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Milliseconds in the upper half, the microseconds of the estimate as a float in the lower; 0
    /// if nothing is known.
    packed: AtomicU64,
}

impl Latency {
    /// What an answer takes, in microseconds; `None` if the node never gave one.
    pub(crate) fn micros(&self, now: Moment, decay: Duration) -> Option<f32> {
        let known = Known::unpack(self.packed.load(Ordering::Relaxed))?;
        Some(known.micros * known.kept(now, decay))
    }

    /// True if the node ever gave one.
    pub(crate) fn is_known(&self) -> bool {
        self.packed.load(Ordering::Relaxed) != 0
    }

    /// An answer came after `took`.
    pub(crate) fn observe(&self, took: Duration, now: Moment, decay: Duration) {
        let took = micros(took);
        self.update(|known| {
            let Some(known) = known else {
                return Some(Known::new(took, now));
            };
            let kept = known.kept(now, decay);
            let faded = known.micros * kept;
            if took > faded {
                return Some(Known::new(took, now));
            }
            // So small a step would be lost in rounding; the time that it stands for is not.
            if Duration::from_millis(u64::from(known.age(now))) < decay / STEPS {
                return None;
            }
            Some(Known::new(faded + took * (1.0 - kept), now))
        });
    }

    /// It was asked, and did not do it: as if the answer had taken twice as long as was thought, which
    /// is no less than `least`.
    pub(crate) fn strain(&self, least: Duration, now: Moment, decay: Duration) {
        self.update(|known| {
            let faded = known.map_or(0.0, |known| known.micros * known.kept(now, decay));
            let base = faded.max(micros(least));
            Some(Known::new((2.0 * base).min(micros(STRAIN)).max(base), now))
        });
    }

    /// Forgets what was, in favour of one answer.
    pub(crate) fn restart(&self, took: Duration, now: Moment) {
        self.update(|_| Some(Known::new(micros(took), now)));
    }

    fn update(&self, step: impl Fn(Option<Known>) -> Option<Known>) {
        // Nobody waits for anybody: who is overtaken looks again.
        let _ = self
            .packed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                step(Known::unpack(packed)).map(Known::pack)
            });
    }
}

/// An estimate, and when it was made.
#[derive(Clone, Copy, Debug)]
struct Known {
    micros: f32,
    /// The lower half of the milliseconds: they come around after 49 days, when nothing is left of
    /// any estimate.
    stamp: u32,
}

impl Known {
    fn new(micros: f32, now: Moment) -> Self {
        Self {
            micros,
            stamp: now.millis() as u32,
        }
    }

    fn unpack(packed: u64) -> Option<Self> {
        (packed != 0).then(|| Self {
            micros: f32::from_bits(packed as u32),
            stamp: (packed >> 32) as u32,
        })
    }

    /// Never 0: no estimate is below a microsecond.
    fn pack(self) -> u64 {
        u64::from(self.stamp) << 32 | u64::from(self.micros.max(1.0).to_bits())
    }

    /// In milliseconds.
    fn age(self, now: Moment) -> u32 {
        let age = (now.millis() as u32).wrapping_sub(self.stamp);
        // Threads do not agree on the millisecond: a little before is now.
        if age <= u32::MAX / 2 { age } else { 0 }
    }

    /// The share of the estimate that is left.
    fn kept(self, now: Moment, decay: Duration) -> f32 {
        let age = self.age(now);
        if age == 0 {
            return 1.0;
        }
        (age as f32 / (decay.as_secs_f32() * -1e3)).exp()
    }
}

fn micros(time: Duration) -> f32 {
    time.as_secs_f32() * 1e6
}

/// What refusals and panics can raise an estimate to. From here it fades below 10 ms in half a
/// minute: a node that was overloaded for a moment must not be left alone for much longer.
const STRAIN: Duration = Duration::from_millis(250);
/// A float of this size holds steps of a thousandth of the decay time for any two latencies that
/// differ by a thousandth.
const STEPS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn estimate(latency: &Latency, millis: u64) -> f32 {
        latency.micros(at(millis), DECAY).expect("known") / 1_000.0
    }

    #[test]
    fn nothing_is_known_of_a_node_that_never_answered() {
        assert_eq!(Latency::default().micros(at(5), DECAY), None);
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_a_fast_one_as_much_as_time_has_passed() {
        let latency = Latency::default();
        latency.observe(Duration::from_millis(10), at(0), DECAY);
        latency.observe(Duration::from_millis(900), at(1), DECAY);
        assert!((estimate(&latency, 1) - 900.0).abs() < 1.0);
        latency.observe(Duration::from_millis(10), at(2), DECAY);
        assert!((estimate(&latency, 2) - 900.0).abs() < 1.0);
        latency.observe(Duration::from_millis(10), at(10_001), DECAY);
        let kept = (-1.0_f32).exp();
        let expected = 900.0 * kept + 10.0 * (1.0 - kept);
        assert!((estimate(&latency, 10_001) - expected).abs() < 1.0);
    }

    #[test]
    fn many_small_steps_go_as_far_as_one_large_one() {
        let (often, once) = (Latency::default(), Latency::default());
        for latency in [&often, &once] {
            latency.observe(Duration::from_millis(900), at(0), DECAY);
        }
        for millis in 1..=10_000 {
            often.observe(Duration::from_millis(10), at(millis), DECAY);
        }
        once.observe(Duration::from_millis(10), at(10_000), DECAY);
        let (often, once) = (estimate(&often, 10_000), estimate(&once, 10_000));
        assert!((often / once - 1.0).abs() < 0.01, "{often} {once}");
    }

    #[test]
    fn an_estimate_fades_while_nothing_is_asked() {
        let latency = Latency::default();
        latency.observe(Duration::from_secs(1), at(0), DECAY);
        assert!((estimate(&latency, 10_000) - 367.9).abs() < 1.0);
        assert!(estimate(&latency, 120_000) < 0.01);
    }

    #[test]
    fn refusals_double_the_estimate_and_do_not_go_beyond_a_bound() {
        let latency = Latency::default();
        latency.strain(Duration::from_millis(1), at(0), DECAY);
        assert!((estimate(&latency, 0) - 2.0).abs() < 0.01);
        for _ in 0..100 {
            latency.strain(Duration::from_millis(1), at(0), DECAY);
        }
        assert!((estimate(&latency, 0) - 250.0).abs() < 0.1);
        latency.observe(Duration::from_secs(5), at(0), DECAY);
        latency.strain(Duration::from_millis(1), at(0), DECAY);
        assert!((estimate(&latency, 0) - 5_000.0).abs() < 1.0);
    }

    #[test]
    fn the_clock_of_estimates_may_come_around_and_may_be_a_little_behind() {
        let latency = Latency::default();
        let end = u64::from(u32::MAX);
        latency.observe(Duration::from_secs(1), at(end), DECAY);
        assert!((estimate(&latency, end + 10_000) - 367.9).abs() < 1.0);
        assert!((estimate(&latency, end - 3) - 1_000.0).abs() < 1.0);
    }

    const DECAY: Duration = Duration::from_secs(10);
}
