//! What choosing must do with nodes that are slow, silent or broken: seeds and times are given.

use std::{collections::HashSet, sync::Arc, time::Duration};

use fly_rpc_transport::Limits;

use super::{
    Condition, Effect, Moment, Nodes, Resort, Settings, Ticket, Verdict, Vitals,
    model::{Fault, Load, Policy, Site, Tally, run},
    nodes::Bond,
};
use crate::{
    resolve::{
        self,
        fake::{Fake, chance, fake, settings, stage, with},
    },
    target::Target,
};

fn load(sites: Vec<Site>, seconds: f64) -> Load {
    Load {
        sites,
        callers: 1,
        rate: 1_000.0,
        service: Duration::from_millis(10),
        exact: true,
        heavy: (0.0, 1.0),
        workers: 1_000,
        lasts: Duration::from_secs_f64(seconds),
        timeout: Duration::from_secs(5),
    }
}

fn sites(faults: &[Fault], sound: usize) -> Vec<Site> {
    let faulty = faults.iter().map(|fault| Site {
        fault: *fault,
        ..Site::default()
    });
    faulty.chain(vec![Site::default(); sound]).collect()
}

fn fly(load: &Load) -> Tally {
    run(load, Policy::Fly, SEED)
}

#[test]
fn a_hundred_equal_nodes_share_a_hundred_thousand_calls_evenly() {
    let tally = fly(&Load {
        rate: 20_000.0,
        ..load(sites(&[], 100), 5.0)
    });
    let mean = tally.sent.iter().sum::<u64>() as f64 / 100.0;
    assert!((990.0..1_010.0).contains(&mean), "{mean}");
    let off = tally
        .sent
        .iter()
        .map(|sent| (*sent as f64 / mean - 1.0).abs());
    let worst = off.fold(0.0, f64::max);
    assert!(worst <= 0.05, "{worst}: {:?}", tally.sent);
}

#[test]
fn a_node_that_never_answers_is_asked_once() {
    let tally = fly(&Load {
        rate: 300.0,
        ..load(sites(&[Fault::Silent], 9), 20.0)
    });
    assert_eq!(tally.sent[0], 1);
    assert_eq!(tally.failed, 1);
}

/// As Finagle's tests have it: what is counted is how many calls a node is given beside those that it
/// has. Of calls it gets a quarter, because it keeps each for twice as long.
#[test]
fn a_node_that_is_half_as_fast_carries_half_the_load() {
    let tally = fly(&Load {
        rate: 40_000.0,
        ..load(sites(&[Fault::Slow(2.0)], 10), 10.0)
    });
    let load = |node: usize| tally.in_flight[node] as f64 / tally.sent[node] as f64;
    let others = (1..=10).map(load).sum::<f64>() / 10.0;
    let ratio = load(0) / others;
    assert!((0.45..=0.55).contains(&ratio), "{ratio}");
}

#[test]
fn a_node_that_fails_fast_does_not_attract() {
    for fault in [Fault::Fails(1.0), Fault::Refuses] {
        let load = load(sites(&[fault], 9), 0.1);
        let early = fly(&load);
        let late = fly(&Load {
            lasts: Duration::from_secs(30),
            ..load
        });
        let after = (late.sent[0] - early.sent[0]) as f64
            / (late.sent.iter().sum::<u64>() - early.sent.iter().sum::<u64>()) as f64;
        assert!(after <= 0.05, "{fault:?}: {after}");
        assert!(late.failures() < 0.005, "{fault:?}: {}", late.failures());
    }
    // Whoever looks at load alone gives it more than its share.
    let naive = run(
        &load(sites(&[Fault::Fails(1.0)], 9), 30.0),
        Policy::Distance,
        SEED,
    );
    assert!(
        naive.share_of_first(1) > 0.12,
        "{}",
        naive.share_of_first(1)
    );
}

/// Opens its breaker.
fn open(vitals: &Vitals, now: Moment) {
    for _ in 0..100 {
        let ticket = vitals.ask(now).expect("nobody else asks");
        if end(vitals, ticket, Verdict::Lost, now) == Effect::WantsToOpen {
            assert!(vitals.open(ticket, now, 0.5));
            return;
        }
    }
    panic!("it does not want to open");
}

fn end(vitals: &Vitals, ticket: Ticket, verdict: Verdict, now: Moment) -> Effect {
    vitals.end(ticket, verdict, MILLISECOND, MILLISECOND, now)
}

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn many(count: usize) -> Vec<Fake> {
    (0..count)
        .map(|number| fake(&format!("n{number}"), "syd", 1))
        .collect()
}

fn chosen(fakes: &[Fake], resort: Resort, now: u64, seed: u64) -> Option<&Fake> {
    with(&Target::Any, |wanted, here| {
        let stage = stage(resort);
        resolve::choose(fakes, |_| true, wanted, here, &stage.at(now), chance(seed))
    })
}

#[test]
fn with_all_nodes_failing_all_are_called_and_with_some_as_many_as_chance_demands() {
    const CALLS: u64 = 20_000;
    for failing in (10..=100).step_by(10) {
        let fakes = many(100);
        for fake in &fakes[..failing] {
            open(&fake.vitals, at(0));
        }
        let failing_ones: HashSet<_> = fakes[..failing].iter().map(|fake| &fake.node).collect();
        let mut called = HashSet::new();
        let mut panics = 0;
        for seed in 0..CALLS {
            let node = &chosen(&fakes, Resort::Panic, 0, seed)
                .expect("never nobody")
                .node;
            panics += u64::from(failing_ones.contains(node));
            called.insert(node);
        }
        let expected = (failing as f64 / 100.0).powi(2 * super::pick::EFFORT as i32);
        let share = panics as f64 / CALLS as f64;
        assert!(
            (share - expected).abs() <= 0.01,
            "{failing} %: {share}, not {expected}"
        );
        assert!(failing < 100 || called.len() == 100, "{}", called.len());
        // Who named another target is told that there is nobody, and only then.
        let others = (0..100).filter_map(|seed| chosen(&fakes, Resort::Elsewhere, 0, seed));
        let mut others = others.filter(|fake| failing_ones.contains(&fake.node));
        assert_eq!(others.next().map(|fake| &fake.node), None);
        let anybody = chosen(&fakes, Resort::Elsewhere, 0, 1);
        assert_eq!(anybody.is_none(), failing == 100);
    }
}

#[test]
fn five_failures_in_a_row_open_a_breaker_and_one_probe_that_succeeds_closes_it() {
    let vitals = Vitals::new(Arc::new(settings()));
    let failed = |now| {
        let ticket = vitals.ask(at(now)).expect("one at a time");
        let effect = end(&vitals, ticket, Verdict::Lost, at(now));
        (effect, ticket)
    };
    for _ in 0..4 {
        assert_eq!(failed(0).0, Effect::None);
    }
    // An answer in between starts the count anew.
    let ticket = vitals.ask(at(0)).expect("it serves");
    assert_eq!(end(&vitals, ticket, Verdict::Answered, at(0)), Effect::None);
    for _ in 0..4 {
        assert_eq!(failed(0).0, Effect::None);
    }
    let late = vitals.ask(at(0)).expect("it serves");
    let (effect, ticket) = failed(0);
    assert_eq!(effect, Effect::WantsToOpen);
    assert!(vitals.open(ticket, at(0), 0.5));
    assert_eq!(vitals.condition(at(0)), open_for(1_000));
    assert_eq!(vitals.condition(at(999)), open_for(1));
    // What was sent before and ends now changes nothing.
    assert_eq!(end(&vitals, late, Verdict::Answered, at(500)), Effect::None);
    assert_eq!(vitals.condition(at(999)), open_for(1));

    let mut now = 1_000;
    for backoff in [
        2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 100_000, 100_000,
    ] {
        assert_eq!(vitals.condition(at(now)), Condition::Due);
        let (effect, probe) = failed(now);
        assert_eq!(effect, Effect::WantsToOpen);
        assert!(vitals.open(probe, at(now), 0.5));
        assert_eq!(vitals.condition(at(now)), open_for(backoff));
        now += backoff;
    }
    // One at a time; one that says nothing makes room for the next.
    let probe = vitals.ask(at(now)).expect("it is due");
    assert_eq!(vitals.condition(at(now)), Condition::Probing);
    assert_eq!(end(&vitals, probe, Verdict::GivenUp, at(now)), Effect::None);
    assert_eq!(vitals.condition(at(now)), Condition::Due);
    let probe = vitals.ask(at(now)).expect("it is due");
    assert_eq!(
        end(&vitals, probe, Verdict::Answered, at(now)),
        Effect::Closed
    );
    for (passed, share) in [(0, 0.1), (5_000, 0.55), (9_999, 1.0)] {
        let Condition::Recovering { share: found } = vitals.condition(at(now + passed)) else {
            panic!("{:?}", vitals.condition(at(now + passed)));
        };
        assert!((found - share).abs() < 0.001, "{found}");
    }
    assert_eq!(vitals.condition(at(now + 10_000)), Condition::Serving);
}

#[test]
fn a_backoff_goes_on_where_it_was_until_the_slow_start_is_over() {
    let vitals = Vitals::new(Arc::new(settings()));
    open(&vitals, at(0));
    let probe = vitals.ask(at(1_000)).expect("due");
    assert_eq!(
        end(&vitals, probe, Verdict::Answered, at(1_000)),
        Effect::Closed
    );
    open(&vitals, at(2_000));
    assert_eq!(vitals.condition(at(2_000)), open_for(2_000));
    let probe = vitals.ask(at(4_000)).expect("due");
    assert_eq!(
        end(&vitals, probe, Verdict::Answered, at(4_000)),
        Effect::Closed
    );
    open(&vitals, at(14_000));
    assert_eq!(vitals.condition(at(14_000)), open_for(1_000));
}

#[test]
fn jitter_moves_the_end_of_a_backoff_by_a_fifth_either_way() {
    for (random, millis) in [(0.0, 800), (0.5, 1_000), (1.0, 1_200)] {
        let vitals = Vitals::new(Arc::new(settings()));
        for _ in 0..5 {
            let ticket = vitals.ask(at(0)).expect("it serves");
            if end(&vitals, ticket, Verdict::Silent, at(0)) == Effect::WantsToOpen {
                vitals.open(ticket, at(0), random);
            }
        }
        assert_eq!(vitals.condition(at(0)), open_for(millis));
    }
}

#[test]
fn an_answer_that_is_looked_at_late_does_not_take_back_those_that_came_after_it() {
    let vitals = Vitals::new(Arc::new(settings()));
    let [late, quick, _pending] = [0; 3].map(|now| vitals.ask(at(now)).expect("it serves"));
    end(&vitals, quick, Verdict::Answered, at(1_900));
    // It was read before, and its caller had no turn until now.
    end(&vitals, late, Verdict::Answered, at(10));
    assert!(!vitals.is_stalled(Duration::ZERO, at(2_000)));
}

#[test]
fn a_node_that_fails_every_other_call_is_left_out_after_twenty() {
    let vitals = Vitals::new(Arc::new(settings()));
    let mut calls = 0;
    let opened = loop {
        let now = at(calls * 1_000);
        let ticket = vitals.ask(now).expect("it serves");
        let verdict = [Verdict::Answered, Verdict::Lost][calls as usize % 2];
        calls += 1;
        if end(&vitals, ticket, verdict, now) == Effect::WantsToOpen {
            break calls;
        }
        assert!(calls < 100);
    };
    assert_eq!(opened, 20);
    // Four of five are good enough.
    let vitals = Vitals::new(Arc::new(settings()));
    for call in 0..1_000_usize {
        let now = at(call as u64 * 10);
        let ticket = vitals.ask(now).expect("it serves");
        let verdict = if call % 5 == 4 {
            Verdict::Lost
        } else {
            Verdict::Answered
        };
        assert_eq!(end(&vitals, ticket, verdict, now), Effect::None, "{call}");
    }
}

#[test]
fn never_more_than_half_of_the_nodes_are_left_out() {
    for count in [1, 2, 3, 10, 100] {
        let nodes = Nodes::new(Settings::from(&Limits::default()));
        let bonds: Vec<Bond> = (0..count)
            .map(|number| nodes.bond(&format!("n{number}").as_str().into(), 1, at(0)))
            .collect();
        for round in 0..50 {
            for bond in &bonds {
                let now = at(round * 10);
                let ticket = bond.vitals().ask(now).expect("one at a time");
                if end(bond.vitals(), ticket, Verdict::Lost, now) == Effect::WantsToOpen {
                    nodes.open(bond.vitals(), ticket, now, 0.5);
                }
                let open = bonds.iter().filter(|bond| bond.vitals().is_open()).count();
                assert!(open <= (count / 2).max(1), "{open} of {count}");
            }
        }
        let open = bonds.iter().filter(|bond| bond.vitals().is_open()).count();
        assert_eq!(open, (count / 2).max(1));
    }
}

#[test]
fn refusals_leave_a_node_out_only_if_it_does_nothing_else_for_a_second() {
    let refusing = |answers_every: u64| {
        let vitals = Vitals::new(Arc::new(settings()));
        (1..=10_000_u64).find(|call| {
            let now = at(*call);
            let Some(ticket) = vitals.ask(now) else {
                return false;
            };
            let verdict = if call % answers_every == 0 {
                Verdict::Answered
            } else {
                Verdict::Refused
            };
            end(&vitals, ticket, verdict, now) == Effect::WantsToOpen
        })
    };
    assert_eq!(refusing(500), None);
    assert_eq!(refusing(u64::MAX), Some(1_001));
}

#[test]
fn panics_and_bad_arguments_never_leave_a_node_out_and_do_not_make_it_attractive() {
    let vitals = Vitals::new(Arc::new(settings()));
    for call in 0..1_000 {
        let ticket = vitals.ask(at(call)).expect("it serves");
        assert_eq!(end(&vitals, ticket, Verdict::Lived, at(call)), Effect::None);
    }
    assert!(vitals.latency(at(1_000)).expect("known") > 100 * MILLISECOND);
}

#[test]
fn a_node_that_recovers_gets_a_tenth_of_its_share_and_soon_all_of_it() {
    let fakes = many(10);
    open(&fakes[0].vitals, at(0));
    let probe = fakes[0].vitals.ask(at(1_000)).expect("due");
    end(&fakes[0].vitals, probe, Verdict::Answered, at(1_000));
    for fake in &fakes[1..] {
        let ticket = fake.vitals.ask(at(0)).expect("it serves");
        end(&fake.vitals, ticket, Verdict::Answered, at(0));
    }
    for (passed, least, most) in [(0, 0.005, 0.015), (5_000, 0.04, 0.07), (10_000, 0.08, 0.12)] {
        let calls = 20_000;
        let its = (0..calls).filter(|seed| {
            let node = chosen(&fakes, Resort::Panic, 1_000 + passed, *seed);
            node.expect("never nobody").node == fakes[0].node
        });
        let share = its.count() as f64 / calls as f64;
        assert!((least..most).contains(&share), "after {passed} ms: {share}");
    }
}

#[test]
fn a_node_whose_calls_hang_is_passed_over_until_it_answers() {
    let fakes = many(3);
    let hangs = &fakes[0].vitals;
    let first = hangs.ask(at(0)).expect("it serves");
    end(hangs, first, Verdict::Answered, at(0));
    let ticket = hangs.ask(at(0)).expect("it serves");
    let is_taken = |now| {
        let mut chosen = (0..200).filter_map(|seed| chosen(&fakes, Resort::Panic, now, seed));
        chosen.any(|fake| fake.node == fakes[0].node)
    };
    assert!(is_taken(499));
    assert!(!is_taken(500));
    end(hangs, ticket, Verdict::Answered, at(600));
    assert!(is_taken(600));
}

fn open_for(millis: u64) -> Condition {
    Condition::Open {
        remaining: Duration::from_millis(millis),
    }
}

const SEED: u64 = 7;
const MILLISECOND: Duration = Duration::from_millis(1);
