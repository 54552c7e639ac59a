//! To whom a node keeps a connection although it has nothing to say.
//!
//! In a small cluster to everybody. In a large one to a few that are chosen by a hash of both names:
//! everybody chooses others, the choice hardly changes when members come and go, and the whole is a
//! random graph, in which news is everywhere after a few steps. Beside those to the nodes that are most
//! likely to be called: some of this region, and some of the primary's.

use std::{collections::BTreeSet, hash::Hasher};

use fly_rpc_transport::{NodeId, Region};

use super::member::Member;
use crate::fnv::Fnv;

/// The connections that a node keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// Those to whom news is told.
    pub(super) confidants: BTreeSet<NodeId>,
    /// Those beside them that are likely to be called.
    pub(super) likely: BTreeSet<NodeId>,
}

impl Neighbours {
    /// Chooses among `members`, which this node is not one of.
    pub(super) fn choose<'a>(
        me: &NodeId,
        (region, primary): (&Region, &Region),
        members: impl Iterator<Item = &'a Member>,
    ) -> Self {
        let reachable = members.filter(|member| member.facts().address.is_some());
        let mut ranked: Vec<(u64, &Member)> = reachable
            .map(|member| (affinity(me, member.node()), member))
            .collect();
        let all_are_kept = ranked.len() <= MESH;
        ranked.sort_by(|a, b| (a.0, a.1.node()).cmp(&(b.0, b.1.node())));
        let names = |ranked: &mut dyn Iterator<Item = &(u64, &Member)>, most: usize| {
            let members = ranked.take(most);
            members.map(|(_, member)| member.node().clone()).collect()
        };
        let near = |wanted: &Region| -> BTreeSet<NodeId> {
            let there = |(_, member): &&(u64, &Member)| {
                member.facts().region == *wanted && !member.facts().draining
            };
            names(&mut ranked.iter().filter(there), LIKELY)
        };
        Self {
            likely: if all_are_kept {
                names(&mut ranked.iter(), MESH)
            } else {
                near(region).union(&near(primary)).cloned().collect()
            },
            confidants: names(&mut ranked.iter(), CONFIDANTS),
        }
    }

    /// Everybody who is kept connected.
    pub(super) fn iter(&self) -> impl Iterator<Item = &NodeId> {
        self.confidants.union(&self.likely)
    }

    /// Whether somebody is kept connected.
    pub(super) fn contains(&self, node: &NodeId) -> bool {
        self.confidants.contains(node) || self.likely.contains(node)
    }
}

/// FNV-1a of both names, mixed: as good as a number drawn for this pair, and the same each time.
fn affinity(me: &NodeId, other: &NodeId) -> u64 {
    let mut hash = Fnv::default();
    for part in [me.as_str(), "\0", other.as_str()] {
        hash.write(part.as_bytes());
    }
    let hash = hash.finish();
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// Others up to which everybody is connected with everybody: connections are cheap, and what is seen
/// directly needs no gossip.
pub(crate) const MESH: usize = 16;
/// Members to whom a node tells news, beside those who chose it: a random graph with three edges chosen
/// by each node is connected, for all that chance can do.
pub(super) const CONFIDANTS: usize = 3;
/// Nodes of a region that are kept connected: power of two choices needs two.
const LIKELY: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::model::member;

    fn cluster(size: usize) -> Vec<Member> {
        let region = |number: usize| format!("r{}", number % 10);
        (0..size)
            .map(|number| member(&format!("n{number}"), &region(number)))
            .collect()
    }

    fn chosen(me: usize, cluster: &[Member]) -> Neighbours {
        let me = &cluster[me];
        let others = cluster.iter().filter(|other| other.node() != me.node());
        Neighbours::choose(me.node(), (&me.facts().region, &"r0".into()), others)
    }

    #[test]
    fn in_a_small_cluster_everybody_is_kept() {
        let cluster = cluster(MESH + 1);
        let neighbours = chosen(0, &cluster);
        assert!(
            cluster[1..]
                .iter()
                .all(|other| neighbours.contains(other.node()))
        );
    }

    #[test]
    fn in_a_large_one_few_are_and_some_where_calls_go() {
        let cluster = cluster(1_000);
        let neighbours = chosen(7, &cluster);
        assert_eq!(neighbours.confidants.len(), CONFIDANTS);
        let of = |region: &str| {
            let there = |member: &&Member| member.facts().region == region.into();
            let kept = |member: &&Member| neighbours.contains(member.node());
            cluster.iter().filter(there).filter(kept).count()
        };
        assert!(of("r7") >= LIKELY && of("r0") >= LIKELY);
        assert!(neighbours.likely.len() <= 2 * LIKELY);
    }

    #[test]
    fn news_reaches_everybody_in_a_few_steps_and_nobody_is_chosen_by_too_many() {
        let cluster = cluster(1_000);
        let all: Vec<Neighbours> = (0..1_000).map(|me| chosen(me, &cluster)).collect();
        let place = |node: &NodeId| node.as_str()[1..].parse::<usize>().expect("its number");
        let mut edges = vec![BTreeSet::new(); 1_000];
        for (me, neighbours) in all.iter().enumerate() {
            for other in neighbours.confidants.iter().map(place) {
                edges[me].insert(other);
                edges[other].insert(me);
            }
        }
        let (mut reached, mut steps) = (BTreeSet::from([0]), 0);
        while reached.len() < 1_000 {
            let next = reached.iter().flat_map(|node| edges[*node].iter().copied());
            let next: BTreeSet<usize> = next.collect();
            reached.extend(next);
            steps += 1;
            assert!(steps < 12, "{} of 1000", reached.len());
        }
        assert!(edges.iter().all(|edges| edges.len() <= 20));
    }

    #[test]
    fn when_one_goes_few_choose_others() {
        let cluster = cluster(200);
        let (gone, rest) = cluster.split_last().expect("two hundred");
        let rest: Vec<Member> = rest.to_vec();
        let changed = (0..rest.len())
            .filter(|me| {
                let before = chosen(*me, &cluster);
                !before.contains(gone.node()) && before != chosen(*me, &rest)
            })
            .count();
        assert_eq!(changed, 0);
    }
}
