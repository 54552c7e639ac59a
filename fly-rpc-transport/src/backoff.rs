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
    /// A schedule for dials, that starts with its shortest delay.
    pub fn new(limits: &Limits) -> Self {
        Self::between(limits.redial_first, limits.redial_most)
    }

    /// A schedule between two delays.
    pub fn between(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
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
    fn ten_thousand_draws_of_each_step_fill_its_range_and_do_not_leave_it() {
        let mut clients = vec![Backoff::new(&Limits::default()); 10_000];
        for n in 0..15 {
            let step = (0.1 * 1.6_f64.powi(n)).min(10.0);
            let draws = clients
                .iter_mut()
                .map(|backoff| backoff.next_delay(rand::random()).as_secs_f64() / step);
            let (least, most) = draws.fold((f64::MAX, 0.0_f64), |(least, most), draw| {
                (least.min(draw), most.max(draw))
            });
            assert!((0.8 - 1e-6..0.81).contains(&least), "step {n}: {least}");
            assert!((1.19..1.2 + 1e-6).contains(&most), "step {n}: {most}");
        }
    }

    /// Two that lost the same node: how many of their dials fall into the same ten milliseconds.
    #[test]
    fn clients_that_start_together_disperse() {
        let (mut dials, mut together) = (0, 0);
        for _ in 0..10_000 {
            let mut clients = [
                (Backoff::new(&Limits::default()), 0.0),
                (Backoff::new(&Limits::default()), 0.0),
            ];
            for _ in 0..10 {
                let slots = clients.each_mut().map(|(backoff, time)| {
                    *time += backoff.next_delay(rand::random()).as_secs_f64();
                    (*time * 100.0).floor()
                });
                dials += 1;
                together += u32::from(slots[0].total_cmp(&slots[1]).is_eq());
            }
        }
        let share = f64::from(together) / f64::from(dials);
        assert!(share < 0.07, "{share}");
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
