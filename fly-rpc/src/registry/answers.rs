//! How large a function's answers are, as far as its callers have seen.
//!
//! A large answer on a lane that calls share keeps the small ones behind it waiting. Whether one is
//! coming is known only when it is there, but functions have habits.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What one node expects of a function, whoever serves it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    expected: AtomicUsize,
}

impl Answers {
    /// Bytes of the next answer.
    pub(crate) fn expected(&self) -> usize {
        self.expected.load(Ordering::Relaxed)
    }

    /// Notes the bytes of an answer: a larger one is expected from now on, and forgotten over the
    /// next dozens of smaller ones.
    pub(crate) fn came(&self, size: usize) {
        let expected = self.expected();
        let next = size.max(expected - expected / SHARE);
        // Small answers of a function that has no other write nothing that others share.
        if next != expected && (next >= SMALL || expected >= SMALL) {
            self.expected.store(next, Ordering::Relaxed);
        }
    }
}

/// What an answer below what is expected takes off it: after 4 MiB, 133 small ones make a small one
/// expected.
const SHARE: usize = 32;
/// Below this, sizes make no difference to anybody.
const SMALL: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_answer_is_expected_again_until_many_small_ones_came() {
        let answers = Answers::default();
        answers.came(100);
        assert!(answers.expected() < SMALL);
        answers.came(4 << 20);
        assert_eq!(answers.expected(), 4 << 20);
        for _ in 0..100 {
            answers.came(100);
        }
        assert!(answers.expected() > 64 * 1024);
        for _ in 0..200 {
            answers.came(100);
        }
        assert!(answers.expected() < SMALL);
    }
}
