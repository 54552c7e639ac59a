//! How much is measured: the bound of every benchmark, in counts and in time.

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Turns that each side gets.
    pub rounds: usize,
    /// Calls in one turn, where calls are timed one by one.
    pub calls: usize,
    /// Length of one turn, where calls are counted.
    pub window: Duration,
    /// False if only what a promise is about is wanted.
    pub whole: bool,
    /// True if also what takes minutes for a single figure is wanted.
    pub slow: bool,
}

impl Effort {
    /// Everything, as the tables want it.
    pub const fn long() -> Self {
        Self {
            rounds: 3,
            calls: 2_000,
            window: Duration::from_millis(250),
            whole: true,
            slow: false,
        }
    }

    /// One part by itself, which may take its time.
    pub const fn thorough() -> Self {
        Self {
            rounds: 9,
            window: Duration::from_millis(400),
            slow: true,
            ..Self::long()
        }
    }

    /// Only what the promises are about, in a few minutes for all of them.
    pub const fn short() -> Self {
        Self {
            rounds: 5,
            calls: 1_000,
            window: Duration::from_millis(300),
            whole: false,
            slow: false,
        }
    }

    /// Just enough to see that everything runs. Its figures mean nothing.
    pub const fn smoke() -> Self {
        Self {
            rounds: 3,
            calls: 20,
            window: Duration::from_millis(20),
            whole: false,
            slow: false,
        }
    }

    /// What a small benchmark does under `cargo bench`, which says `--bench`; under `cargo test`
    /// [`smoke`](Self::smoke).
    pub fn asked_for() -> Self {
        if std::env::args().any(|argument| argument == "--bench") {
            Self {
                rounds: 161,
                calls: 100,
                window: Duration::from_millis(400),
                whole: true,
                slow: false,
            }
        } else {
            Self::smoke()
        }
    }
}
