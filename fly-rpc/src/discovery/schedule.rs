//! When to ask a name server again.
//!
//! Pure: randomness is an argument.

use std::time::Duration;

/// A delay of `interval` or up to a tenth more, so that machines that start together do not ask
/// together for ever. `random` is uniform in `0.0..1.0`.
pub(super) fn jittered(interval: Duration, random: f64) -> Duration {
    interval.mul_f64(1.0 + JITTER * random.clamp(0.0, 1.0))
}

const JITTER: f64 = 0.1;

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
}
