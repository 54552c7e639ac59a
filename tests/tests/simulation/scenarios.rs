//! One fault at a time, with what has to follow from it and how soon.

use std::{future::Future, time::Duration};

use fly_rpc::{
    Executed, Node, Target,
    testing::{self, Conditions, Host, Network},
};
use fly_rpc_tests::Log;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    application::{answer, large_on_primary, read_on, transfer_on, transfer_v2_on},
    calls::Plan,
    fleet::{Fleet, below},
};

#[test]
fn of_two_simultaneous_dials_one_connection_stays_and_no_call_is_lost() {
    let explored = testing::explore(1_000, Duration::from_secs(20), async |network| {
        let chance = network.chance().clone();
        network.set_conditions(Conditions {
            delay: Duration::from_millis(below(&chance, 80)),
            jitter: Duration::from_millis(below(&chance, 3)),
            ..Conditions::default()
        });
        let mut fleet = Fleet::new(&network, &["syd", "hkg"]);
        fleet.start_together().await;
        let nodes = fleet.nodes();
        let mut calls = JoinSet::new();
        for _ in 0..40 {
            for (from, to) in [(0, 1), (1, 0)] {
                let plan = Plan::sound(0, Target::from(nodes[to].id()));
                calls.spawn(plan.make(nodes[from].clone(), fleet.ledger.clone()));
            }
            sleep(Duration::from_millis(below(&chance, 20))).await; // sleep: simulated
        }
        while let Some(call) = calls.join_next().await {
            call.expect("no call panics");
        }
        assert_eq!(fleet.ledger.check().right, 80, "{:?}", fleet.ledger.check());
        // The contest of the two is settled by a ping.
        sleep(Duration::from_secs(6)).await; // sleep: simulated
        for node in &nodes {
            assert_eq!(node.stats().connections, 1, "{}", node.id());
        }
    });
    println!("{explored:?}");
}

#[test]
fn a_partition_fails_only_what_crosses_it_and_heals() {
    let explored = testing::explore(12, Duration::from_secs(60), async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "syd", "hkg", "hkg", "dfw"]);
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let hosts: Vec<Host> = fleet.machines.iter().map(|m| m.host.clone()).collect();
        let crosses: fn(usize, usize) -> bool = match below(network.chance(), 3) {
            0 => {
                network.partition(&[&hosts[0], &hosts[1]]);
                |from, to| (from < 2) != (to < 2)
            }
            1 => {
                network.cut(&hosts[0], &hosts[4]);
                |from, to| from + to == 4 && from * to == 0
            }
            // Machine 2 is the only one that sees both sides.
            _ => {
                for (left, right) in [(0, 3), (0, 4), (1, 3), (1, 4)] {
                    network.cut(&hosts[left], &hosts[right]);
                    network.cut(&hosts[right], &hosts[left]);
                }
                |from, to| (from < 2) != (to < 2) && from != 2 && to != 2
            }
        };
        // Until the partition was noticed by whoever calls nobody.
        sleep(NOTICED).await; // sleep: simulated
        let nodes = fleet.nodes();
        for (number, from) in nodes.iter().enumerate() {
            for (other, to) in nodes
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number)
            {
                let began = Instant::now();
                let id = fleet.ledger.open(false);
                let outcome = transfer_on(to.id(), id, 0).via(from).await;
                if crosses(number, other) {
                    let error = outcome.expect_err("there is no way");
                    assert_eq!(error.executed(), Executed::No, "{error}");
                    assert!(began.elapsed() < Duration::from_secs(1), "{error}");
                } else {
                    assert_eq!(outcome.expect("on one side"), answer(id));
                }
            }
        }
        network.heal();
        let healed = fleet.whole(Duration::from_secs(15)).await;
        println!("healed in {healed:?}");
    });
    println!("{explored:?}");
}

#[test]
fn a_swizzle_clog_leaves_no_call_behind() {
    let explored = testing::explore(100, Duration::from_secs(20), async |network| {
        let chance = network.chance().clone();
        let mut fleet = Fleet::new(&network, &["syd", "syd", "hkg", "hkg", "dfw"]);
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let hosts: Vec<Host> = fleet.machines.iter().map(|m| m.host.clone()).collect();
        let mut half: Vec<&Host> = hosts.iter().filter(|_| below(&chance, 2) == 0).collect();
        let mut calls = JoinSet::new();
        for clogs in [true, false] {
            for host in &half {
                for other in &hosts {
                    if clogs {
                        network.clog(host, other);
                        network.clog(other, host);
                    } else {
                        network.unclog(host, other);
                        network.unclog(other, host);
                    }
                }
                for _ in 0..10 {
                    let nodes = fleet.nodes();
                    let plan = Plan::draw(&chance, &nodes);
                    let node = nodes[below(&chance, nodes.len() as u64) as usize].clone();
                    calls.spawn(plan.make(node, fleet.ledger.clone()));
                }
                sleep(Duration::from_millis(below(&chance, 1_500))).await; // sleep: simulated
            }
            // Unclogged in another order.
            half.reverse();
            let middle = half.len() / 2;
            half.rotate_left(middle);
        }
        // Each call checks for itself that it ends by its deadline.
        while let Some(call) = calls.join_next().await {
            call.expect("no call panics");
        }
        fleet.ledger.check();
        fleet.whole(SOON).await;
    });
    println!("{explored:?}");
}

#[test]
fn after_a_black_hole_calls_succeed_within_a_second_or_the_longest_backoff() {
    for (hole, at_most) in [(1, 1), (5, 1), (20, 12)] {
        testing::simulate(hole, async |network| {
            let (fleet, from) = pair(&network).await;
            network.partition(&[&fleet.machines[0].host]);
            let id = fleet.ledger.open(false);
            let lost = transfer_on("syd", id, 0).timeout(PATIENCE).via(&from);
            let lost = lost.await;
            assert!(lost.is_err_and(|error| error.executed() == Executed::Unknown));
            sleep(Duration::from_secs(hole) - PATIENCE).await; // sleep: simulated
            network.heal();
            let took = first_answer(&fleet, &from).await;
            println!("a hole of {hole} s: the first answer after {took:?}");
            assert!(took <= Duration::from_secs(at_most), "{took:?}");
        });
    }
}

/// As long as QUIC itself gets over the outage: new calls are better off elsewhere meanwhile, those
/// that are under way are not to be lost for that.
#[test]
fn large_calls_outlive_an_outage_in_their_midst() {
    for (many, size, before, outage, gossip) in [
        (230, 20_000, 300, 3, false),
        (230, 20_000, 300, 5, false),
        (230, 20_000, 300, 5, true),
        (230, 20_000, 40, 6, false),
        (230, 20_000, 40, 6, true),
        (20, 1_000_000, 300, 5, false),
        (20, 1_000_000, 300, 5, true),
    ] {
        testing::simulate(1, async |network| {
            network.set_conditions(Conditions {
                delay: Duration::from_millis(75),
                rate: Some(1_000_000),
                ..Conditions::default()
            });
            let mut fleet = Fleet::new(&network, &["syd", "hkg"]);
            fleet.gossip = gossip;
            let (fleet, from) = started(fleet).await;
            // Which of two connections stays has to be settled.
            sleep(SETTLED).await; // sleep: simulated
            let mut calls = large_calls(&fleet, &from, many, size, 2 * SOON);
            sleep(Duration::from_millis(before)).await; // sleep: simulated
            let [one, other] = [0, 1].map(|machine| fleet.machines[machine].host.clone());
            network.partition(&[&one]);
            sleep(Duration::from_secs(outage)).await; // sleep: simulated
            network.join(&one, &other);
            network.join(&other, &one);
            while let Some(call) = calls.join_next().await {
                call.expect("no call panics");
            }
            let sums = fleet.ledger.check();
            assert_eq!(sums.right, many, "{outage} s after {before} ms: {sums:?}");
        });
    }
}

/// Begins so many calls at once, each with a body of `size` bytes that comes back.
fn large_calls(
    fleet: &Fleet,
    from: &Node,
    many: u64,
    size: usize,
    timeout: Duration,
) -> JoinSet<()> {
    let mut calls = JoinSet::new();
    for _ in 0..many {
        let id = fleet.ledger.open(false);
        let (ledger, from) = (fleet.ledger.clone(), from.clone());
        calls.spawn(async move {
            let body = vec![7; size];
            let call = large_on_primary(id, &body).timeout(timeout).via(&from);
            ledger.settle(id, &call.await, body);
        });
    }
    calls
}

#[test]
fn on_a_narrow_way_no_lane_is_blamed() {
    for (many, size, rate) in [(230, 50_000, 20_000), (30, 1_000_000, 100_000)] {
        let (log, _guard) = Log::start();
        testing::simulate(1, async |network| {
            let (fleet, from) = pair(&network).await;
            sleep(SETTLED).await; // sleep: simulated
            network.set_conditions(Conditions {
                delay: Duration::from_millis(75),
                rate: Some(rate),
                ..Conditions::default()
            });
            // More than the way can carry by then.
            let mut calls = large_calls(&fleet, &from, many, size, 5 * SOON);
            while let Some(call) = calls.join_next().await {
                call.expect("no call panics");
            }
        });
        let offences = log.lines("an offence");
        assert!(offences.is_empty(), "{offences:#?}");
    }
}

#[test]
fn a_node_whose_address_changes_is_connected_again_within_seconds() {
    testing::simulate(1, async |network| {
        let (fleet, from) = pair(&network).await;
        // The caller's, as by a NAT in front of it.
        fleet.machines[1].host.change_address();
        let began = Instant::now();
        let id = fleet.ledger.open(false);
        let lost = transfer_on("syd", id, 0)
            .timeout(Duration::from_secs(1))
            .via(&from);
        let error = lost
            .await
            .expect_err("its datagrams come from a stranger's address");
        assert_eq!(error.executed(), Executed::Unknown);
        first_answer(&fleet, &from).await;
        let took = began.elapsed();
        println!("connected again after {took:?}");
        assert!(took <= Duration::from_secs(4), "{took:?}");
    });
}

#[test]
fn an_answer_in_the_very_tick_of_the_deadline_is_one_outcome_and_never_both() {
    testing::simulate(1, async |network| {
        let (fleet, from) = pair(&network).await;
        let mut calls = JoinSet::new();
        for number in 0..10_000 {
            // The round trip and the function take 2 ms to 12 ms, the deadline is 7 ms.
            let id = fleet.ledger.open(false);
            let (ledger, from) = (fleet.ledger.clone(), from.clone());
            calls.spawn(async move {
                let call = transfer_on("syd", id, number % 11).via(&from);
                let outcome = call.timeout(Duration::from_millis(7)).await;
                ledger.settle(id, &outcome, answer(id));
            });
            if number % 50 == 0 {
                sleep(Duration::from_millis(1)).await; // sleep: simulated
            }
        }
        while let Some(call) = calls.join_next().await {
            call.expect("no call panics");
        }
        sleep(Duration::from_secs(1)).await; // sleep: simulated
        let sums = fleet.ledger.check();
        println!("{sums:?}");
        assert_eq!(sums.right + sums.unknown + sums.not_run, 10_000);
        assert!(sums.right > 1_000 && sums.unknown > 1_000, "{sums:?}");
    });
}

#[test]
fn a_roll_out_over_a_bad_network_loses_no_call() {
    let explored = testing::explore(50, Duration::from_secs(20), async |network| {
        let chance = network.chance().clone();
        network.set_conditions(Conditions {
            delay: Duration::from_millis(40),
            jitter: Duration::from_millis(20),
            loss: 0.02,
            ..Conditions::default()
        });
        let mut fleet = Fleet::new(&network, &["syd", "syd", "syd", "hkg"]);
        for machine in &mut fleet.machines {
            machine.new_build = false;
        }
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let caller = fleet.machines[3].node.clone().expect("started");
        let mut calls = JoinSet::new();
        for machine in 0..3 {
            for _ in 0..10 {
                calls.spawn(new_or_old(&fleet, &caller));
                sleep(Duration::from_millis(below(&chance, 100))).await; // sleep: simulated
            }
            // Calls go on while it drains, stops and starts.
            let (ledger, node) = (fleet.ledger.clone(), caller.clone());
            let during = tokio::spawn(async move {
                for _ in 0..20 {
                    let id = ledger.open(true);
                    let outcome = read_on("syd", id, 10).via(&node).await;
                    ledger.settle(id, &outcome, answer(id));
                    outcome.expect("two others serve it");
                    sleep(Duration::from_millis(50)).await; // sleep: simulated
                }
            });
            fleet.machines[machine].new_build = true;
            fleet.stop(machine).await;
            fleet.start(machine).await;
            during.await.expect("no call fails");
            fleet.whole(SOON).await;
        }
        while let Some(call) = calls.join_next().await {
            call.expect("no call fails");
        }
        let sums = fleet.ledger.check();
        assert_eq!((sums.unknown, sums.not_run), (0, 0), "{sums:?}");
    });
    println!("{explored:?}");
}

/// A call of the newest version that there is.
fn new_or_old(fleet: &Fleet, from: &Node) -> impl Future<Output = ()> + use<> {
    let id = fleet.ledger.open(false);
    let (ledger, from) = (fleet.ledger.clone(), from.clone());
    async move {
        let newer = transfer_v2_on("syd", id, 5, "note".into());
        let outcome = newer.or_older(transfer_on("syd", id, 5)).via(&from).await;
        let value = outcome.expect("somebody serves one of the two");
        assert!([answer(id), answer(id).wrapping_add(4)].contains(&value));
        ledger.settle(id, &Ok(answer(id)), answer(id));
    }
}

/// Two connected machines, `syd` and `hkg`, of which the second one dials and calls.
async fn pair(network: &Network) -> (Fleet, Node) {
    started(Fleet::new(network, &["syd", "hkg"])).await
}

async fn started(mut fleet: Fleet) -> (Fleet, Node) {
    fleet.start_all().await;
    fleet.whole(SOON).await;
    let from = fleet.machines[1].node.clone().expect("started");
    (fleet, from)
}

/// How long it takes until a call of `from` succeeds in `syd`.
async fn first_answer(fleet: &Fleet, from: &Node) -> Duration {
    let began = Instant::now();
    loop {
        let id = fleet.ledger.open(true);
        let call = read_on("syd", id, 0).timeout(Duration::from_millis(500));
        let outcome = call.via(from).await;
        fleet.ledger.settle(id, &outcome, answer(id));
        if outcome.is_ok() {
            return began.elapsed();
        }
        assert!(began.elapsed() < SOON, "{outcome:?}");
        sleep(Duration::from_millis(20)).await; // sleep: simulated
    }
}

/// Longer than two nodes take to find out which of two connections stays.
const SETTLED: Duration = Duration::from_secs(15);
/// What a call is given that meets a black hole.
const PATIENCE: Duration = Duration::from_millis(900);
/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);
/// A dead connection is given up after 12 s of silence, looked at once a second.
const NOTICED: Duration = Duration::from_secs(14);
