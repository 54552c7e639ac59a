//! Processes that end as they should, and others in their place: cases L1, L2 and L3 of RELIABILITY.md.

use std::time::{Duration, Instant};

use fly_rpc::{Executed, PeerState, Target};
use fly_rpc_tests::history::Outcome;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use crate::{
    desk::Order,
    traffic::Traffic,
    world::{Plan, Worker, World, at, sees, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_fire_finishes_every_call_and_fails_none() -> anyhow::Result<()> {
    let world = World::new("drained")?;
    let mut leaving = world.start(world.plan("syd-1")).await?;
    let staying = world.start(world.plan("syd-2")).await?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk);
    let caller = caller.peers([leaving.address.to_string(), staying.address.to_string()]);
    let caller = caller.start().await?;
    sees(&caller, "syd-1", None).await;
    sees(&caller, "syd-2", None).await;

    let mut traffic = Traffic::new();
    let (node, from) = (caller.clone(), desk.clone());
    traffic.add(20, Duration::from_millis(200), move || {
        let (node, desk) = (node.clone(), from.clone());
        let order = Order::to(Target::Region("syd".into()));
        async move { desk.count(&node, &order).await }
    });
    let mut chance = StdRng::seed_from_u64(SEED);
    let mut in_flight = JoinSet::new();
    let order = Order {
        timeout: Duration::from_secs(20),
        ..Order::to(at("syd-1"))
    };
    for _ in 0..IN_FLIGHT {
        let (node, desk, order) = (caller.clone(), desk.clone(), order.clone());
        let millis = chance.random_range(0..5000);
        in_flight.spawn(async move { desk.linger(&node, &order, millis).await });
    }
    leaving.child.ask(&format!("begin {IN_FLIGHT}")).await?;
    let begun = Instant::now();
    let (report, _) = leaving.stop().await?;
    let took = begun.elapsed();
    traffic.more(100).await;
    traffic.rest().await;
    let told = in_flight.join_all().await;
    let failed = told.iter().find(|told| **told != Outcome::Right);
    assert_eq!(failed, None);
    assert_eq!(report, "drained: every call has ended");
    staying.stop().await?;
    let kept = world.judge(L1)?;
    println!("L1: drained in {took:.1?}, {kept}");
    assert_eq!(kept.right, kept.calls, "a call failed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_ends_is_cut_and_its_caller_told_that_nobody_knows()
-> anyhow::Result<()> {
    let world = World::new("cut")?;
    let plan = Plan {
        drain_millis: 700,
        ..world.plan("syd-1")
    };
    let mut worker = world.start(plan).await?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk);
    let caller = caller.peers([worker.address.to_string()]).start().await?;
    sees(&caller, "syd-1", None).await;
    let order = Order {
        timeout: Duration::from_secs(20),
        ..Order::to(at("syd-1"))
    };
    let held = tokio::spawn({
        let (node, desk, order) = (caller.clone(), desk.clone(), order.clone());
        async move { desk.hold(&node, &order).await }
    });
    worker.child.expect("running").await?;
    let begun = Instant::now();
    worker.child.tell("stop").await?;
    let drains = || {
        let mut peers = caller.peers().into_iter();
        peers.any(|peer| peer.state == PeerState::Draining)
    };
    until("the drain is announced", drains).await;
    let refused = desk.count(&caller, &order).await;
    assert!(refused.is_refusal("Draining"), "{refused:?}");
    let held = held.await?;
    let took = begun.elapsed();
    let is_unknown =
        |error: &str, executed| error == "ConnectionLost" && executed == Executed::Unknown;
    assert!(
        matches!(&held, Outcome::Failed { error, executed, .. } if is_unknown(error, *executed)),
        "{held:?}"
    );
    let report = worker.child.answer().await?;
    println!("L2: {report}; its caller knew {took:.1?} after the drain began");
    assert_eq!(report, "drain timeout: still running: 1× hold@1");
    worker.child.ended().await?;
    world.judge(2)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_traffic_fails_no_call() -> anyhow::Result<()> {
    let world = World::new("rolling")?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk).start().await?;
    let mut workers = Vec::new();
    for number in 1..=NODES {
        let mut peers = vec![caller.local_addr()];
        peers.extend(workers.iter().map(|worker: &Worker| worker.address));
        let plan = world.plan(&format!("syd-{number}")).peers(peers);
        workers.push(world.start(plan).await?);
    }
    for worker in &mut workers {
        sees(&caller, &worker.plan.id, None).await;
        worker.child.ask("trade 1").await?;
    }
    let mut traffic = Traffic::new();
    let (node, from) = (caller.clone(), desk.clone());
    // Three hundred calls a second, besides those of the processes.
    traffic.add(20, Duration::from_millis(200), move || {
        let (node, desk) = (node.clone(), from.clone());
        let order = Order::to(Target::Region("syd".into()));
        async move {
            desk.look(&node, &order).await;
            desk.linger(&node, &order, 50).await;
            desk.count(&node, &order).await
        }
    });
    let begun = Instant::now();
    for _ in 0..NODES {
        traffic.more(50).await;
        let (report, plan) = workers.remove(0).stop().await?;
        assert_eq!(report, "drained: every call has ended");
        let others = workers.iter().map(|worker| worker.address);
        let plan = plan.peers(others.chain([caller.local_addr()]));
        let mut worker = world.start(plan).await?;
        sees(&caller, &worker.plan.id, Some(&worker.build)).await;
        worker.child.ask("trade 1").await?;
        workers.push(worker);
    }
    traffic.more(50).await;
    println!(
        "L3: {NODES} processes were replaced in {:.1?}",
        begun.elapsed()
    );
    traffic.rest().await;
    for worker in &mut workers {
        worker.child.ask("more 100").await?;
        worker.child.ask("rest").await?;
    }
    for worker in workers {
        worker.stop().await?;
    }
    let kept = world.judge(L3)?;
    assert_eq!(kept.right, kept.calls, "a call failed");
    assert_eq!(kept.ran_again, 0);
    Ok(())
}

const NODES: usize = 5;
const IN_FLIGHT: usize = 100;
const SEED: u64 = 5;
/// Calls that are recorded.
const L1: usize = 500;
const L3: usize = 1000;
