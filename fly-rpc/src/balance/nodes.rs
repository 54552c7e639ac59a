//! The memory of all nodes, by node id and life.
//!
//! It outlives connections: a node that fails, closes and is dialled anew is the same node. A node
//! that was started again is not, so it starts with no failures and no latency, and slowly. What is
//! connected holds its memory by a [`Bond`]; what nothing holds any more is dropped after [`KEPT`].
//!
//! Here it is known how many nodes there are, so here it is decided how many may be left out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fly_rpc_transport::{Limits, NodeId};

use super::{breaker::Ticket, moment::Moment, settings::Settings, vitals::Vitals};

/// Every node that is remembered.
#[derive(Debug)]
pub(crate) struct Nodes {
    known: Mutex<Known>,
    settings: Arc<Settings>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: HashMap<NodeId, Life>,
    swept: Moment,
}

#[derive(Debug)]
struct Life {
    incarnation: u64,
    vitals: Arc<Vitals>,
    /// When it was last seen to be held by a connection.
    held: Moment,
}

/// A connection's hold on the memory of its node.
#[derive(Debug)]
pub(crate) struct Bond {
    vitals: Arc<Vitals>,
    /// Its end was counted.
    lost: AtomicBool,
}

impl Bond {
    /// Holds what nobody else will ever see.
    pub(crate) fn apart() -> Self {
        let settings = Settings::from(&Limits::default());
        Self {
            vitals: Arc::new(Vitals::new(Arc::new(settings))),
            lost: AtomicBool::new(false),
        }
    }

    pub(crate) fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// True the first time: a connection is lost once, whatever was on it.
    pub(crate) fn is_first_loss(&self) -> bool {
        !self.lost.swap(true, Ordering::Relaxed)
    }
}

impl Nodes {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            known: Mutex::default(),
            settings: Arc::new(settings),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The memory of a node that was connected.
    pub(crate) fn bond(&self, node: &NodeId, incarnation: u64, now: Moment) -> Bond {
        Bond {
            vitals: self.of(node, incarnation, now),
            lost: AtomicBool::new(false),
        }
    }

    fn of(&self, node: &NodeId, incarnation: u64, now: Moment) -> Arc<Vitals> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.sweep(now);
        let settings = || Arc::clone(&self.settings);
        let fresh = match known.nodes.get_mut(node) {
            Some(life) if life.incarnation == incarnation => {
                life.held = now;
                return Arc::clone(&life.vitals);
            }
            // A life that is over, on a connection that goes: nothing is learned from it.
            Some(life) if life.incarnation > incarnation => {
                return Arc::new(Vitals::new(settings()));
            }
            Some(_former) => Vitals::slow_from(now, settings()),
            None => Vitals::new(settings()),
        };
        let vitals = Arc::new(fresh);
        let life = Life {
            incarnation,
            vitals: Arc::clone(&vitals),
            held: now,
        };
        known.nodes.insert(node.clone(), life);
        vitals
    }

    /// The breaker of `vitals` wants to open: opens it if not too many are. True if it did.
    pub(crate) fn open(&self, vitals: &Vitals, ticket: Ticket, now: Moment, random: f64) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let others = known.nodes.values().map(|life| &life.vitals);
        let others = others.filter(|other| !std::ptr::eq(&***other, vitals) && is_held(other));
        let (mut nodes, mut open) = (1, 1);
        for other in others {
            nodes += 1;
            open += usize::from(other.is_open());
        }
        if !may_be_open(open, nodes, self.settings.ejected_percent) {
            vitals.decline(ticket);
            return false;
        }
        vitals.open(ticket, now, random)
    }

    /// How many nodes are remembered.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.nodes.len()
    }
}

/// True if so many of the nodes may be left out at one time. One always may: if there is no other, it
/// is asked all the same, unless the caller named another target for that case.
fn may_be_open(open: usize, nodes: usize, percent: usize) -> bool {
    percent > 0 && (open == 1 || open * 100 <= nodes * percent)
}

impl Known {
    fn sweep(&mut self, now: Moment) {
        // At most once a second, or a thousand nodes that join would look at a million.
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.nodes.retain(|_, life| {
            if is_held(&life.vitals) {
                life.held = now;
            }
            now.since(life.held) < KEPT
        });
    }
}

/// True if a connection, or a call, holds it.
fn is_held(vitals: &Arc<Vitals>) -> bool {
    Arc::strong_count(vitals) > 1
}

/// How long a node is remembered that is not connected: longer than the longest backoff, jitter
/// included, so that a node does not get rid of its failures by going away.
const KEPT: Duration = Duration::from_secs(150);
const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Nodes {
        Nodes::new(Settings::from(&Limits::default()))
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(1_000 * seconds)
    }

    #[test]
    fn a_connection_that_replaces_another_finds_what_was_known_and_a_new_life_does_not() {
        let nodes = nodes();
        let first = nodes.bond(&"a".into(), 7, at(0));
        let again = nodes.bond(&"a".into(), 7, at(1));
        assert!(Arc::ptr_eq(first.vitals(), again.vitals()));
        let restarted = nodes.bond(&"a".into(), 8, at(2));
        assert!(!Arc::ptr_eq(first.vitals(), restarted.vitals()));
        let share = restarted.vitals().condition(at(2));
        assert!(
            matches!(share, super::super::Condition::Recovering { share } if share < 0.11),
            "{share:?}"
        );
        let stale = nodes.bond(&"a".into(), 7, at(3));
        assert!(!Arc::ptr_eq(first.vitals(), stale.vitals()));
        let current = nodes.bond(&"a".into(), 8, at(4));
        assert!(Arc::ptr_eq(restarted.vitals(), current.vitals()));
    }

    #[test]
    fn nodes_that_are_gone_are_forgotten_and_those_that_are_connected_are_not() {
        let nodes = nodes();
        let kept = nodes.bond(&"kept".into(), 1, at(0));
        for number in 0..1_000 {
            drop(nodes.bond(&format!("n{number}").as_str().into(), 1, at(0)));
        }
        let _ = nodes.bond(&"kept".into(), 1, at(100));
        assert_eq!(nodes.count(), 1_001);
        let _ = nodes.bond(&"kept".into(), 1, at(200));
        assert_eq!(nodes.count(), 1);
        drop(kept);
        let _ = nodes.bond(&"other".into(), 1, at(300));
        assert_eq!(nodes.count(), 2);
    }

    #[test]
    fn a_connection_is_lost_once() {
        let nodes = nodes();
        let bond = nodes.bond(&"a".into(), 1, at(0));
        assert!(bond.is_first_loss());
        assert!(!bond.is_first_loss());
    }

    #[test]
    fn at_most_half_of_the_nodes_are_left_out_and_one_in_any_case() {
        for (nodes, most) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (100, 50)] {
            assert!(may_be_open(most, nodes, 50), "{most} of {nodes}");
            assert!(!may_be_open(most + 1, nodes, 50), "{most} of {nodes}");
        }
        assert!(!may_be_open(1, 10, 0));
    }
}
