//! Jittered exponential backoff: × 1.6, ±20 %, between two limits: by default 100 ms and 10 s, which
//! is gRPC's connection backoff started sooner and capped earlier.
//!
//! Pure: randomness is an argument, time is the caller's. The jitter is what keeps a fleet that
//! lost one node from dialling its successor in the same millisecond.

use std::time::Duration;

use crate::limits::Limits;

/// The delays between attempts that fail one after another.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// A schedule that starts with its shortest delay.
    pub fn new(limits: &Limits) -> Self {
        Self {
            first: limits.redial_first,
            most: limits.redial_most,
            failures: 0,
        }
    }

    /// The delay before the next attempt, after one more failure. `random` is uniform in
    /// `0.0..1.0`.
    pub fn next_delay(&mut self, random: f64) -> Duration {
        let exponent = self.failures.min(MAX_EXPONENT);
        self.failures = self.failures.saturating_add(1);
        let base = self.first.as_secs_f64() * FACTOR.powi(exponent.cast_signed());
        let base = base.min(self.most.as_secs_f64());
        let jitter = 1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0);
        Duration::from_secs_f64(base * jitter)
    }

    /// Forgets the failures: the next delay is the shortest again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

const FACTOR: f64 = 1.6;
const JITTER: f64 = 0.2;
/// 1.6^10 is already beyond the longest delay; the cap keeps the power finite.
const MAX_EXPONENT: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_lies_within_a_fifth_of_its_step_and_never_beyond_the_longest() {
        for random in [0.0, 0.25, 0.5, 0.999] {
            let mut backoff = Backoff::new(&Limits::default());
            for n in 0..10_000 {
                let step = (0.1 * 1.6_f64.powi(n.min(20))).min(10.0);
                let delay = backoff.next_delay(random).as_secs_f64();
                assert!(
                    (0.8 * step - 1e-9..=1.2 * step + 1e-9).contains(&delay),
                    "step {n}: {delay}"
                );
            }
        }
    }

    #[test]
    fn success_starts_the_schedule_over() {
        let mut backoff = Backoff::new(&Limits::default());
        for _ in 0..20 {
            backoff.next_delay(0.5);
        }
        backoff.reset();
        assert_eq!(backoff.next_delay(0.5), Duration::from_millis(100));
    }
}
