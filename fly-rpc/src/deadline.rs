//! Deadline arithmetic. Pure: every instant is an argument, and no duration that a peer or a user
//! gives can overflow it.

use std::time::Duration;

use tokio::time::Instant;

/// The end of something that may take `remaining` from `now` on, at most `limit`.
pub(crate) fn after(now: Instant, remaining: Duration, limit: Duration) -> Instant {
    let bounded = remaining.min(limit);
    // `limit` may be absurd as well: it is a user's setting.
    now.checked_add(bounded).unwrap_or_else(|| now + FALLBACK)
}

/// The earlier of two ends.
pub(crate) fn earlier(own: Instant, inherited: Option<Instant>) -> Instant {
    inherited.map_or(own, |inherited| own.min(inherited))
}

/// Far enough away for any call when the sum does not fit the clock.
const FALLBACK: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_duration_overflows() {
        let now = Instant::now();
        for remaining in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(u64::MAX),
            Duration::MAX,
        ] {
            let limit = Duration::from_secs(300);
            assert!(after(now, remaining, limit) <= now + limit);
            assert!(after(now, remaining, Duration::MAX) >= now);
        }
    }

    #[test]
    fn a_nested_call_ends_no_later_than_the_call_around_it() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        assert_eq!(earlier(late, Some(soon)), soon);
        assert_eq!(earlier(soon, Some(late)), soon);
        assert_eq!(earlier(late, None), late);
    }
}
