//! What several sources say, made into one list of addresses to dial.
//!
//! Pure. An address is dialled while at least one source has it. Who is expected there is what the
//! sources agree on: if two claims contradict each other, nobody in particular is, since an address
//! says nothing about who has it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use fly_rpc_transport::{NodeId, Region};

use super::sighting::Sighting;

/// The last answer of each source, and what is dialled for them.
#[derive(Debug)]
pub(super) struct Merge {
    own: NodeId,
    answers: Vec<Vec<Sighting>>,
    dialled: BTreeMap<SocketAddr, Expected>,
}

/// Who is to answer at an address, and where that node runs.
pub(super) type Expected = Option<(NodeId, Option<Region>)>;

/// What is to be done about an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Dial it.
    Dial(SocketAddr, Expected),
    /// Stop, and dial it for somebody else.
    Redial(SocketAddr, Expected),
    /// Stop.
    Forget(SocketAddr),
}

/// What all sources together say of one address.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// No source names a node.
    Nobody,
    Node(NodeId, Option<Region>),
    /// Two sources, or one twice, name different nodes.
    Contested,
}

impl Merge {
    /// Nothing known yet, for the node `own`, which need not be dialled.
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            answers: Vec::new(),
            dialled: BTreeMap::new(),
        }
    }

    /// A place for the answers of one more source.
    pub(super) fn add_source(&mut self) -> usize {
        self.answers.push(Vec::new());
        self.answers.len() - 1
    }

    /// Takes the answer of the source at `place` for its former one, and says what follows.
    /// `is_connected` tells of a node whether there is a connection to it: one that is not expected
    /// any more and still there is left alone.
    pub(super) fn replace(
        &mut self,
        place: usize,
        answer: Vec<Sighting>,
        is_connected: impl Fn(&NodeId) -> bool,
    ) -> Vec<Change> {
        if let Some(former) = self.answers.get_mut(place) {
            *former = answer;
        }
        let wanted = self.wanted();
        let gone: Vec<SocketAddr> = self
            .dialled
            .keys()
            .filter(|address| !wanted.contains_key(*address))
            .copied()
            .collect();
        let mut changes = Vec::new();
        for address in gone {
            self.dialled.remove(&address);
            changes.push(Change::Forget(address));
        }
        for (address, expected) in wanted {
            match self.dialled.get(&address) {
                Some(now) if *now == expected => continue,
                Some(Some((node, _))) if expected.is_none() && is_connected(node) => continue,
                Some(_) => changes.push(Change::Redial(address, expected.clone())),
                None => changes.push(Change::Dial(address, expected.clone())),
            }
            self.dialled.insert(address, expected);
        }
        changes
    }

    fn wanted(&self) -> BTreeMap<SocketAddr, Expected> {
        let mut claims: BTreeMap<SocketAddr, Claim> = BTreeMap::new();
        let sightings = self.answers.iter().flatten();
        for sighting in sightings.filter(|sighting| can_be_dialled(sighting.address)) {
            let claim = claims.entry(sighting.address).or_insert(Claim::Nobody);
            claim.add(sighting);
        }
        let others = claims
            .into_iter()
            .filter(|(_, claim)| !matches!(claim, Claim::Node(node, _) if *node == self.own));
        others
            .map(|(address, claim)| match claim {
                Claim::Node(node, region) => (address, Some((node, region))),
                Claim::Nobody | Claim::Contested => (address, None),
            })
            .collect()
    }
}

impl Claim {
    fn add(&mut self, sighting: &Sighting) {
        let Some(node) = sighting.node.clone().filter(NodeId::is_well_formed) else {
            return;
        };
        let region = sighting.region.clone().filter(Region::is_well_formed);
        match self {
            Self::Nobody => *self = Self::Node(node, region),
            Self::Node(known, known_region) if *known == node => {
                *known_region = known_region.take().or(region);
            }
            Self::Node(..) => *self = Self::Contested,
            Self::Contested => {}
        }
    }
}

fn can_be_dialled(address: SocketAddr) -> bool {
    let is_multicast = match address.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    address.port() != 0 && !address.ip().is_unspecified() && !is_multicast
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 7411))
    }

    fn unknown(last: u8) -> Sighting {
        Sighting::new(at(last))
    }

    fn node(last: u8, node: &str) -> Sighting {
        unknown(last).node(node).region("syd")
    }

    fn expected(node: &str) -> Expected {
        Some((NodeId::from(node), Some(Region::from("syd"))))
    }

    fn merge(sources: usize) -> Merge {
        let mut merge = Merge::new(NodeId::from("me"));
        for _ in 0..sources {
            merge.add_source();
        }
        merge
    }

    fn nobody(_: &NodeId) -> bool {
        false
    }

    #[test]
    fn an_address_leaves_when_no_source_has_it() {
        let mut merge = merge(2);
        let dial = merge.replace(0, vec![unknown(1)], nobody);
        assert_eq!(dial, [Change::Dial(at(1), None)]);
        assert_eq!(merge.replace(1, vec![unknown(1)], nobody), []);
        assert_eq!(merge.replace(0, vec![], nobody), []);
        let forget = merge.replace(1, vec![], nobody);
        assert_eq!(forget, [Change::Forget(at(1))]);
    }

    #[test]
    fn a_machine_at_a_new_address_is_the_same_node() {
        let mut merge = merge(1);
        merge.replace(0, vec![node(1, "a")], nobody);
        let changes = merge.replace(0, vec![node(2, "a")], nobody);
        let moved = [Change::Forget(at(1)), Change::Dial(at(2), expected("a"))];
        assert_eq!(changes, moved);
    }

    #[test]
    fn another_machine_at_an_old_address_is_another_node() {
        let mut merge = merge(1);
        merge.replace(0, vec![node(1, "a")], nobody);
        let changes = merge.replace(0, vec![node(1, "b")], |_| true);
        assert_eq!(changes, [Change::Redial(at(1), expected("b"))]);
    }

    #[test]
    fn who_is_named_by_one_source_is_expected_though_another_names_nobody() {
        let mut merge = merge(2);
        merge.replace(0, vec![unknown(1)], nobody);
        let named = merge.replace(1, vec![node(1, "a")], nobody);
        assert_eq!(named, [Change::Redial(at(1), expected("a"))]);
        assert_eq!(merge.replace(0, vec![unknown(1)], nobody), []);
    }

    #[test]
    fn nobody_is_expected_where_sources_contradict_each_other() {
        let mut merge = merge(2);
        merge.replace(0, vec![node(1, "a")], nobody);
        let contested = merge.replace(1, vec![node(1, "b")], nobody);
        assert_eq!(contested, [Change::Redial(at(1), None)]);
        let twice = merge.replace(1, vec![node(2, "a"), node(2, "b")], nobody);
        let settled = Change::Redial(at(1), expected("a"));
        assert_eq!(twice, [settled, Change::Dial(at(2), None)]);
    }

    #[test]
    fn a_connection_survives_that_its_node_is_no_longer_named() {
        let mut merge = merge(1);
        merge.replace(0, vec![node(1, "a")], nobody);
        assert_eq!(merge.replace(0, vec![unknown(1)], |_| true), []);
        // It is looked at again with each answer, so that whoever is there now is found in the end.
        let lost = merge.replace(0, vec![unknown(1)], nobody);
        assert_eq!(lost, [Change::Redial(at(1), None)]);
    }

    #[test]
    fn this_node_and_what_is_no_address_are_left_out() {
        let mut merge = merge(2);
        let odd = ["0.0.0.0:7411", "10.0.0.9:0", "224.0.0.1:7411", "[::]:7411"];
        let mut answer: Vec<Sighting> = odd
            .iter()
            .map(|address| Sighting::new(address.parse().expect("an address")))
            .collect();
        answer.push(node(1, "me"));
        assert_eq!(merge.replace(0, answer, nobody), []);
        assert_eq!(merge.replace(1, vec![unknown(1)], nobody), []);
    }

    #[test]
    fn a_malformed_name_names_nobody() {
        let mut merge = merge(1);
        let changes = merge.replace(0, vec![unknown(1).node("-x-")], nobody);
        assert_eq!(changes, [Change::Dial(at(1), None)]);
    }
}
