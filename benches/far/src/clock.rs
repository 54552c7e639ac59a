//! How exactly a thread sleeps.
//!
//! The kernel may wake an ordinary thread 50 µs late so as to save wake-ups; a link or a load that
//! is late by itself would be measured as the framework's lateness.

use std::{
    thread,
    time::{Duration, Instant},
};

/// From here on this thread sleeps as exactly as the machine can.
pub(crate) fn be_exact() {
    #[cfg(target_os = "linux")]
    // What cannot be had is not needed: the baseline shows how late packets are.
    let _ = nix::sys::prctl::set_timerslack(1);
}

/// Blocks this thread until `when`.
pub(crate) fn sleep_until(when: Instant) {
    let left = when.saturating_duration_since(Instant::now());
    if left > Duration::ZERO {
        thread::sleep(left);
    }
}
