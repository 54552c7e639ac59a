//! Processes that are killed (`SIGKILL`): cases M2, N5 and N14 of RELIABILITY.md.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use fly_rpc::{Executed, Node, NodeId, PeerState, Target};
use fly_rpc_tests::{
    history::Outcome,
    relay::{Relay, Way},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::{
    desk::{Desk, Order},
    traffic::Traffic,
    world::{Plan, World, at, free_ports, sees, until},
};

/// How far a call has come when the process that it was made to is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Nobody accepts its connection.
    BeforeAccept,
    /// Its first bytes have arrived.
    HeaderRead,
    /// All but its last bytes have.
    BodyRead,
    /// Its function runs.
    Handler,
    /// Its answer is on the way, and does not arrive.
    ResponseQueued,
    /// Its caller has the answer.
    ResponseAcked,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_is_denied_only_where_nothing_was_dispatched() -> anyhow::Result<()> {
    let world = Arc::new(World::new("six-points")?);
    for point in POINTS {
        let mut all = JoinSet::new();
        for _ in 0..KILLS_AT_A_POINT {
            let world = Arc::clone(&world);
            all.spawn(async move { kill_at(point, &world).await });
        }
        for told in all.join_all().await {
            let told = told.with_context(|| format!("{point:?}"))?;
            let executed = match &told {
                Outcome::Failed { executed, .. } => Some(*executed),
                _ => None,
            };
            match point {
                Point::BeforeAccept => assert_eq!(executed, Some(Executed::No), "{told:?}"),
                Point::ResponseAcked => assert_eq!(told, Outcome::Right),
                _ => assert_eq!(executed, Some(Executed::Unknown), "{point:?}: {told:?}"),
            }
        }
    }
    let world = Arc::into_inner(world).expect("all kills are over");
    let kept = world.judge(POINTS.len() * KILLS_AT_A_POINT)?;
    // In the handler, with the response queued, and with the response read.
    assert_eq!(kept.ran, 3 * KILLS_AT_A_POINT);
    Ok(())
}

/// Makes one call to a process of its own, and kills that when the call has come to this point.
async fn kill_at(point: Point, world: &World) -> anyhow::Result<Outcome> {
    let mut worker = world.start(world.plan("syd-1")).await?;
    if point == Point::BeforeAccept {
        worker.child.pause().await?;
    }
    let relay = Relay::open(worker.address, 1).await?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk).peers([relay.address()]);
    let caller = caller.start().await?;
    let order = Order {
        timeout: Duration::from_secs(1),
        ..Order::to(at("syd-1"))
    };
    if point != Point::BeforeAccept {
        sees(&caller, "syd-1", None).await;
    }
    let large = Order {
        bytes: LARGE,
        ..order.clone()
    };
    let call = match point {
        Point::BeforeAccept => {
            let call = make(&caller, &desk, order, Desk::count_at);
            // Its first packets, and those of the call's hurry, wait in the socket of a process that does not read.
            relay.until(|tallies| tallies.there.datagrams > 2).await;
            call
        }
        Point::HeaderRead | Point::BodyRead => {
            let part = if point == Point::HeaderRead { 10 } else { 95 };
            relay.cut_after(Way::There, (LARGE * part / 100) as u64);
            let call = make(&caller, &desk, large, Desk::count_at);
            relay.until(|tallies| tallies.there.cut > 0).await;
            call
        }
        Point::Handler => {
            let call = make(&caller, &desk, order, Desk::hold_at);
            worker.child.expect("running").await?;
            call
        }
        Point::ResponseQueued => {
            relay.cut_way(Way::Back);
            let order = Order {
                bytes: ANSWER,
                ..order
            };
            let call = make(&caller, &desk, order, Desk::report_at);
            worker.child.expect("ran").await?;
            relay
                .until(|tallies| tallies.back.cut > ANSWER as u64)
                .await;
            call
        }
        Point::ResponseAcked => {
            let outcome = desk.count(&caller, &order).await;
            worker.kill().await?;
            return Ok(outcome);
        }
    };
    worker.kill().await?;
    Ok(call.await?)
}

/// Begins a call.
fn make<F>(
    node: &Node,
    desk: &Desk,
    order: Order,
    make: impl Fn(Desk, Node, Order) -> F,
) -> JoinHandle<Outcome>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    tokio::spawn(make(desk.clone(), node.clone(), order))
}

impl Desk {
    async fn count_at(self, node: Node, order: Order) -> Outcome {
        self.count(&node, &order).await
    }

    async fn hold_at(self, node: Node, order: Order) -> Outcome {
        self.hold(&node, &order).await
    }

    async fn report_at(self, node: Node, order: Order) -> Outcome {
        self.report(&node, &order).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_under_traffic_break_no_promise() -> anyhow::Result<()> {
    let world = World::new("hundred-kills")?;
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk).start().await?;
    // The processes dial the caller: their next life is there as soon as it lives.
    let plan = |id| world.plan(id).peers([caller.local_addr()]);
    let mut workers = vec![
        world.start(plan("syd-1")).await?,
        world.start(plan("syd-2")).await?,
    ];
    for worker in &workers {
        sees(&caller, &worker.plan.id, Some(&worker.build)).await;
    }

    let mut traffic = Traffic::new();
    for target in [at("syd-1"), at("syd-2"), Target::Region("syd".into())] {
        let order = Order {
            timeout: Duration::from_secs(2),
            ..Order::to(target)
        };
        let (node, desk) = (caller.clone(), desk.clone());
        traffic.add(8, PACE, move || {
            let (node, desk, order) = (node.clone(), desk.clone(), order.clone());
            async move {
                desk.count(&node, &order).await;
                desk.look(&node, &order).await;
                desk.linger(&node, &order, 5).await
            }
        });
    }

    let mut chance = StdRng::seed_from_u64(SEED);
    for kill in 0..KILLS {
        traffic.more(CALLS_BETWEEN_KILLS / 3).await;
        let moment = Duration::from_micros(chance.random_range(0..20_000));
        sleep(moment).await; // sleep: a kill comes at any moment
        let mut plan = workers.remove(0).kill().await?;
        if kill % 5 == 0 {
            // Another one, while the process starts.
            let starting = world.spawn(plan)?;
            let moment = Duration::from_millis(chance.random_range(0..30));
            sleep(moment).await; // sleep: a kill comes at any moment
            plan = starting.kill().await?;
        }
        let worker = world.start(plan).await?;
        sees(&caller, &worker.plan.id, Some(&worker.build)).await;
        workers.push(worker);
    }
    traffic.rest().await;
    let kept = world.judge(HUNDRED_KILLS)?;
    assert!(
        kept.unknown > KILLS,
        "kills that break nothing show nothing"
    );
    assert!(kept.unknown_and_ran > 0 && kept.unknown_and_ran < kept.unknown);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_vanishes_is_avoided_at_once_and_given_up_soon() -> anyhow::Result<()> {
    let world = World::new("vanished")?;
    let workers = [
        world.start(world.plan("syd-1")).await?,
        world.start(world.plan("syd-2")).await?,
    ];
    let desk = world.desk()?;
    let caller = world.builder("hkg-1", &desk);
    let caller = caller.peers(workers.iter().map(|worker| worker.address.to_string()));
    let caller = caller.start().await?;
    for worker in &workers {
        sees(&caller, &worker.plan.id, None).await;
    }
    // When each failed call was made, and when it failed.
    let failures = Arc::new(Mutex::new(Vec::new()));
    let mut traffic = Traffic::new();
    let (node, made, failed) = (caller.clone(), desk.clone(), Arc::clone(&failures));
    traffic.add(8, Duration::from_millis(20), move || {
        let (node, desk, failed) = (node.clone(), made.clone(), Arc::clone(&failed));
        async move {
            let order = Order {
                timeout: Duration::from_secs(2),
                ..Order::to(Target::Region("syd".into()))
            };
            let begun = Instant::now();
            let outcome = desk.count(&node, &order).await;
            if outcome != Outcome::Right {
                let mut failed = failed.lock().expect("no panic");
                failed.push((begun, Instant::now(), outcome.clone()));
            }
            outcome
        }
    });
    traffic.more(100).await;
    let [dead, alive] = workers;
    dead.kill().await?;
    let killed = Instant::now();
    let is_connected = || {
        let gone = NodeId::from("syd-1");
        let mut peers = caller.peers().into_iter();
        peers.any(|peer| peer.id == gone && peer.state != PeerState::Connecting)
    };
    until("the dead process is given up", || !is_connected()).await;
    let given_up = killed.elapsed();
    traffic.more(100).await;
    traffic.rest().await;

    let failures = failures.lock().expect("no panic").clone();
    let first = failures.iter().map(|(_, failed, _)| *failed).min();
    let last = failures.iter().map(|(made, _, _)| *made).max();
    let (first, last) = first.zip(last).context("the kill broke no call")?;
    println!(
        "N5: {} calls failed, the first {:.1?} after the kill; the last call to the dead was made {:.1?} after the kill; given up after {given_up:.1?}",
        failures.len(),
        first - killed,
        last.saturating_duration_since(killed),
    );
    assert!(last <= first + Duration::from_secs(2));
    assert!(given_up <= Duration::from_secs(30));
    alive.kill().await?;
    world.judge(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_restarts_on_its_address_is_called_in_its_new_life() -> anyhow::Result<()> {
    // Whoever restarts dials the caller, and is there as soon as it lives; or only the caller dials, which has to notice
    // the silence first, and looks for it once a second.
    let (both, one) = tokio::join!(
        restart("restarted", true, 10, Duration::from_secs(2)),
        restart("restarted-mute", false, 2, Duration::from_secs(8))
    );
    both.and(one)
}

async fn restart(
    name: &'static str,
    dials: bool,
    times: usize,
    patience: Duration,
) -> anyhow::Result<()> {
    let world = World::new(name)?;
    let desk = world.desk()?;
    let port = free_ports().next().context("no port is free")?;
    let caller = world.builder("hkg-1", &desk).peers([port.to_string()]);
    let caller = caller.start().await?;
    let plan = Plan {
        bind: port,
        ..world.plan("syd-1")
    };
    let plan = plan.peers(dials.then_some(caller.local_addr()));
    let mut worker = world.start(plan).await?;
    sees(&caller, "syd-1", Some(&worker.build)).await;
    let mut traffic = Traffic::new();
    let (node, from) = (caller.clone(), desk.clone());
    traffic.add(8, Duration::from_millis(5), move || {
        let (node, desk) = (node.clone(), from.clone());
        let order = Order {
            timeout: Duration::from_secs(2),
            ..Order::to(at("syd-1"))
        };
        async move { desk.count(&node, &order).await }
    });
    for _ in 0..times {
        traffic.more(100).await;
        let plan = worker.kill().await?;
        let dead = Instant::now();
        let starting = world.spawn(plan)?;
        ensure!(dead.elapsed() < Duration::from_millis(100), "too slow");
        worker = starting.ready().await?;
        let ready = dead.elapsed();
        sees(&caller, "syd-1", Some(&worker.build)).await;
        let told = desk.count(&caller, &Order::to(at("syd-1"))).await;
        let called = dead.elapsed();
        println!("N14, {name}: ready {ready:.0?} after the kill, called {called:.0?} after it");
        assert_eq!(told, Outcome::Right);
        assert!(called - ready < patience);
    }
    traffic.rest().await;
    worker.kill().await?;
    world.judge(100 * times)?;
    Ok(())
}

const POINTS: [Point; 6] = [
    Point::BeforeAccept,
    Point::HeaderRead,
    Point::BodyRead,
    Point::Handler,
    Point::ResponseQueued,
    Point::ResponseAcked,
];
const KILLS_AT_A_POINT: usize = 5;
/// Bytes of an argument that takes many datagrams.
const LARGE: usize = 200_000;
/// Bytes of an answer that is more than acknowledgements could be.
const ANSWER: usize = 8000;
const KILLS: usize = 100;
const CALLS_BETWEEN_KILLS: u64 = 999;
const PACE: Duration = Duration::from_millis(1);
const SEED: u64 = 14;
/// Calls that are recorded.
const HUNDRED_KILLS: usize = 100_000;
