//! What becomes of one datagram on a bad network: the decision, without the network.
//!
//! Pure: time is an argument and chance is seeded, so that a script of faults can be tested apart from the sockets.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The state of one direction of a path. The default lets everything pass as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// How many of a hundred datagrams are lost.
    pub loss: u8,
    /// How many arrive twice.
    pub duplicate: u8,
    /// How many arrive with one bit flipped.
    pub corrupt: u8,
    /// How many are held back until later ones have passed them.
    pub reorder: u8,
    /// How long the path is.
    pub delay: Duration,
    /// By how much the delay differs, at most, to both sides.
    pub jitter: Duration,
    /// Bytes a second that fit through; `None` for any number. What would wait for more than a fifth of a second is lost.
    pub rate: Option<u32>,
    /// Bytes of the largest datagram that fits through; `None` for any.
    pub largest: Option<usize>,
    /// True if nothing arrives.
    pub cut: bool,
}

/// One arrival of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How long after it was sent.
    pub(super) after: Duration,
    /// The bit that is flipped on the way.
    pub(super) flipped: Option<usize>,
}

/// What was done to the datagrams of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams that came.
    pub datagrams: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Datagrams that were lost by chance.
    pub lost: u64,
    /// Datagrams that arrived twice.
    pub duplicated: u64,
    /// Arrivals with a flipped bit.
    pub corrupted: u64,
    /// Arrivals that were held back.
    pub reordered: u64,
    /// Bytes that came while nothing arrived.
    pub cut: u64,
}

/// Decides, datagram by datagram.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) conditions: Conditions,
    pub(super) tally: Tally,
    /// Bytes that may still pass before the path is cut.
    pub(super) allowance: Option<u64>,
    /// When the path has room for the next datagram, since the beginning.
    free: Duration,
    chance: StdRng,
}

impl Fate {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            conditions: Conditions::default(),
            tally: Tally::default(),
            allowance: None,
            free: Duration::ZERO,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// Decides on a datagram that comes `now`, counted from the beginning. It arrives once for each item.
    pub(super) fn of(&mut self, bytes: usize, now: Duration) -> impl Iterator<Item = Arrival> {
        self.tally.datagrams += 1;
        self.tally.bytes += bytes as u64;
        let arrivals = match self.passes(bytes as u64) {
            false => [None, None],
            true => match self.queue(bytes, now) {
                None => {
                    self.tally.lost += 1;
                    [None, None]
                }
                Some(waits) => {
                    let again = self.happens(self.conditions.duplicate);
                    self.tally.duplicated += u64::from(again);
                    [
                        Some(self.arrival(bytes, waits)),
                        again.then(|| self.arrival(bytes, waits)),
                    ]
                }
            },
        };
        arrivals.into_iter().flatten()
    }

    fn passes(&mut self, bytes: u64) -> bool {
        if let Some(allowance) = &mut self.allowance {
            match allowance.checked_sub(bytes) {
                Some(rest) => *allowance = rest,
                None => self.conditions.cut = true,
            }
        }
        if self.conditions.cut {
            self.tally.cut += bytes;
            return false;
        }
        let fits = self
            .conditions
            .largest
            .is_none_or(|most| bytes <= most as u64);
        let lost = !fits || self.happens(self.conditions.loss);
        self.tally.lost += u64::from(lost);
        !lost
    }

    /// How long a datagram waits for those before it to get through; `None` if the queue is full.
    fn queue(&mut self, bytes: usize, now: Duration) -> Option<Duration> {
        let Some(rate) = self.conditions.rate else {
            return Some(Duration::ZERO);
        };
        let free = self.free.max(now) + Duration::from_secs(1) * bytes as u32 / rate.max(1);
        (free - now <= QUEUE).then(|| {
            self.free = free;
            free - now
        })
    }

    fn arrival(&mut self, bytes: usize, waits: Duration) -> Arrival {
        let Conditions { delay, jitter, .. } = self.conditions;
        let spread = jitter.mul_f64(2.0 * self.chance.random::<f64>());
        let mut after = waits + (delay + spread).saturating_sub(jitter);
        if self.happens(self.conditions.reorder) {
            self.tally.reordered += 1;
            after += HELD_BACK.mul_f64(1.0 + self.chance.random::<f64>());
        }
        let flipped = (bytes > 0 && self.happens(self.conditions.corrupt))
            .then(|| self.chance.random_range(0..bytes * 8));
        self.tally.corrupted += u64::from(flipped.is_some());
        Arrival { after, flipped }
    }

    fn happens(&mut self, of_a_hundred: u8) -> bool {
        self.chance.random_range(0..100) < of_a_hundred
    }
}

/// How long a datagram is held back at least: several round trips of a near peer.
const HELD_BACK: Duration = Duration::from_millis(5);
/// The longest time that a datagram waits for others: that of a router with a short queue.
const QUEUE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: u64 = 10_000;

    fn under(conditions: Conditions) -> (Vec<Arrival>, Tally) {
        let mut fate = Fate::new(7);
        fate.conditions = conditions;
        let mut arrivals = Vec::new();
        for _ in 0..MANY {
            arrivals.extend(fate.of(1000, Duration::ZERO));
        }
        (arrivals, fate.tally)
    }

    /// Within two of a hundred: a dozen standard deviations.
    fn is_about(count: u64, of_a_hundred: u64) {
        let expected = MANY * of_a_hundred / 100;
        let off = count.abs_diff(expected);
        assert!(off < MANY / 50, "{count} instead of {expected}");
    }

    #[test]
    fn a_good_path_changes_nothing() {
        let (arrivals, tally) = under(Conditions::default());
        let as_it_came = Arrival {
            after: Duration::ZERO,
            flipped: None,
        };
        assert_eq!(arrivals, vec![as_it_came; MANY as usize]);
        assert_eq!(
            tally,
            Tally {
                datagrams: MANY,
                bytes: MANY * 1000,
                ..Tally::default()
            }
        );
    }

    #[test]
    fn each_fault_is_as_frequent_as_it_should_be_and_counted() {
        let (arrivals, tally) = under(Conditions {
            loss: 30,
            ..Conditions::default()
        });
        is_about(tally.lost, 30);
        assert_eq!(arrivals.len() as u64, MANY - tally.lost);

        let (arrivals, tally) = under(Conditions {
            duplicate: 50,
            ..Conditions::default()
        });
        is_about(tally.duplicated, 50);
        assert_eq!(arrivals.len() as u64, MANY + tally.duplicated);

        let (arrivals, tally) = under(Conditions {
            corrupt: 20,
            ..Conditions::default()
        });
        is_about(tally.corrupted, 20);
        let flipped = || arrivals.iter().filter_map(|arrival| arrival.flipped);
        assert_eq!(flipped().count() as u64, tally.corrupted);
        assert!(flipped().all(|bit| bit < 8000));

        let (arrivals, tally) = under(Conditions {
            reorder: 20,
            ..Conditions::default()
        });
        is_about(tally.reordered, 20);
        let late = arrivals.iter().filter(|arrival| arrival.after >= HELD_BACK);
        assert_eq!(late.count() as u64, tally.reordered);
    }

    #[test]
    fn a_delay_stays_within_its_jitter() {
        let (arrivals, _) = under(Conditions {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(10),
            ..Conditions::default()
        });
        let (least, most) = (Duration::from_millis(40), Duration::from_millis(60));
        let all = || arrivals.iter().map(|arrival| arrival.after);
        assert!(all().all(|after| (least..=most).contains(&after)));
        assert!(all().any(|after| after < least + Duration::from_millis(1)));
        assert!(all().any(|after| after > most - Duration::from_millis(1)));
    }

    #[test]
    fn a_narrow_path_makes_datagrams_wait_for_each_other() {
        let mut fate = Fate::new(7);
        fate.conditions.rate = Some(10_000);
        let mut after = |now| {
            let now = Duration::from_millis(now);
            fate.of(1000, now).map(|arrival| arrival.after).next()
        };
        let millis = |count| Some(Duration::from_millis(count));
        assert_eq!(after(0), millis(100));
        assert_eq!(after(50), millis(150));
        assert_eq!(after(60), None, "the queue is full");
        assert_eq!(after(100), millis(200));
        assert_eq!(after(1000), millis(100));
    }

    #[test]
    fn what_is_too_large_is_lost() {
        let mut fate = Fate::new(7);
        fate.conditions.largest = Some(1280);
        let passed = [1280, 1281].map(|bytes| fate.of(bytes, Duration::ZERO).count());
        assert_eq!(passed, [1, 0]);
    }

    #[test]
    fn a_path_is_cut_before_it_exceeds_its_allowance() {
        let mut fate = Fate::new(7);
        fate.allowance = Some(2500);
        let passed = (0..4).map(|_| fate.of(1000, Duration::ZERO).count());
        assert_eq!(passed.collect::<Vec<_>>(), [1, 1, 0, 0]);
        assert_eq!(fate.tally.cut, 2000);
    }

    #[test]
    fn the_same_seed_decides_alike() {
        let bad = Conditions {
            loss: 20,
            duplicate: 20,
            corrupt: 20,
            reorder: 20,
            jitter: Duration::from_millis(10),
            ..Conditions::default()
        };
        assert_eq!(under(bad), under(bad));
    }
}
