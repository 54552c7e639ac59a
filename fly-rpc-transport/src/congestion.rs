//! Congestion control: Cubic, which does not take a loss without a queue for congestion.
//!
//! Cubic (RFC 9438) halves, nearly, what may be under way at each loss and grows back only while it
//! is short of room. Small calls over a long path that loses one packet in a hundred by itself are
//! so starved: they wait at the sender for room, five round trips at the median. A path that is
//! congested shows it otherwise too: a queue builds up and round trips take longer. So as long as
//! they do not, as much may be under way as the path has just carried within a round trip, and
//! somewhat more: the window that TCP Westwood+ falls back to (Mascolo et al., MobiCom 2001). As
//! soon as they take longer, or much or everything is lost, or the path marks packets (ECN), Cubic
//! alone decides.
//!
//! quinn's BBR serves small calls as well but overruns a narrow path: a transfer of 1 MB over
//! 20 Mbit/s lost four packets in ten and took twice as long as with Cubic.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

/// Makes the controller of each connection.
#[derive(Debug, Default)]
pub(crate) struct Congestion {
    cubic: Arc<CubicConfig>,
}

impl ControllerFactory for Congestion {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(Patient {
            cubic: Arc::clone(&self.cubic).build(now, mtu),
            path: Path::new(now),
        })
    }
}

/// Cubic, and what it does not know.
struct Patient {
    cubic: Box<dyn Controller>,
    path: Path,
}

impl Controller for Patient {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.path.carried(now, bytes, rtt.get(), rtt.min());
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.cubic
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        // Everything was lost, or nothing: then the path itself says that it is congested (ECN).
        if is_persistent_congestion || lost_bytes == 0 {
            self.path = Path::new(now);
        }
        self.path.lost += lost_bytes;
        self.cubic
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.cubic.window().max(self.path.floor())
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            cubic: self.cubic.clone_box(),
            path: self.path,
        })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// What a path carries without a queue. Pure: time and round trips are arguments.
#[derive(Clone, Copy, Debug)]
struct Path {
    round_began: Instant,
    /// Bytes acknowledged since then.
    round: u64,
    /// Bytes found lost since then.
    lost: u64,
    /// Both of the last rounds that were complete, the latest first.
    rounds: [u64; ROUNDS],
    losses: [u64; ROUNDS],
    /// True once a round trip was seen, and while they take no longer than they have to.
    has_no_queue: bool,
}

impl Path {
    fn new(now: Instant) -> Self {
        Self {
            round_began: now,
            round: 0,
            lost: 0,
            rounds: [0; ROUNDS],
            losses: [0; ROUNDS],
            has_no_queue: false,
        }
    }

    /// Notes that bytes arrived; how long round trips take, and took at least.
    fn carried(&mut self, now: Instant, bytes: u64, round_trip: Duration, least: Duration) {
        if now.saturating_duration_since(self.round_began) >= least {
            self.rounds.rotate_right(1);
            self.rounds[0] = std::mem::take(&mut self.round);
            self.losses.rotate_right(1);
            self.losses[0] = std::mem::take(&mut self.lost);
            self.round_began = now;
        }
        self.round += bytes;
        self.has_no_queue = round_trip <= least + least / 4;
    }

    /// Bytes that may be under way whatever was lost.
    fn floor(&self) -> u64 {
        let is_known = self.rounds[ROUNDS - 1] > 0;
        // What drops instead of queueing (a policer, a short buffer) shows it by dropping much.
        let (carried, lost): (u64, u64) = (self.rounds.iter().sum(), self.losses.iter().sum());
        let is_overrun = lost > carried / 8;
        if !is_known || !self.has_no_queue || is_overrun {
            return 0;
        }
        let most = self.rounds.iter().max().copied().unwrap_or_default();
        LEAST.max(most + most / 4)
    }
}

/// Round trips that a path is remembered for. Before it was seen for as many, and again after
/// everything was lost for a while, it is not known, and Cubic alone decides.
const ROUNDS: usize = 8;
/// Bytes that nearly every path between two regions carries: 2.6 Mbit/s at 100 ms. A call on each of
/// the [lanes](crate::Limits::lanes) that one peer may open by default, if it is a small one.
const LEAST: u64 = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SEEN: u32 = ROUNDS as u32 + 2;

    /// Ten packets in each of `rounds` round trips, which take `round_trip` instead of 100 ms.
    fn path(rounds: u32, bytes: u64, round_trip: Duration) -> Path {
        let began = Instant::now();
        let mut path = Path::new(began);
        for number in 1..=rounds * 10 {
            path.carried(began + 10 * number * MS, bytes / 10, round_trip, 100 * MS);
        }
        path
    }

    #[test]
    fn nothing_is_assumed_of_a_path_that_is_not_known() {
        assert_eq!(Path::new(Instant::now()).floor(), 0);
        assert_eq!(path(ROUNDS as u32 - 1, 100_000, 100 * MS).floor(), 0);
    }

    #[test]
    fn a_path_without_a_queue_carries_what_it_carried_and_somewhat_more() {
        let floor = path(SEEN, 100_000, 101 * MS).floor();
        assert_eq!(floor, 125_000);
        assert_eq!(path(SEEN, 1_000, 101 * MS).floor(), LEAST);
    }

    #[test]
    fn a_queue_leaves_the_window_to_cubic() {
        assert_eq!(path(SEEN, 100_000, 130 * MS).floor(), 0);
    }

    #[test]
    fn what_was_carried_long_ago_no_longer_counts() {
        let mut path = path(SEEN, 100_000, 100 * MS);
        let later = path.round_began + Duration::from_secs(1);
        for number in 0..=ROUNDS as u32 {
            path.carried(later + 100 * number * MS, 1_000, 100 * MS, 100 * MS);
        }
        assert_eq!(path.floor(), LEAST);
    }

    #[test]
    fn losses_on_an_idle_path_leave_room_and_persistent_congestion_does_not() {
        let now = Instant::now();
        let mut controller = Patient {
            cubic: Arc::<CubicConfig>::default().build(now, 1200),
            path: path(SEEN, 20_000, 100 * MS),
        };
        for round in 1..=50 {
            let at = now + 100 * round * MS;
            controller.on_congestion_event(at, at, false, 1200);
        }
        assert_eq!(controller.window(), LEAST);
        let at = now + 6_000 * MS;
        controller.on_congestion_event(at, at, true, 1200);
        assert_eq!(controller.window(), 2 * 1200);
    }

    /// Bytes sent for each that arrives on a path that carries `rate` bytes in a round trip of 20
    /// ms, drops the rest and queues nothing: a policer. Whoever sends backs off at each loss as
    /// Cubic does, and grows by a packet otherwise.
    fn overhead(rate: u64, has_floor: bool) -> f64 {
        let began = Instant::now();
        let mut path = Path::new(began);
        let (mut backing_off, mut sent, mut carried) = (12_000, 0, 0);
        for round in 1..2_000 {
            let floor = if has_floor { path.floor() } else { 0 };
            let window = floor.max(backing_off);
            let delivered = window.min(rate);
            for packet in 1..=delivered / 1200 {
                path.carried(
                    began + 20 * round * MS + packet as u32 * MS / 100,
                    1200,
                    20 * MS,
                    20 * MS,
                );
            }
            path.lost += window - delivered;
            backing_off = if delivered < window {
                (backing_off * 7 / 10).max(2400)
            } else {
                backing_off + 1200
            };
            if round > 200 {
                sent += window;
                carried += delivered;
            }
        }
        sent as f64 / carried as f64
    }

    #[test]
    fn a_path_that_drops_instead_of_queueing_is_not_overrun() {
        for rate in [3_600, 12_000, 120_000] {
            let (without, ours) = (overhead(rate, false), overhead(rate, true));
            assert!(ours < 2.5, "{rate} B a round trip: {without:.2}, {ours:.2}");
        }
    }

    #[test]
    fn a_mark_of_congestion_is_heeded() {
        let now = Instant::now();
        let mut controller = Patient {
            cubic: Arc::<CubicConfig>::default().build(now, 1200),
            path: path(SEEN, 100_000, 100 * MS),
        };
        let before = controller.window();
        // No bytes were lost: ECN.
        controller.on_congestion_event(now + MS, now + MS, false, 0);
        assert!(
            controller.window() < before,
            "{} {before}",
            controller.window()
        );
    }
}
