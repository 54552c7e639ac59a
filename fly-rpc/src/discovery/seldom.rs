//! A line of the log that may be due all the time: written once a minute.
//!
//! Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// When a line was last written, and how often it was not since.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    written: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Whether the line is to be written `now`: if so, how often it was left out before.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let is_early = |written| now.saturating_duration_since(written) < DISTANCE;
        if self.written.is_some_and(is_early) {
            self.left_out += 1;
            return None;
        }
        self.written = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Time between two lines: a name server may be gone for days.
const DISTANCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_counts_those_left_out() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.admit(at(0)), Some(0));
        for second in 1..60 {
            assert_eq!(seldom.admit(at(second)), None);
        }
        assert_eq!(seldom.admit(at(60)), Some(59));
        assert_eq!(seldom.admit(at(61)), None);
    }
}
