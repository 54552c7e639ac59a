//! Which regions a node should be connected with better, because it calls them much.
//!
//! A call to a region of which somebody is connected goes there, so in a large cluster the node that
//! happened to be dialled first would have all that this node ever asks of the region. The choice of the
//! better of two needs two; and where those are busy, the others are no farther away.

use std::collections::{BTreeMap, BTreeSet};

use fly_rpc_transport::{NodeId, Region};

/// What was asked of each connected node, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Spread {
    asked: BTreeMap<NodeId, u64>,
}

/// One connected node at the moment of a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connected<'a> {
    pub(super) node: &'a NodeId,
    pub(super) region: &'a Region,
    /// Requests that were ever sent to it.
    pub(super) asked: u64,
    /// Calls that it has not answered.
    pub(super) in_flight: usize,
}

#[derive(Debug, Default)]
struct Load {
    nodes: usize,
    in_flight: usize,
    is_called: bool,
}

impl Spread {
    /// Looks at all that are connected and take calls; returns the regions to connect one more node of.
    pub(super) fn look<'a>(
        &mut self,
        connected: impl Iterator<Item = Connected<'a>>,
    ) -> BTreeSet<Region> {
        let mut regions: BTreeMap<&Region, Load> = BTreeMap::new();
        let mut asked = BTreeMap::new();
        for node in connected {
            let load = regions.entry(node.region).or_default();
            load.nodes += 1;
            load.in_flight += node.in_flight;
            load.is_called |= self.asked.get(node.node) != Some(&node.asked) && node.asked > 0;
            asked.insert(node.node.clone(), node.asked);
        }
        self.asked = asked;
        let short = regions.into_iter().filter(|(_, load)| {
            load.is_called && (load.nodes < TWO || load.in_flight >= BUSY * load.nodes)
        });
        short.map(|(region, _)| region.clone()).collect()
    }
}

/// The better of two is chosen.
const TWO: usize = 2;
/// Calls in flight to each of a region's connected nodes at which one more is connected: a sixteenth of
/// what a peer serves at a time by default.
const BUSY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn look(spread: &mut Spread, nodes: &[(&str, u64, usize)]) -> usize {
        let nodes: Vec<(NodeId, Region, u64, usize)> = nodes
            .iter()
            .map(|(node, asked, in_flight)| (NodeId::from(*node), "r".into(), *asked, *in_flight))
            .collect();
        let connected = nodes
            .iter()
            .map(|(node, region, asked, in_flight)| Connected {
                node,
                region,
                asked: *asked,
                in_flight: *in_flight,
            });
        spread.look(connected).len()
    }

    #[test]
    fn a_region_that_is_called_has_two_nodes_connected_and_more_if_they_are_busy() {
        let mut spread = Spread::default();
        assert_eq!(look(&mut spread, &[("a", 0, 0)]), 0);
        assert_eq!(look(&mut spread, &[("a", 1, 0)]), 1);
        // It was called once, and not again.
        assert_eq!(look(&mut spread, &[("a", 1, 0)]), 0);
        assert_eq!(look(&mut spread, &[("a", 9, 15), ("b", 0, 0)]), 0);
        assert_eq!(look(&mut spread, &[("a", 50, 17), ("b", 40, 15)]), 1);
    }
}
