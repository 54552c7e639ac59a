//! Metrics of the node as a whole: gauges that are set, and counts that are carried over, every few
//! seconds. Nothing is done for them when a call is made.

use std::{
    sync::{Weak, atomic::Ordering},
    time::Duration,
};

use fly_rpc_transport::Refusals;
use metrics::{Counter, Gauge, counter, gauge};
use tokio::time::{MissedTickBehavior, interval};

use super::{labels::ByRegion, names};
use crate::node::{Inner, NodeStats};

/// Looks at a node until it is gone. Ends with it.
pub(crate) async fn sample(node: Weak<Inner>) {
    let mut sampler = Sampler::default();
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(node) = node.upgrade() else {
            return;
        };
        sampler.look(&node);
    }
}

#[derive(Debug, Default)]
struct Sampler {
    regions: ByRegion<OfRegion>,
    handlers: Vec<Option<Gauge>>,
    /// What was carried over so far.
    carried: NodeStats,
    connections_made: u64,
}

/// The peers of one region.
#[derive(Debug)]
struct OfRegion {
    label: String,
    peers: Gauge,
    connected: u32,
    round_trip: Option<Duration>,
}

impl OfRegion {
    fn new(label: String) -> Self {
        Self {
            peers: gauge!(names::PEERS, "peer_region" => label.clone()),
            label,
            connected: 0,
            round_trip: None,
        }
    }
}

impl Sampler {
    fn look(&mut self, node: &Inner) {
        self.look_at_peers(node);
        self.look_at_handlers(node);
        let stats = NodeStats::of(node);
        gauge!(names::CALLS_PENDING).set(stats.pending_calls as f64);
        gauge!(names::CONNECTIONS).set(stats.connections as f64);
        let primary = node.primary.view();
        gauge!(names::IS_PRIMARY).set(f64::from(u8::from(primary.region == node.region)));
        gauge!(names::PRIMARY_EPOCH).set(primary.epoch as f64);
        gauge!(names::DRAINING).set(f64::from(u8::from(node.is_draining())));
        self.carry(stats, node.endpoint.connections_made());
    }

    fn look_at_peers(&mut self, node: &Inner) {
        for region in self.regions.iter_mut() {
            (region.connected, region.round_trip) = (0, None);
        }
        let mut disagreeing = 0_u32;
        for link in node.endpoint.links().iter() {
            let region = self.regions.of(link.region(), OfRegion::new);
            region.connected += 1;
            let least = region.round_trip.unwrap_or(Duration::MAX);
            region.round_trip = Some(link.round_trip().min(least));
            let agrees = link.look_at_view(|view| view.region == *node.primary.region());
            disagreeing += u32::from(!agrees);
        }
        for region in self.regions.iter_mut() {
            region.peers.set(f64::from(region.connected));
            // Nobody is there: that is no distance, and the last one would be a lie.
            let round_trip = region
                .round_trip
                .map_or(f64::NAN, |time| time.as_secs_f64());
            gauge!(names::ROUND_TRIP, "peer_region" => region.label.clone()).set(round_trip);
        }
        gauge!(names::PRIMARY_DISAGREEING).set(f64::from(disagreeing));
    }

    /// A function has a series from the first time on that it is seen to run.
    fn look_at_handlers(&mut self, node: &Inner) {
        for (place, served) in node.registry.iter().enumerate() {
            if self.handlers.len() <= place {
                self.handlers.push(None);
            }
            let running = served.running.load(Ordering::Relaxed);
            let known = &mut self.handlers[place];
            if running == 0 && known.is_none() {
                continue;
            }
            let spec = &served.entry.spec;
            let handlers = known.get_or_insert_with(|| {
                gauge!(names::HANDLERS, "function" => spec.name, "version" => spec.version.to_string())
            });
            handlers.set(running as f64);
        }
    }

    /// Raises counters by what was added since: several nodes of one process share them.
    fn carry(&mut self, now: NodeStats, connections_made: u64) {
        let then = std::mem::replace(&mut self.carried, now);
        raise(
            counter!(names::CONNECTIONS_MADE),
            std::mem::replace(&mut self.connections_made, connections_made),
            connections_made,
        );
        for (name, then, now) in [
            (names::ADDRESS_PROOFS, then.retries, now.retries),
            (names::FRAMES_READ, then.frames_read, now.frames_read),
            (names::PRIMARY_MOVES, then.primary_moves, now.primary_moves),
            (
                names::PRIMARY_DISAGREEMENTS,
                then.primary_disagreements,
                now.primary_disagreements,
            ),
        ] {
            raise(counter!(name), then, now);
        }
        let reasons = reasons(&then.refusals)
            .into_iter()
            .zip(reasons(&now.refusals));
        for ((reason, then), (_, now)) in reasons {
            raise(
                counter!(names::CONNECTIONS_REFUSED, "reason" => reason),
                then,
                now,
            );
        }
    }
}

fn raise(counter: Counter, then: u64, now: u64) {
    counter.increment(now.saturating_sub(then));
}

fn reasons(refusals: &Refusals) -> [(&'static str, u64); 7] {
    [
        ("crowded", refusals.crowded),
        ("draining", refusals.draining),
        ("visitor", refusals.visitor),
        ("handshake", refusals.handshake),
        ("certificate", refusals.certificate),
        ("hello", refusals.hello),
        ("slow", refusals.slow),
    ]
}

/// A third of the time between two scrapes of Fly.
const PERIOD: Duration = Duration::from_secs(5);
