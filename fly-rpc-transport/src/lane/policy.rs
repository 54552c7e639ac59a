//! Which lane a call takes: few shared ones when the peer is near, one for each call in flight when
//! it is far.
//!
//! Near, a round trip is cheaper than a packet lost or a task woken, so calls share a lane and are
//! written in batches. Far, a lost packet delays everything behind it on its lane by a round trip,
//! so no call waits behind another. Large payloads do not sit in front of small calls: they are
//! treated as far, on lanes of their own, and so are calls whose answer is expected to be large. Pure: the measured round-trip time is an argument.

use std::time::Duration;

/// What is known of one open lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneLoad {
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// True if it was opened for large payloads.
    pub(crate) bulk: bool,
}

/// What to do with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Take the lane at this index.
    Take(usize),
    /// Open one more.
    Open,
}

/// Chooses for a call of `size` bytes, or with an answer of so many, to a peer `round_trip` away.
pub(crate) fn choose(
    lanes: impl Iterator<Item = LaneLoad>,
    round_trip: Duration,
    size: usize,
    most: usize,
) -> Choice {
    let bulk = is_bulk(size);
    let alone = bulk || is_far(round_trip);
    let mut count = 0;
    let mut least: Option<(usize, usize)> = None;
    for (index, lane) in lanes.enumerate() {
        count += 1;
        if lane.bulk == bulk && least.is_none_or(|(_, load)| lane.in_flight < load) {
            least = Some((index, lane.in_flight));
        }
    }
    match least {
        Some((index, load)) if !alone || load == 0 || count >= most => Choice::Take(index),
        // Every lane is of the other class and no more may be opened: any lane is better than none.
        None if count >= most && count > 0 => Choice::Take(0),
        _ => Choice::Open,
    }
}

/// True for payloads that get lanes of their own.
pub(crate) fn is_bulk(size: usize) -> bool {
    size >= BULK
}

/// True if a round trip costs more than what is saved by fewer packets and wake-ups.
pub(crate) fn is_far(round_trip: Duration) -> bool {
    round_trip >= FAR
}

/// From this round-trip time on a peer is far: another region, not another rack. Within one region
/// 2 ms is rarely exceeded.
const FAR: Duration = Duration::from_millis(5);
/// Payloads from this size on fill some fifty packets, which others should not have to wait for.
const BULK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::from_micros(100);

    fn small(in_flight: usize) -> LaneLoad {
        LaneLoad {
            in_flight,
            bulk: false,
        }
    }

    #[test]
    fn near_calls_share_one_lane_however_many_they_are() {
        assert_eq!(choose([].into_iter(), NEAR, 64, 8), Choice::Open);
        assert_eq!(
            choose([small(1000)].into_iter(), NEAR, 64, 8),
            Choice::Take(0)
        );
    }

    #[test]
    fn far_calls_each_have_a_lane_and_free_lanes_are_reused() {
        assert_eq!(
            choose([small(1), small(1)].into_iter(), FAR, 64, 8),
            Choice::Open
        );
        assert_eq!(
            choose([small(1), small(0)].into_iter(), FAR, 64, 8),
            Choice::Take(1)
        );
    }

    #[test]
    fn at_the_limit_the_least_loaded_lane_is_shared() {
        assert_eq!(
            choose([small(3), small(2), small(5)].into_iter(), FAR, 64, 3),
            Choice::Take(1)
        );
    }

    #[test]
    fn a_large_payload_stays_out_of_the_lane_of_small_calls() {
        assert_eq!(choose([small(0)].into_iter(), NEAR, BULK, 8), Choice::Open);
        let bulk = LaneLoad {
            in_flight: 0,
            bulk: true,
        };
        assert_eq!(
            choose([small(0), bulk].into_iter(), NEAR, BULK, 8),
            Choice::Take(1)
        );
        assert_eq!(choose([bulk].into_iter(), NEAR, 64, 8), Choice::Open);
        assert_eq!(
            choose([small(9)].into_iter(), NEAR, BULK, 1),
            Choice::Take(0)
        );
    }
}
