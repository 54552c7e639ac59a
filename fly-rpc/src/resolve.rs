//! Which node a call goes to. Pure: what is known of the nodes, and randomness, are arguments.
//!
//! Among the nodes of the target that are not draining and offer the function with our contract,
//! power of two choices decides: two at random, and of them the one with the lower round-trip time
//! times load. A node that has gone quiet is taken only when there is no other.

use std::{cmp::Ordering, collections::BTreeSet, time::Duration};

use fly_rpc_transport::{NodeId, Offer, Region};

use crate::{error::RpcError, target::Target};

/// What is known of a node that a call could go to.
pub(crate) trait Candidate {
    fn node(&self) -> &NodeId;
    fn region(&self) -> &Region;
    fn round_trip(&self) -> Duration;
    fn in_flight(&self) -> usize;
    fn is_draining(&self) -> bool;
    fn is_suspect(&self) -> bool;
    /// True if its calls are on their way to another connection.
    fn is_retiring(&self) -> bool;
    /// The versions of a function that it offers, ascending, given to `look`.
    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T;
}

/// Where the caller is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    pub(crate) node: &'a NodeId,
    pub(crate) region: &'a Region,
    pub(crate) primary: &'a Region,
}

/// The function that is called, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) target: &'a Target,
    pub(crate) name: &'a str,
    pub(crate) version: u32,
    pub(crate) fingerprint: [u8; 16],
    pub(crate) contract: &'a str,
}

impl Here<'_> {
    /// True if a call to `target` may run in this very process: it then does, as nothing is nearer.
    pub(crate) fn is_target(&self, target: &Target) -> bool {
        match target {
            Target::Nearest | Target::Elsewhere | Target::Malformed(_) => false,
            _ => self.includes(target, self.node, self.region),
        }
    }

    /// True if `target` means the node `node` in `region`.
    pub(crate) fn includes(&self, target: &Target, node: &NodeId, region: &Region) -> bool {
        match target {
            Target::Primary => region == self.primary,
            Target::Region(wanted) => region == wanted,
            Target::Node(wanted) => node == wanted,
            Target::Nearest | Target::Elsewhere | Target::Any => true,
            Target::Malformed(_) => false,
        }
    }
}

/// Chooses a node; `None` if none can serve the call.
pub(crate) fn choose<'a, C: Candidate + 'a>(
    candidates: impl Iterator<Item = &'a C>,
    wanted: &Wanted<'_>,
    here: &Here<'_>,
    mut random: impl FnMut() -> u64,
) -> Option<&'a C> {
    let mut pair = Pair {
        taken: [None, None],
        seen: 0,
    };
    let mut suspects = Pair {
        taken: [None, None],
        seen: 0,
    };
    let mut nearest: Option<&C> = None;
    for candidate in candidates {
        if candidate.is_draining()
            || candidate.is_retiring()
            || !here.includes(wanted.target, candidate.node(), candidate.region())
            || !offers(candidate, wanted)
        {
            continue;
        }
        if candidate.is_suspect() {
            suspects.offer(candidate, &mut random);
        } else if *wanted.target == Target::Nearest {
            let distance =
                |candidate: &C| (candidate.region() != here.region, candidate.round_trip());
            if nearest.is_none_or(|best| distance(candidate) < distance(best)) {
                nearest = Some(candidate);
            }
        } else {
            pair.offer(candidate, &mut random);
        }
    }
    nearest
        .or_else(|| pair.better(&mut random))
        .or_else(|| suspects.better(&mut random))
}

/// Why [`choose`] found none. `None` if no node of the target is connected at all.
pub(crate) fn explain<'a, C: Candidate + 'a>(
    candidates: impl Iterator<Item = &'a C>,
    wanted: &Wanted<'_>,
    here: &Here<'_>,
    own_versions: &[u32],
) -> Option<RpcError> {
    let mut offered: BTreeSet<u32> = BTreeSet::new();
    let mut nodes_checked = 0;
    let mut draining = false;
    let mut mismatch = None;
    if here.is_target(wanted.target) {
        nodes_checked += 1;
        offered.extend(own_versions);
    }
    for candidate in candidates
        .filter(|candidate| here.includes(wanted.target, candidate.node(), candidate.region()))
    {
        nodes_checked += 1;
        draining |= candidate.is_draining() && offers(candidate, wanted);
        candidate.versions(wanted.name, |versions| {
            offered.extend(versions.iter().map(|offer| offer.version));
            if let Some(offer) = versions.iter().find(|offer| {
                offer.version == wanted.version && offer.fingerprint != wanted.fingerprint
            }) {
                mismatch.get_or_insert_with(|| RpcError::ContractMismatch {
                    function: wanted.name.to_owned(),
                    version: wanted.version,
                    node: candidate.node().clone(),
                    ours: wanted.contract.to_owned(),
                    theirs: offer.contract.clone(),
                });
            }
        });
    }
    if nodes_checked == 0 {
        return None;
    }
    if draining {
        return Some(RpcError::Draining);
    }
    Some(mismatch.unwrap_or_else(|| RpcError::FunctionUnavailable {
        function: wanted.name.to_owned(),
        version: wanted.version,
        target: wanted.target.clone(),
        offered: offered.into_iter().collect(),
        nodes_checked,
    }))
}

pub(crate) fn offers(candidate: &impl Candidate, wanted: &Wanted<'_>) -> bool {
    candidate.versions(wanted.name, |versions| {
        versions
            .iter()
            .any(|offer| offer.version == wanted.version && offer.fingerprint == wanted.fingerprint)
    })
}

/// Two of all that were offered, each pair equally likely.
struct Pair<'a, C> {
    taken: [Option<&'a C>; 2],
    seen: u64,
}

impl<'a, C: Candidate> Pair<'a, C> {
    fn offer(&mut self, candidate: &'a C, random: &mut impl FnMut() -> u64) {
        let place = if self.seen < 2 {
            self.seen
        } else {
            random() % (self.seen + 1)
        };
        self.seen += 1;
        if let Some(slot) = usize::try_from(place)
            .ok()
            .and_then(|place| self.taken.get_mut(place))
        {
            *slot = Some(candidate);
        }
    }

    /// The one of lower cost; between equals either, or the first that was offered would get the most.
    fn better(self, random: &mut impl FnMut() -> u64) -> Option<&'a C> {
        match self.taken {
            [Some(a), Some(b)] => {
                let second = match cost(b).cmp(&cost(a)) {
                    Ordering::Less => true,
                    Ordering::Equal => random() & 1 == 1,
                    Ordering::Greater => false,
                };
                Some(if second { b } else { a })
            }
            [a, b] => a.or(b),
        }
    }
}

/// What a call to it costs: its round-trip time, times the calls that it then has.
pub(crate) fn cost(candidate: &impl Candidate) -> u128 {
    candidate.round_trip().max(FLOOR).as_micros() * (candidate.in_flight() as u128 + 1)
}

/// Below this, differences of round-trip time are noise, and load should decide.
const FLOOR: Duration = Duration::from_micros(500);

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::{
        fake::{Fake, chance, fake, offer, with},
        *,
    };

    fn chosen(fakes: &[Fake], target: Target, seed: u64) -> Option<String> {
        with(&target, |wanted, here| {
            choose(fakes.iter(), wanted, here, chance(seed)).map(|fake| fake.node.to_string())
        })
    }

    fn explained(fakes: &[Fake], target: Target) -> Option<RpcError> {
        with(&target, |wanted, here| {
            explain(fakes.iter(), wanted, here, &[])
        })
    }

    #[test]
    fn only_nodes_of_the_target_are_chosen() {
        let fakes = [fake("a", "syd", 1), fake("b", "hkg", 1)];
        for seed in 0..50 {
            assert_eq!(chosen(&fakes, Target::Primary, seed).as_deref(), Some("a"));
            assert_eq!(
                chosen(&fakes, Target::Region("hkg".into()), seed).as_deref(),
                Some("b")
            );
            assert_eq!(
                chosen(&fakes, Target::Node("b".into()), seed).as_deref(),
                Some("b")
            );
            assert_eq!(chosen(&fakes, Target::Region("cdg".into()), seed), None);
            assert_eq!(chosen(&fakes, Target::Malformed("?".into()), seed), None);
        }
    }

    #[test]
    fn equal_nodes_share_the_calls_evenly() {
        let fakes: Vec<Fake> = (0..10)
            .map(|index| fake(&format!("n{index}"), "syd", 1))
            .collect();
        let mut counts = std::collections::HashMap::new();
        for seed in 1..=20_000 {
            *counts.entry(chosen(&fakes, Target::Any, seed)).or_insert(0) += 1;
        }
        assert!(
            counts
                .values()
                .all(|&count| (1_800..2_200).contains(&count)),
            "{counts:?}"
        );
        assert_eq!(counts.len(), 10);
    }

    #[test]
    fn of_two_nodes_the_less_loaded_is_taken() {
        let fakes = [fake("a", "syd", 1), fake("b", "syd", 1)];
        fakes[0].in_flight.set(5);
        assert_eq!(chosen(&fakes, Target::Any, 1).as_deref(), Some("b"));
    }

    #[test]
    fn the_nearest_is_in_ones_own_region_even_if_another_answers_faster() {
        let fakes = [
            fake("a", "sjc", 1),
            fake("b", "lax", 2),
            fake("c", "lax", 3),
        ];
        assert_eq!(chosen(&fakes, Target::Nearest, 1).as_deref(), Some("b"));
        assert_eq!(
            chosen(&fakes[..1], Target::Nearest, 1).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn a_suspect_is_taken_only_when_there_is_no_other() {
        let fakes = [fake("a", "syd", 1), fake("b", "syd", 9)];
        fakes[0].suspect.set(true);
        assert_eq!(chosen(&fakes, Target::Any, 1).as_deref(), Some("b"));
        assert_eq!(chosen(&fakes[..1], Target::Any, 1).as_deref(), Some("a"));
    }

    #[test]
    fn a_draining_node_is_never_chosen_and_said_to_drain() {
        let fakes = [fake("a", "syd", 1)];
        fakes[0].draining.set(true);
        assert_eq!(chosen(&fakes, Target::Primary, 1), None);
        assert!(matches!(
            explained(&fakes, Target::Primary),
            Some(RpcError::Draining)
        ));
    }

    #[test]
    fn a_node_whose_calls_move_to_another_connection_is_not_chosen() {
        let fakes = [fake("a", "syd", 1), fake("b", "syd", 9)];
        fakes[0].retiring.set(true);
        assert_eq!(chosen(&fakes, Target::Any, 1).as_deref(), Some("b"));
        assert_eq!(chosen(&fakes[..1], Target::Any, 1), None);
    }

    #[test]
    fn a_node_with_another_contract_is_not_asked_and_named() {
        let mut fakes = [fake("a", "syd", 1)];
        fakes[0].offers = vec![offer(1, 8)];
        assert_eq!(chosen(&fakes, Target::Primary, 1), None);
        let Some(RpcError::ContractMismatch {
            node, ours, theirs, ..
        }) = explained(&fakes, Target::Primary)
        else {
            panic!("no mismatch")
        };
        assert_eq!(
            (node.as_str(), ours.as_str(), theirs.as_str()),
            ("a", "ours", "f@1 #8")
        );
    }

    #[test]
    fn the_versions_that_are_there_are_listed() {
        let mut fakes = [fake("a", "syd", 1), fake("b", "syd", 1)];
        fakes[0].offers = vec![offer(2, 1)];
        fakes[1].offers = vec![offer(2, 1), offer(3, 1)];
        let Some(RpcError::FunctionUnavailable {
            offered,
            nodes_checked,
            ..
        }) = explained(&fakes, Target::Primary)
        else {
            panic!("available")
        };
        assert_eq!((offered, nodes_checked), (vec![2, 3], 2));
        assert!(explained(&fakes, Target::Region("cdg".into())).is_none());
    }

    #[test]
    fn this_node_is_a_candidate_for_what_includes_it_but_never_for_elsewhere_or_nearest() {
        for (target, here_too) in [
            (Target::Any, true),
            (Target::Region("lax".into()), true),
            (Target::Node("me".into()), true),
            (Target::Primary, false),
            (Target::Elsewhere, false),
            (Target::Nearest, false),
        ] {
            assert_eq!(
                with(&target, |_, here| here.is_target(&target)),
                here_too,
                "{target}"
            );
        }
    }
}
