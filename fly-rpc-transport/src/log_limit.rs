//! Lines in the log that strangers and members can cause: at most one a second for each reason.
//!
//! A flood of one reason hides no other one, and what was left out is counted in the next line.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::lock::lock;

/// When a line of each reason was last written. Reasons are constants of this crate, so there are
/// only a few.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    reasons: Mutex<HashMap<&'static str, Written>>,
}

#[derive(Debug)]
struct Written {
    at: Instant,
    left_out: u64,
}

impl LogLimit {
    /// Whether a line is to be written `now`: if so, how many of its reason were left out before
    /// it.
    pub(crate) fn admit(&self, reason: &'static str, now: Instant) -> Option<u64> {
        let mut reasons = lock(&self.reasons);
        let Some(written) = reasons.get_mut(reason) else {
            let (at, left_out) = (now, 0);
            reasons.insert(reason, Written { at, left_out });
            return Some(0);
        };
        if now.saturating_duration_since(written.at) < DISTANCE {
            written.left_out += 1;
            return None;
        }
        written.at = now;
        Some(std::mem::take(&mut written.left_out))
    }
}

/// Time between two lines of one reason: a person sees what goes on, and a disk does not fill.
const DISTANCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_one_line_a_second_that_counts_those_left_out() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(limit.admit("expired", at(0)), Some(0));
        for millis in 1..1000 {
            assert_eq!(limit.admit("expired", at(millis)), None);
        }
        assert_eq!(limit.admit("no certificate", at(500)), Some(0));
        assert_eq!(limit.admit("expired", at(1000)), Some(999));
        assert_eq!(limit.admit("expired", at(1001)), None);
        assert_eq!(limit.admit("no certificate", at(1500)), Some(0));
    }

    #[test]
    fn a_moment_before_the_last_line_is_no_new_second() {
        let limit = LogLimit::default();
        let now = Instant::now() + DISTANCE;
        assert_eq!(limit.admit("expired", now), Some(0));
        assert_eq!(limit.admit("expired", now - DISTANCE), None);
    }
}
