//! Which node a call goes to. Pure: what is known of the nodes, and randomness, are arguments.
//!
//! Among the nodes of the target that are not draining and offer the function with our contract, the
//! better of two that chance takes is chosen ([`balance`]). A node that has gone quiet is taken only
//! when there is no other. For `Nearest` only the nodes of the nearest region are in question.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use fly_rpc_transport::{NodeId, Offer, Region};

use crate::{
    balance::{self, Condition, Grade, Moment, Nearest, Pick, Resort, Vitals, is_fit, two_of},
    error::RpcError,
    target::Target,
};

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
    /// What calls to it have shown.
    fn vitals(&self) -> &Vitals;
    /// The versions of a function that it offers, ascending, given to `look`.
    fn versions<T>(&self, name: &str, look: impl FnOnce(&[Offer]) -> T) -> T;
}

/// Where the caller is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    pub(crate) node: &'a NodeId,
    /// True if nothing runs here, whatever the target.
    pub(crate) observer: bool,
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

impl<'a> Wanted<'a> {
    /// The same function, of `target` alone.
    pub(crate) fn at<'b>(&self, target: &'b Target) -> Wanted<'b>
    where
        'a: 'b,
    {
        Wanted { target, ..*self }
    }
}

impl Here<'_> {
    /// True if a call to `target` may run in this very process: it then does, as nothing is nearer.
    pub(crate) fn is_target(&self, target: &Target) -> bool {
        match target {
            Target::Nearest | Target::Elsewhere | Target::Malformed(_) => false,
            _ if self.observer => false,
            Target::FirstOf(targets) => targets.iter().any(|target| self.is_target(target)),
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
            Target::FirstOf(targets) => {
                let mut targets = targets.iter();
                targets.any(|target| self.includes(target, node, region))
            }
            Target::Malformed(_) => false,
        }
    }
}

/// What holds at the moment of a choice, beside what is known of each node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) now: Moment,
    pub(crate) resort: Resort,
    /// How often round-trip times changed.
    pub(crate) looks: u64,
    pub(crate) nearest: &'a Mutex<Nearest>,
    /// How long a region must be nearer, or back.
    pub(crate) hold: Duration,
}

/// Chooses one of `candidates` that `is_fresh`; `None` if none can serve the call, or all that could
/// are left out and there is another target.
pub(crate) fn choose<'a, C: Candidate>(
    candidates: &'a [C],
    is_fresh: impl Fn(&C) -> bool,
    wanted: &Wanted<'_>,
    here: &Here<'_>,
    scene: &Scene<'_>,
    mut random: impl FnMut() -> u64,
) -> Option<&'a C> {
    let mut fit = Vec::new();
    let mut suspects = Vec::new();
    for candidate in candidates.iter().filter(|candidate| is_fresh(candidate)) {
        let is_possible = !candidate.is_draining()
            && !candidate.is_retiring()
            && here.includes(wanted.target, candidate.node(), candidate.region())
            && offers(candidate, wanted);
        if is_possible && candidate.is_suspect() {
            suspects.push(candidate);
        } else if is_possible {
            fit.push(candidate);
        }
    }
    if *wanted.target == Target::Nearest {
        look_at_regions(candidates, here, scene);
        keep_nearest(&mut fit, scene);
    }
    if scene.resort == Resort::Elsewhere {
        fit.retain(|candidate| balance::grade(*candidate, scene.now) != Grade::Out);
        suspects.clear();
    }
    let among = if fit.is_empty() { suspects } else { fit };
    let at = |place: usize| among.get(place).copied();
    // Whether they are fit was seen once: two looks could contradict each other.
    match two_of(
        among.len(),
        at,
        |_| true,
        scene.now,
        Resort::Panic,
        &mut random,
    ) {
        Pick::One(chosen, _) => Some(chosen),
        Pick::Unfit | Pick::Nobody => None,
    }
}

/// Keeps those of the nearest region that has one which can be called; all, if none has.
fn keep_nearest<C: Candidate>(fit: &mut Vec<&C>, scene: &Scene<'_>) {
    let can_be_called = |candidate: &C| balance::grade(candidate, scene.now) < Grade::Stalled;
    let nearest = scene.nearest.lock().unwrap_or_else(PoisonError::into_inner);
    let mut order = nearest.order(scene.now, scene.hold);
    let head = order.find(|region| {
        let mut candidates = fit.iter();
        candidates.any(|candidate| candidate.region() == *region && can_be_called(candidate))
    });
    if let Some(head) = head {
        fit.retain(|candidate| candidate.region() == head && can_be_called(candidate));
    }
}

/// Takes note of which regions have a node that can be called, and how far they are.
pub(crate) fn look_at_regions<C: Candidate>(candidates: &[C], here: &Here<'_>, scene: &Scene<'_>) {
    let mut regions: BTreeMap<&Region, Duration> = BTreeMap::new();
    for candidate in candidates {
        // One that is due for a call, or has it, is as good as back: or nobody would ever look.
        let is_out = matches!(
            candidate.vitals().condition(scene.now),
            Condition::Open { .. }
        );
        let is_stalled = candidate
            .vitals()
            .is_stalled(candidate.round_trip(), scene.now);
        if is_fit(candidate) && !is_out && !is_stalled {
            let distance = regions.entry(candidate.region()).or_insert(Duration::MAX);
            *distance = candidate.round_trip().min(*distance);
        }
    }
    let mut nearest = scene.nearest.lock().unwrap_or_else(PoisonError::into_inner);
    nearest.look(regions, here.region, scene.now, scene.hold);
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

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::{
        fake::{Fake, chance, fake, offer, stage, with},
        *,
    };

    fn chosen(fakes: &[Fake], target: Target, seed: u64) -> Option<String> {
        with(&target, |wanted, here| {
            let scene = stage(Resort::Panic);
            choose(fakes, |_| true, wanted, here, &scene.at(0), chance(seed))
                .map(|fake| fake.node.to_string())
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
        // Of its nodes the one that costs less.
        assert_eq!(chosen(&fakes, Target::Nearest, 1).as_deref(), Some("b"));
        fakes[1].in_flight.set(1);
        assert_eq!(chosen(&fakes, Target::Nearest, 1).as_deref(), Some("c"));
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
