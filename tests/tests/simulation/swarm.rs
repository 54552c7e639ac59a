//! Any faults at any time: the invariants hold, and when the faults end everything heals.

use std::time::Duration;

use fly_rpc::{
    Target,
    testing::{self, Network},
};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    calls::Plan,
    faults::{strike, weather},
    fleet::{Fleet, below},
    ledger::Sums,
};

#[test]
fn whatever_goes_wrong_no_caller_is_told_a_lie_and_everything_heals() {
    let explored = testing::explore(1_000, Duration::from_secs(60), async |network| {
        swarm(&network).await;
    });
    println!("{explored:?}");
    assert!(explored.seeds > 0);
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_datagram() {
    for seed in 0..100 {
        let run = || {
            testing::simulate(seed, async |network| {
                (swarm(&network).await, network.traffic())
            })
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

/// Five machines, five hundred calls, faults every few hundred milliseconds.
async fn swarm(network: &Network) -> Sums {
    let chance = network.chance().clone();
    let mut fleet = Fleet::new(network, &["syd", "syd", "hkg", "hkg", "dfw"]);
    // Bounds that five hundred calls do reach.
    fleet.limits.handlers = 6;
    fleet.limits.handlers_per_peer = 3;
    for machine in &mut fleet.machines {
        machine.new_build = below(&chance, 2) == 0;
    }
    fleet.start_all().await;
    network.set_conditions(weather(&chance));
    let mut calls = JoinSet::new();
    for _ in 0..STEPS {
        for _ in 0..CALLS / STEPS {
            let nodes = fleet.nodes();
            if nodes.is_empty() {
                break;
            }
            let plan = Plan::draw(&chance, &nodes);
            let node = nodes[below(&chance, nodes.len() as u64) as usize].clone();
            calls.spawn(plan.make(node, fleet.ledger.clone()));
        }
        sleep(Duration::from_millis(below(&chance, 600))).await; // sleep: simulated
        within_limits(&fleet);
        strike(&mut fleet, &chance).await;
    }

    network.heal();
    for machine in 0..fleet.machines.len() {
        if fleet.machines[machine].node.is_none() {
            fleet.start(machine).await;
        }
    }
    while let Some(call) = calls.join_next().await {
        call.expect("no call panics");
    }
    // A connection that died unheard is noticed, and replaced.
    sleep(NOTICED).await; // sleep: simulated
    fleet.whole(HEALED).await;
    every_pair_calls(&fleet).await;
    at_rest(&fleet).await;
    let ledger = fleet.ledger.clone();
    for machine in 0..fleet.machines.len() {
        fleet.stop(machine).await;
    }
    drop(fleet);
    nothing_is_left().await;
    // Only now can nothing run any more.
    ledger.check()
}

/// I6: what is counted never exceeds its bound.
fn within_limits(fleet: &Fleet) {
    for node in fleet.nodes() {
        let stats = node.stats();
        assert!(
            stats.handlers <= fleet.limits.handlers,
            "{}: {stats:?}",
            node.id()
        );
        // At most so many to each of four peers, see `LINKS` in the transport's `peers.rs`.
        assert!(stats.connections <= 4 * 8, "{}: {stats:?}", node.id());
    }
}

/// Once everything is healed, each node's calls to each other one succeed.
async fn every_pair_calls(fleet: &Fleet) {
    let nodes = fleet.nodes();
    let before = fleet.ledger.check();
    for from in &nodes {
        for to in &nodes {
            for function in [0, 2, 3] {
                let plan = Plan::sound(function, Target::from(to.id()));
                plan.make(from.clone(), fleet.ledger.clone()).await;
            }
        }
    }
    let after = fleet.ledger.check();
    let expected = (nodes.len() * nodes.len() * 3) as u64;
    assert_eq!(after.right - before.right, expected, "{before:?} {after:?}");
}

/// I5: when nobody calls, nothing runs and nothing is awaited.
async fn at_rest(fleet: &Fleet) {
    let began = Instant::now();
    for node in fleet.nodes() {
        while {
            let stats = node.stats();
            stats.handlers > 0 || stats.pending_calls > 0
        } {
            assert!(began.elapsed() < REST, "{}: {:?}", node.id(), node.stats());
            sleep(Duration::from_millis(50)).await; // sleep: simulated
        }
    }
}

/// I5: nodes that are gone leave no task behind.
async fn nothing_is_left() {
    let began = Instant::now();
    while Handle::current().metrics().num_alive_tasks() > 0 {
        let left = Handle::current().metrics().num_alive_tasks();
        assert!(began.elapsed() < REST, "{left} tasks are left");
        sleep(Duration::from_millis(100)).await; // sleep: simulated
    }
}

const CALLS: u64 = 500;
const STEPS: u64 = 50;
/// A dead connection is given up after 12 s of silence, looked at once a second.
const NOTICED: Duration = Duration::from_secs(14);
/// Every pair is connected so long after the last fault: the longest delay between two dials is
/// 12 s.
const HEALED: Duration = Duration::from_secs(30);
/// Longer than any function runs. A closing connection stays for three probe timeouts, and those
/// follow from a round trip that a clog may have made a dozen seconds long.
const REST: Duration = Duration::from_secs(300);
