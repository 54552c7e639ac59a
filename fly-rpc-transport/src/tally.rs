//! How often a peer did something of late: what no sound peer has a reason to do, or gossip.
//!
//! Each offence costs us little, and ends at most one lane. A peer that goes on and on is broken or
//! means it: rapid resets (CVE-2023-44487) were nothing but this.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::lock::lock;

/// A count that starts over when its window has passed.
#[derive(Debug)]
pub(crate) struct Tally {
    window: Mutex<(Instant, u32)>,
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            window: Mutex::new((now, 0)),
        }
    }

    /// Counts one more. True for the one that is over `limit` in its window, and only for that.
    pub(crate) fn is_one_too_many(&self, now: Instant, limit: u32, window: Duration) -> bool {
        self.count(now, window).checked_sub(1) == Some(limit)
    }

    /// Counts one more; returns how many there were in its window.
    pub(crate) fn count(&self, now: Instant, window: Duration) -> u32 {
        let mut counted = lock(&self.window);
        let (since, count) = &mut *counted;
        if now.saturating_duration_since(*since) >= window {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_beyond_the_limit_is_told_once_and_a_new_window_forgets() {
        let start = Instant::now();
        let offences = Tally::new(start);
        let window = Duration::from_secs(10);
        let told = |after: u64| {
            (0..9)
                .filter(|_| offences.is_one_too_many(start + Duration::from_secs(after), 3, window))
                .count()
        };
        assert_eq!((told(0), told(9), told(10)), (1, 0, 1));
    }

    #[test]
    fn no_more_is_heard_in_a_second_than_is_allowed() {
        let start = Instant::now();
        let tally = Tally::new(start);
        let heard = |after: u64| {
            let now = start + Duration::from_millis(after);
            (0..9)
                .filter(|_| tally.count(now, Duration::from_secs(1)) <= 5)
                .count()
        };
        assert_eq!((heard(0), heard(999), heard(1_000)), (5, 0, 5));
    }
}
