//! The one number that most of these figures are: a quantile of durations.

use std::time::Duration;

/// The smallest of `sorted` that a share of `of` does not exceed; zero if there is none.
pub(crate) fn quantile(sorted: &[Duration], of: f64) -> Duration {
    let rank = (sorted.len() as f64 * of).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_ninety_ninth_is_p99() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_secs).collect();
        assert_eq!(quantile(&sorted, 0.99), Duration::from_secs(99));
        assert_eq!(quantile(&sorted, 0.5), Duration::from_secs(50));
        assert_eq!(quantile(&sorted, 1.0), Duration::from_secs(100));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
