//! A log line at most once a second: strangers decide how often there would be something to say.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::lock::lock;

/// When something was last told, and how often it was not since.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    last: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// Calls `say` with how often it was kept quiet since, unless it spoke less than a second ago.
    pub(crate) fn tell(&self, now: Instant, say: impl FnOnce(u64)) {
        let quiet = {
            let mut last = lock(&self.last);
            let (told, quiet) = &mut *last;
            if told.is_some_and(|told| now.saturating_duration_since(told) < EVERY) {
                *quiet += 1;
                return;
            }
            *told = Some(now);
            std::mem::take(quiet)
        };
        say(quiet);
    }
}

const EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_once_a_second_and_says_how_often_it_did_not() {
        let start = Instant::now();
        let seldom = Seldom::default();
        let mut told = Vec::new();
        for tenth in 0..25 {
            let now = start + Duration::from_millis(100 * tenth);
            seldom.tell(now, |quiet| told.push((tenth, quiet)));
        }
        assert_eq!(told, [(0, 0), (10, 9), (20, 9)]);
    }
}
