//! When to ask a name server again.
//!
//! Pure: randomness is an argument.

use std::time::Duration;

/// A delay of `interval` or up to a tenth more, so that machines that start together do not ask
/// together for ever. `random` is uniform in `0.0..1.0`.
pub(super) fn jittered(interval: Duration, random: f64) -> Duration {
    interval.mul_f64(1.0 + JITTER * random.clamp(0.0, 1.0))
}

/// How long an answer is taken for good that may be kept for `ttl` seconds.
pub(super) fn validity(ttl: u32) -> Duration {
    Duration::from_secs(ttl.into()).clamp(SHORTEST, LONGEST)
}

const JITTER: f64 = 0.1;
/// An answer that may not be kept at all is still no reason to ask all the time.
const SHORTEST: Duration = Duration::from_secs(1);
/// A node that is new should not have to wait for an hour because a record says so.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_asks_sooner_than_the_interval_or_later_than_a_tenth_more() {
        let interval = Duration::from_secs(5);
        for random in [0.0, 0.3, 0.999_999] {
            let delay = jittered(interval, random);
            assert!((interval..=interval.mul_f64(1.1)).contains(&delay));
        }
        assert_ne!(jittered(interval, 0.2), jittered(interval, 0.8));
    }

    #[test]
    fn an_answer_is_good_for_its_time_to_live_within_a_second_and_a_minute() {
        let seconds = |ttl| validity(ttl).as_secs();
        assert_eq!(
            [0, 1, 5, 60, 61, u32::MAX].map(seconds),
            [1, 1, 5, 60, 60, 60]
        );
    }
}
