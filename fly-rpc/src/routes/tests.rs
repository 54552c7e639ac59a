//! What the index chooses, against what a look at every node may choose.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    balance::Resort,
    resolve::fake::{Fake, chance, fake, stage, with},
};

fn fakes(regions: &[&str]) -> Vec<Fake> {
    let numbered = regions.iter().enumerate();
    numbered
        .map(|(number, region)| fake(&format!("n{number}"), region, 1))
        .collect()
}

/// Indices that are made.
fn routes(fakes: &[Fake]) -> Routes {
    let routes = Routes::new(1);
    for target in [Target::Any, Target::Node("n0".into())] {
        for _ in 0..2 {
            let _ = by_index(&routes, fakes, &target, 0, 0);
        }
    }
    routes
}

fn by_index<'a>(
    routes: &Routes,
    fakes: &'a [Fake],
    target: &Target,
    looks: u64,
    seed: u64,
) -> Option<&'a str> {
    let chosen = with(target, |wanted, here| {
        let scene = stage(Resort::Panic);
        routes.choose(0, fakes, wanted, here, &scene.at(looks), chance(seed))
    });
    chosen.map(|fake| fake.node.as_str())
}

/// What a look at all of them may choose.
fn by_looks<'a>(fakes: &'a [Fake], target: &Target) -> BTreeSet<&'a str> {
    let by_look = |seed| {
        with(target, |wanted, here| {
            let scene = stage(Resort::Panic);
            resolve::choose(fakes, |_| true, wanted, here, &scene.at(0), chance(seed))
        })
    };
    (0..LOOKS)
        .filter_map(by_look)
        .map(|fake| fake.node.as_str())
        .collect()
}

#[test]
fn an_index_is_made_when_a_function_is_called_again() {
    let fakes = fakes(&["syd"]);
    let routes = Routes::new(1);
    let chosen = || by_index(&routes, &fakes, &Target::Primary, 0, 0);
    assert_eq!(chosen(), None);
    assert_eq!(chosen(), Some("n0"));
    assert_eq!(chosen(), Some("n0"));
}

#[test]
fn functions_that_are_offered_by_the_same_nodes_share_an_index() {
    let mut fakes = fakes(&["syd", "hkg"]);
    let routes = Routes::new(3);
    let index = |fakes: &[Fake], function: usize| {
        with(&Target::Any, |wanted, here| {
            for _ in 0..2 {
                let scene = stage(Resort::Panic);
                let _ = routes.choose(function, fakes, wanted, here, &scene.at(0), chance(0));
            }
        });
        Arc::clone(routes.functions[function].made.get().expect("made"))
    };
    let (first, second) = (index(&fakes, 0), index(&fakes, 1));
    assert!(Arc::ptr_eq(&first, &second));
    fakes[1].offers.clear();
    assert!(!Arc::ptr_eq(&first, &index(&fakes, 2)));
}

#[test]
fn while_an_index_is_made_nobody_waits_for_it() {
    let later = Later::default();
    assert_eq!(later.get(|| 1), None);
    let meanwhile = later.get(|| {
        assert_eq!(later.get(|| 3), None);
        2
    });
    assert_eq!((meanwhile, later.get(|| 4)), (Some(&2), Some(&2)));
}

#[test]
fn equal_nodes_share_the_calls_evenly() {
    let mut regions = vec!["syd"; 10];
    regions.extend(["hkg"; 10]);
    let fakes = fakes(&regions);
    let routes = routes(&fakes);
    for (target, of) in [(Target::Any, 20), (Target::Primary, 10)] {
        let mut counts = HashMap::new();
        for seed in 0..2_000 * of {
            let chosen = by_index(&routes, &fakes, &target, 0, seed).expect("all are fit");
            *counts.entry(chosen).or_insert(0) += 1;
        }
        assert_eq!(counts.len() as u64, of);
        let is_even = |count: &i32| (1_800..2_200).contains(count);
        assert!(counts.values().all(is_even), "{counts:?}");
    }
}

#[test]
fn of_two_nodes_the_less_loaded_is_taken() {
    let fakes = fakes(&["syd", "syd"]);
    let routes = routes(&fakes);
    fakes[0].in_flight.set(5);
    for seed in 0..20 {
        assert_eq!(by_index(&routes, &fakes, &Target::Any, 0, seed), Some("n1"));
    }
}

#[test]
fn the_nearest_region_is_looked_for_once_after_each_look_at_the_round_trips() {
    let fakes = fakes(&["hkg", "hkg", "sjc"]);
    let routes = routes(&fakes);
    let stage = stage(Resort::Panic);
    let nearest = |looks: u64| {
        let chosen = with(&Target::Nearest, |wanted, here| {
            routes.choose(0, &fakes, wanted, here, &stage.at(looks), chance(0))
        });
        chosen.map(|fake| fake.node.as_str())
    };
    fakes[0].millis.set(9);
    fakes[2].millis.set(4);
    assert_eq!(nearest(1), Some("n1"));
    for fake in &fakes[..2] {
        fake.millis.set(20);
    }
    fakes[0].in_flight.set(3);
    assert_eq!(nearest(1), Some("n1"));
    // Ten seconds later the other region has been the nearer one for as long.
    assert_eq!(nearest(2), Some("n1"));
    assert_eq!(nearest(10_002), Some("n2"));
    // Only a look at all of them says who is the nearest then.
    fakes[2].suspect.set(true);
    assert_eq!(nearest(10_002), None);
}

#[test]
fn a_node_that_is_not_known_or_not_fit_any_more_is_not_in_the_index() {
    let fakes = fakes(&["syd", "hkg"]);
    let routes = routes(&fakes);
    let node = |name: &str| by_index(&routes, &fakes, &Target::Node(name.into()), 0, 0);
    assert_eq!(
        [node("n0"), node("n1"), node("n2")],
        [Some("n0"), Some("n1"), None]
    );
    fakes[1].draining.set(true);
    assert_eq!(node("n1"), None);
}

#[test]
fn the_index_knows_where_nobody_is_unless_somebody_may_come_back() {
    let mut fakes = fakes(&["syd", "hkg"]);
    let nobody = |fakes: &[Fake], target: Target| {
        let routes = routes(fakes);
        with(&target, |_, here| routes.has_nobody(0, &target, here))
    };
    for target in ["cdg", "@node(n9)"] {
        assert!(nobody(&fakes, target.into()), "{target}");
    }
    for target in ["hkg", "@primary", "@any", "@nearest", "@node(n0)"] {
        assert!(!nobody(&fakes, target.into()), "{target}");
    }
    fakes[1].retiring.set(true);
    assert!(!nobody(&fakes, "hkg".into()));
    fakes.pop();
    assert!(nobody(&fakes, "hkg".into()));
}

fn any_fake() -> impl Strategy<Value = Fake> {
    let region = prop::sample::select(vec!["lax", "syd", "hkg"]);
    let rarely = || prop::bool::weighted(0.15);
    let fit = (rarely(), rarely(), rarely(), rarely());
    (region, 0_u64..4, 0_usize..3, fit).prop_map(|(region, millis, in_flight, unfit)| {
        let (draining, suspect, retiring, other) = unfit;
        let mut fake = fake("n0", region, millis);
        fake.in_flight.set(in_flight);
        fake.draining.set(draining);
        fake.suspect.set(suspect);
        fake.retiring.set(retiring);
        if other {
            fake.offers[0].fingerprint = [8; 16];
        }
        fake
    })
}

fn any_target() -> impl Strategy<Value = Target> {
    prop::sample::select(vec![
        Target::Primary,
        Target::Region("lax".into()),
        Target::Region("cdg".into()),
        Target::Any,
        Target::Elsewhere,
        Target::Nearest,
        Target::Node("n1".into()),
        Target::Node("n9".into()),
        Target::Malformed("?".into()),
    ])
}

proptest! {
    /// Also when nodes have become unfit, and loads have changed, since the index was made.
    #[test]
    fn the_index_chooses_what_a_look_at_all_could_have_chosen(
        mut fakes in prop::collection::vec(any_fake(), 0..7),
        target in any_target(),
        changes in prop::collection::vec((0_usize..7, 0_usize..3, 0_usize..4), 0..4),
    ) {
        for (number, fake) in fakes.iter_mut().enumerate() {
            fake.node = format!("n{number}").into();
        }
        let routes = routes(&fakes);
        for (place, kind, in_flight) in changes {
            let Some(fake) = fakes.get(place) else { continue };
            fake.in_flight.set(in_flight);
            [&fake.draining, &fake.suspect, &fake.retiring][kind].set(true);
        }
        let right = by_looks(&fakes, &target);
        for seed in 0..50 {
            if let Some(chosen) = by_index(&routes, &fakes, &target, 1, seed) {
                prop_assert!(right.contains(chosen), "{chosen} is not in {right:?}");
            }
        }
    }

    /// An index that never says anything would be right as well, and slow.
    #[test]
    fn the_index_says_all_that_there_is_to_say_until_something_changes(
        mut fakes in prop::collection::vec(any_fake(), 0..7),
        target in any_target(),
    ) {
        for (number, fake) in fakes.iter_mut().enumerate() {
            fake.node = format!("n{number}").into();
            // Suspects are chosen by a look at all only.
            fake.suspect.set(false);
        }
        let routes = routes(&fakes);
        let right = by_looks(&fakes, &target);
        let chosen = (0..LOOKS).filter_map(|seed| by_index(&routes, &fakes, &target, 1, seed));
        prop_assert_eq!(chosen.collect::<BTreeSet<_>>(), right);
    }
}

/// Enough for each two of six to be met: that one of the 15 is not has odds of 1 to 10^11.
const LOOKS: u64 = 400;
