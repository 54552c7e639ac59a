//! Which of several large payloads goes first on a connection.
//!
//! QUIC sends the streams of one priority packet by packet in turns: payloads that were begun
//! together all end together, at the last moment, and every packet wakes another reader. Each gets a
//! priority of its own here, so that one after the other is sent whole: the one that was there
//! first, unless a shorter one would otherwise wait for it out of proportion. All are below small
//! calls, which have priority 0.

use std::sync::atomic::{AtomicU32, Ordering};

/// The order of the large payloads that one end of a connection sends.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// How far the order has come; each payload moves it on by a [part](PATIENCE) of its length.
    clock: AtomicU32,
}

impl Turns {
    /// The priority of a payload of `size` bytes that comes next. It goes before what came earlier
    /// and is longer, but not before what has waited while [`PATIENCE`] times its own length came:
    /// nothing waits for ever.
    pub(crate) fn next(&self, size: usize) -> i32 {
        let length = u32::try_from(size / UNIT).unwrap_or(LAST).min(LAST);
        let now = self
            .clock
            .fetch_add((length / PATIENCE).max(1), Ordering::Relaxed);
        // Where the numbers begin anew, a few payloads are out of order once.
        let turn = now.wrapping_add(length) & LAST;
        -1 - i32::try_from(turn).unwrap_or(i32::MAX - 1)
    }
}

/// Bytes that make no difference. A sixteenth of the shortest large payload, so that no two of one
/// length have the same turn.
const UNIT: usize = 4 * 1024;
/// Times its own length that may go before a payload although it came later.
const PATIENCE: u32 = 16;
/// The largest number of a turn: 4 TiB in [units](UNIT), 64 TiB as the clock goes.
const LAST: u32 = (1 << 30) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn payloads_of_one_length_go_in_the_order_in_which_they_came() {
        for size in [64 * KIB, 1_000_000, 4096 * KIB] {
            let turns = Turns::default();
            let order: Vec<i32> = (0..100).map(|_| turns.next(size)).collect();
            assert!(order.is_sorted_by(|first, next| first > next), "{size}");
            assert!(order.iter().all(|priority| *priority < 0));
        }
    }

    #[test]
    fn a_short_payload_goes_before_long_ones_but_they_do_not_wait_for_ever() {
        let turns = Turns::default();
        let long = turns.next(4096 * KIB);
        let before = (0..10_000).take_while(|_| turns.next(64 * KIB) > long);
        assert!((100..=1024).contains(&before.count()));
    }

    #[test]
    fn the_order_goes_on_when_the_numbers_begin_anew() {
        let turns = Turns {
            clock: AtomicU32::new(u32::MAX - 3),
        };
        for _ in 0..10 {
            let priority = turns.next(usize::MAX);
            assert!((-1 - LAST as i32..0).contains(&priority));
        }
    }
}
