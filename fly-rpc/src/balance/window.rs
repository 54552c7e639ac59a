//! How many of a node's calls succeeded lately: counts in ten slices of the window.
//!
//! A slice is one atomic that says when it is of, so that the first to write to it in a later round
//! starts it anew and nobody clears anything. A slice ends as a whole: what is counted is of the last
//! nine tenths of the window to all of it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::moment::{Moment, millis};

/// Counts of the last window.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Each: the number of the slice (24 bits), successes and failures (20 bits each).
    slices: [AtomicU64; SLICES as usize],
}

impl Window {
    pub(crate) fn count(&self, succeeded: bool, now: Moment, window: Duration) {
        let number = number(now, window);
        let Some(slice) = self.slices.get((number % SLICES) as usize) else {
            return;
        };
        let _ = slice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let (of, successes, failures) = unpack(packed);
            let (successes, failures) = if of == number & NUMBER {
                (successes, failures)
            } else {
                (0, 0)
            };
            let (more, fewer) = (u64::from(succeeded), u64::from(!succeeded));
            // Full is full on both sides, or the share would be wrong: a million calls in three
            // seconds say enough.
            let is_full = successes.max(failures) == COUNT;
            let (successes, failures) = if is_full {
                (successes, failures)
            } else {
                (successes + more, failures + fewer)
            };
            Some((number & NUMBER) << 40 | successes << 20 | failures)
        });
    }

    /// Successes and failures of the window that ends now.
    pub(crate) fn totals(&self, now: Moment, window: Duration) -> (u64, u64) {
        let number = number(now, window);
        let slices = self
            .slices
            .iter()
            .map(|slice| unpack(slice.load(Ordering::Relaxed)));
        slices
            .filter(|(of, ..)| (number & NUMBER).wrapping_sub(*of) & NUMBER < SLICES)
            .fold((0, 0), |sum, (_, successes, failures)| {
                (sum.0 + successes, sum.1 + failures)
            })
    }

    pub(crate) fn clear(&self) {
        for slice in &self.slices {
            slice.store(0, Ordering::Relaxed);
        }
    }
}

fn number(now: Moment, window: Duration) -> u64 {
    // One more than the slices passed, so that a slice that was never written is of no window.
    now.millis() / (millis(window) / SLICES).max(1) + SLICES
}

fn unpack(packed: u64) -> (u64, u64, u64) {
    (packed >> 40, packed >> 20 & COUNT, packed & COUNT)
}

const SLICES: u64 = 10;
const COUNT: u64 = (1 << 20) - 1;
const NUMBER: u64 = (1 << 24) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let (window, at) = (Window::default(), Moment::from_millis);
        assert_eq!(window.totals(at(0), WINDOW), (0, 0));
        window.count(true, at(100), WINDOW);
        window.count(false, at(15_000), WINDOW);
        assert_eq!(window.totals(at(15_000), WINDOW), (1, 1));
        assert_eq!(window.totals(at(29_999), WINDOW), (1, 1));
        assert_eq!(window.totals(at(30_000), WINDOW), (0, 1));
        assert_eq!(window.totals(at(45_000), WINDOW), (0, 0));
        // The slice is used again.
        window.count(true, at(60_100), WINDOW);
        assert_eq!(window.totals(at(60_100), WINDOW), (1, 0));
        window.clear();
        assert_eq!(window.totals(at(60_100), WINDOW), (0, 0));
    }

    #[test]
    fn a_slice_that_is_full_keeps_its_share() {
        let (window, now) = (Window::default(), Moment::from_millis(0));
        for call in 0..3_000_000 {
            window.count(call % 3 == 0, now, WINDOW);
        }
        let (successes, failures) = window.totals(now, WINDOW);
        assert_eq!(failures, COUNT);
        assert!(successes.abs_diff(failures / 2) < 2);
    }

    const WINDOW: Duration = Duration::from_secs(30);
}
