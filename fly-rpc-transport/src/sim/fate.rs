//! What becomes of one datagram. Pure: chance and what is queued before it are arguments.

use std::time::Duration;

use super::conditions::Conditions;
use crate::randomness::Randomness;

/// One copy that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How long after it was sent.
    pub(super) after: Duration,
    /// The bit that is flipped on the way.
    pub(super) flipped: Option<usize>,
}

/// The copies of a datagram of `size` bytes that arrive: none, one or two. `queued` is how long the
/// way is busy with what was sent before.
pub(super) fn fate(
    conditions: &Conditions,
    chance: &Randomness,
    size: usize,
    queued: Duration,
) -> Vec<Arrival> {
    // Always drawn, so that one probability does not change what another one decides.
    let lost = happens(conditions.loss, chance);
    let doubled = happens(conditions.duplication, chance);
    if lost || size > conditions.mtu || queued > longest_queue(conditions) {
        return Vec::new();
    }
    let copy = || Arrival {
        after: queued + occupied(conditions, size) + travel(conditions, chance),
        flipped: happens(conditions.corruption, chance).then(|| {
            let first = HEADER.min(size.saturating_sub(TAG));
            let bits = (size - first) as u64 * 8;
            first * 8 + chance.number().checked_rem(bits).unwrap_or(0) as usize
        }),
    };
    (0..=usize::from(doubled)).map(|_| copy()).collect()
}

/// How long a datagram occupies the way.
pub(super) fn occupied(conditions: &Conditions, size: usize) -> Duration {
    match conditions.rate {
        Some(rate) => Duration::from_secs_f64(size as f64 / rate.max(1) as f64),
        None => Duration::ZERO,
    }
}

fn travel(conditions: &Conditions, chance: &Randomness) -> Duration {
    let overtaken = happens(conditions.reordering, chance);
    conditions.delay * (1 + u32::from(overtaken)) + conditions.jitter.mul_f64(chance.fraction())
}

fn longest_queue(conditions: &Conditions) -> Duration {
    occupied(conditions, QUEUE)
}

fn happens(probability: f64, chance: &Randomness) -> bool {
    chance.fraction() < probability
}

/// Bytes at the beginning of a datagram that are never flipped: the longest header and the sample
/// that protects it (RFC 9001 §5.4). What a header reads as when one of them is flipped depends on
/// keys and ciphertext, and those follow from no seed.
const HEADER: usize = 64;
/// Bytes at the end that may always be flipped: the tag of the encryption.
const TAG: usize = 16;
/// Bytes that wait before a way of limited rate: what a router's port holds.
const QUEUE: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(conditions: &Conditions) -> [usize; 3] {
        let chance = Randomness::seeded(1);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[fate(conditions, &chance, 1200, Duration::ZERO).len()] += 1;
        }
        counts
    }

    #[test]
    fn a_quiet_way_delivers_each_datagram_once_and_on_time() {
        let quiet = Conditions::default();
        let chance = Randomness::seeded(1);
        let arrival = Arrival {
            after: quiet.delay,
            flipped: None,
        };
        for _ in 0..1000 {
            assert_eq!(fate(&quiet, &chance, 1200, Duration::ZERO), [arrival]);
        }
    }

    #[test]
    fn as_many_are_lost_and_doubled_as_was_asked_for() {
        let conditions = Conditions {
            loss: 0.3,
            duplication: 0.5,
            ..Conditions::default()
        };
        let [none, once, twice] = counts(&conditions);
        assert!((2_800..3_200).contains(&none), "{none} of 10 000 are lost");
        assert!(
            (3_300..3_700).contains(&once) && (3_300..3_700).contains(&twice),
            "{once} came once and {twice} twice"
        );
    }

    #[test]
    fn a_flipped_bit_lies_inside_its_datagram() {
        let conditions = Conditions {
            corruption: 1.0,
            ..Conditions::default()
        };
        let chance = Randomness::seeded(1);
        for size in 1..100 {
            let arrivals = fate(&conditions, &chance, size, Duration::ZERO);
            assert!(arrivals[0].flipped.expect("flipped") < size * 8);
        }
    }

    #[test]
    fn a_slow_way_makes_wait_and_a_full_one_loses() {
        let conditions = Conditions {
            rate: Some(100_000),
            ..Conditions::default()
        };
        let chance = Randomness::seeded(1);
        let waited = Duration::from_secs(1);
        let arrivals = fate(&conditions, &chance, 1000, waited);
        assert_eq!(
            arrivals[0].after,
            waited + Duration::from_millis(10) + conditions.delay
        );
        assert!(fate(&conditions, &chance, 1000, Duration::from_secs(3)).is_empty());
    }

    #[test]
    fn what_is_too_large_for_the_way_is_lost() {
        let conditions = Conditions {
            mtu: 1200,
            ..Conditions::default()
        };
        let chance = Randomness::seeded(1);
        assert!(fate(&conditions, &chance, 1201, Duration::ZERO).is_empty());
        assert_eq!(fate(&conditions, &chance, 1200, Duration::ZERO).len(), 1);
    }
}
