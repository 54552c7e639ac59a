//! What a long link does to one direction's packets: when each arrives, or that it never does.
//!
//! Pure, so that the two kinds of link (real packets through TUN devices, datagrams through a relay)
//! treat alike what passes them, and so that a seed says which packets are lost.

use std::time::Duration;

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Time that every packet takes.
    pub delay: Duration,
    /// Packets lost in a million, each by its own chance.
    pub loss: u32,
    /// Bits per second, or as many as come.
    pub rate: Option<u64>,
    /// Bytes that may wait for the rate; what comes on top is dropped, as a router's queue does.
    pub queue: u64,
}

impl Conditions {
    /// A link with this delay each way that loses nothing and is as wide as one likes.
    pub fn of_delay(delay: Duration) -> Self {
        Self {
            delay,
            loss: 0,
            rate: None,
            queue: QUEUE,
        }
    }

    /// The same, losing `loss` packets in a million.
    pub fn losing(self, loss: u32) -> Self {
        Self { loss, ..self }
    }
}

/// What is decided for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It arrives at this time.
    Arrives(Duration),
    /// Chance has it.
    Lost,
    /// The queue before the rate is full.
    Dropped,
}

/// Decides, packet by packet. Time is an argument: since any fixed moment.
#[derive(Debug)]
pub(crate) struct Fate {
    conditions: Conditions,
    chance: fastrand::Rng,
    /// When what was let through so far has left.
    free: Duration,
}

impl Fate {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            chance: fastrand::Rng::with_seed(seed),
            free: Duration::ZERO,
        }
    }

    /// For a packet of `size` bytes that comes `now`, which is never before the last one's.
    pub(crate) fn of(&mut self, size: usize, now: Duration) -> Verdict {
        let Conditions {
            delay, loss, queue, ..
        } = self.conditions;
        if self.chance.u32(..MILLION) < loss {
            return Verdict::Lost;
        }
        let Some(rate) = self.conditions.rate else {
            return Verdict::Arrives(now + delay);
        };
        let takes = |bytes: u64| Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        let free = self.free.max(now);
        if free - now > takes(queue) {
            return Verdict::Dropped;
        }
        self.free = free + takes(size as u64);
        Verdict::Arrives(self.free + delay)
    }
}

const MILLION: u32 = 1_000_000;
/// Bytes that wait for the rate unless something else is asked for: 100 ms of 100 Mbit/s.
const QUEUE: u64 = 1_250_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_packet_arrives_a_delay_later() {
        let mut fate = Fate::new(Conditions::of_delay(50 * MS), 1);
        assert_eq!(fate.of(1500, 7 * MS), Verdict::Arrives(57 * MS));
    }

    #[test]
    fn as_many_are_lost_as_was_asked_and_the_seed_says_which() {
        let lost = |seed| {
            let mut fate = Fate::new(Conditions::of_delay(MS).losing(10_000), seed);
            (0..100_000)
                .filter(|_| fate.of(100, MS) == Verdict::Lost)
                .collect::<Vec<u32>>()
        };
        assert!((900..1_100).contains(&lost(1).len()));
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
    }

    #[test]
    fn a_narrow_link_makes_packets_wait_and_drops_those_beyond_its_queue() {
        let conditions = Conditions {
            rate: Some(8_000_000),
            queue: 2_000,
            ..Conditions::of_delay(50 * MS)
        };
        let mut fate = Fate::new(conditions, 1);
        // A thousand bytes take a millisecond.
        assert_eq!(fate.of(1_000, MS), Verdict::Arrives(52 * MS));
        assert_eq!(fate.of(1_000, MS), Verdict::Arrives(53 * MS));
        assert_eq!(fate.of(1_000, MS), Verdict::Arrives(54 * MS));
        assert_eq!(fate.of(1_000, MS), Verdict::Dropped);
        assert_eq!(fate.of(1_000, 9 * MS), Verdict::Arrives(60 * MS));
    }
}
