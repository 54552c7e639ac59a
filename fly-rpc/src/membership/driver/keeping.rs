//! Whom a node keeps connected, lets go, and connects because it calls them.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::Driver;
use crate::{membership::spread::Connected, node::Inner};

impl Driver {
    /// Once a second: whom to keep connected, and whom no longer.
    pub(super) fn look(&mut self) {
        let Some(inner) = self.node.upgrade() else {
            return;
        };
        self.keep_neighbours(&inner);
        let roster = inner.roster();
        let now = Instant::now();
        let mut idle = BTreeMap::new();
        for (node, link) in &self.connected {
            let is_kept = self.gossiper.neighbours().contains(node)
                || inner.dials.keeps(node)
                // Only who can be found again is let go.
                || roster.address(node).is_none();
            let is_busy = link.in_flight() > 0 || link.serving().load(Ordering::Relaxed) > 0;
            if is_kept || is_busy || !link.is_dialled() || link.is_retiring() {
                continue;
            }
            let activity = link.activity();
            let since = self
                .idle
                .get(node)
                .filter(|(before, _)| *before == activity)
                .map_or(now, |(_, since)| *since);
            if now - since >= IDLE {
                tracing::debug!(peer = %node, "an idle connection is given up");
                link.retire();
            } else {
                idle.insert(node.clone(), (activity, since));
            }
        }
        self.idle = idle;
        self.spread(&inner);
    }

    /// Connects one more node of each region that is called much for those who are connected.
    fn spread(&mut self, inner: &Inner) {
        let usable = self.connected.iter().filter(|(_, link)| {
            !link.is_retiring() && !link.is_closed() && !link.is_draining() && !link.is_suspect()
        });
        let short = self.spread.look(usable.map(|(node, link)| Connected {
            node,
            region: link.region(),
            asked: link.requests_sent(),
            in_flight: link.in_flight(),
        }));
        let roster = inner.roster();
        let room = CONNECTIONS.saturating_sub(self.connected.len());
        for region in short.into_iter().take(room) {
            let others = roster.iter().filter_map(|(node, known)| {
                let facts = known.facts();
                let is_fit = facts.region == region
                    && !facts.draining
                    && !known.is_suspect()
                    && !self.connected.contains_key(node)
                    && !inner.dials.is_failing(node);
                is_fit.then_some((node, facts.address?))
            });
            let others: Vec<_> = others.collect();
            let chance = inner.endpoint.randomness().number() as usize;
            if let Some((node, address)) = others.get(chance % others.len().max(1)) {
                // Nobody waits for it: calls find it when it is there.
                inner.endpoint.runtime().spawn(inner.reach(node, *address));
            }
        }
    }

    pub(super) fn keep_neighbours(&self, inner: &Inner) {
        let roster = inner.roster();
        let neighbours = self.gossiper.neighbours().iter();
        let kept = neighbours.filter_map(|node| Some((node.clone(), roster.address(node)?)));
        inner.dials.keep(&inner.endpoint, kept.collect(), &roster);
    }
}

/// How long a connection that was made for a call is kept after the last one. Making it again costs one
/// round trip; keeping it costs 45 KiB and a few packets a minute.
const IDLE: Duration = Duration::from_secs(15);
/// Connections beyond which none is made only to spread calls.
const CONNECTIONS: usize = 48;
