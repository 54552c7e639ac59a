//! Everything at once, by chance: processes are killed, stopped, drained and started again, paths between them lose,
//! damage, delay and are cut, and callers give up. Then all of it ends, and everything must work again.

use std::{
    env,
    time::{Duration, Instant},
};

use fly_rpc::{Limits, Node, Target};
use fly_rpc_tests::{
    SOON,
    history::Outcome,
    relay::{Conditions, Relay, Way},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use crate::{
    desk::{Desk, Order},
    traffic::Traffic,
    world::{Plan, Worker, World, at, free_ports, sees},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_promise_is_broken_by_chance_and_everything_heals() -> anyhow::Result<()> {
    let is_soak = env::var_os("FLY_RPC_SOAK").is_some();
    let (seed, long) = match is_soak {
        false => (SEED, CHAOS),
        true => (rand::random(), SOAK),
    };
    println!("chaos: seed {seed}");
    let mut stage = Stage::set(seed).await?;
    let mut traffic = Traffic::new();
    for caller in &stage.callers {
        stage.call_from(caller, &mut traffic);
    }
    let begun = Instant::now();
    let mut faults = 0;
    while begun.elapsed() < long {
        stage.fault().await?;
        faults += 1;
        let meanwhile = Duration::from_millis(stage.chance.random_range(0..300));
        sleep(meanwhile).await; // sleep: the next fault comes at any moment
    }
    stage.heal();
    traffic.rest().await;

    let healed = Instant::now();
    for caller in &stage.callers {
        for worker in &stage.workers {
            sees(&caller.node, &worker.plan.id, Some(&worker.build)).await;
            // A connection whose path was rebound is dead, and only its silence shows it.
            let order = Order::to(at(&worker.plan.id));
            let answers =
                async { while caller.desk.count(&caller.node, &order).await != Outcome::Right {} };
            timeout(SOON, answers).await.expect("it heals soon");
        }
    }
    let healed = healed.elapsed();
    println!("chaos: {faults} faults, all works {healed:.1?} after them");
    assert!(healed < Duration::from_secs(15));
    for caller in &stage.callers {
        for call in 0..AFTERWARDS {
            let order = Order::to(at(IDS[call % IDS.len()]));
            assert_eq!(
                caller.desk.count(&caller.node, &order).await,
                Outcome::Right
            );
        }
    }
    for worker in stage.workers {
        worker.stop().await?;
    }
    stage.world.judge(LEAST)?;
    Ok(())
}

struct Stage {
    world: World,
    chance: StdRng,
    workers: Vec<Worker>,
    callers: Vec<Caller>,
}

/// A node in this process, and its path to each worker.
struct Caller {
    node: Node,
    desk: Desk,
    paths: Vec<Relay>,
}

impl Stage {
    async fn set(seed: u64) -> anyhow::Result<Self> {
        let world = World::new("chaos")?;
        let mut workers = Vec::new();
        for (id, bind) in IDS.into_iter().zip(free_ports()) {
            let plan = Plan {
                bind,
                drain_millis: 500,
                ..world.plan(id)
            };
            workers.push(world.start(plan).await?);
        }
        let mut callers = Vec::new();
        for (place, id) in ["hkg-1", "cdg-1"].into_iter().enumerate() {
            let desk = world.desk()?;
            let mut paths = Vec::new();
            for worker in &workers {
                paths.push(Relay::open(worker.address, seed ^ place as u64).await?);
            }
            let mut limits = Limits::default();
            // So that more can happen in the same time.
            limits.silence_suspect = Duration::from_millis(500);
            limits.silence_lost = Duration::from_secs(3);
            let node = world.builder(id, &desk).limits(limits);
            let node = node.peers(paths.iter().map(Relay::address)).start().await?;
            callers.push(Caller { node, desk, paths });
        }
        for caller in &callers {
            for id in IDS {
                sees(&caller.node, id, None).await;
            }
        }
        Ok(Self {
            world,
            chance: StdRng::seed_from_u64(seed),
            workers,
            callers,
        })
    }

    /// Calls of every kind, to one worker or any, some of which give up.
    fn call_from(&self, caller: &Caller, traffic: &mut Traffic) {
        let targets = IDS.map(at);
        for target in targets.into_iter().chain([Target::Region("syd".into())]) {
            let (node, desk) = (caller.node.clone(), caller.desk.clone());
            traffic.add(6, Duration::from_millis(2), move || {
                let (node, desk, target) = (node.clone(), desk.clone(), target.clone());
                async move { call_somehow(&node, &desk, target).await }
            });
        }
    }

    /// Does something to one worker, or to one path.
    async fn fault(&mut self) -> anyhow::Result<()> {
        let place = self.chance.random_range(0..IDS.len());
        let caller = self.chance.random_range(0..self.callers.len());
        let path = &self.callers[caller].paths[place];
        let chance = &mut self.chance;
        match chance.random_range(0..10) {
            0 | 1 => self.replace(place, true).await?,
            2 => self.replace(place, false).await?,
            3 => {
                let pause = Duration::from_millis(chance.random_range(50..1500));
                self.workers[place].child.pause().await?;
                sleep(pause).await; // sleep: the pause takes its time
                self.workers[place].child.resume().await?;
            }
            4 => path.cut(),
            5 => path.cut_way(if chance.random() {
                Way::There
            } else {
                Way::Back
            }),
            6 => path.rebind(),
            7 => path.heal(),
            _ => path.set(Conditions {
                loss: chance.random_range(0..30),
                duplicate: chance.random_range(0..50),
                corrupt: chance.random_range(0..20),
                reorder: chance.random_range(0..20),
                delay: Duration::from_millis(chance.random_range(0..30)),
                jitter: Duration::from_millis(chance.random_range(0..10)),
                ..Conditions::default()
            }),
        }
        Ok(())
    }

    /// Starts a worker anew, on the same address.
    async fn replace(&mut self, place: usize, by_force: bool) -> anyhow::Result<()> {
        let worker = self.workers.remove(place);
        let plan = match by_force {
            true => worker.kill().await?,
            false => worker.stop().await?.1,
        };
        self.workers.insert(place, self.world.start(plan).await?);
        Ok(())
    }

    fn heal(&self) {
        for caller in &self.callers {
            caller.paths.iter().for_each(Relay::heal);
        }
    }
}

async fn call_somehow(node: &Node, desk: &Desk, target: Target) -> Outcome {
    let order = Order {
        timeout: Duration::from_millis(rand::random_range(20..1500)),
        wait_ready: rand::random(),
        bytes: if rand::random_ratio(1, 50) {
            100_000
        } else {
            100
        },
        ..Order::to(target)
    };
    let call = async {
        match rand::random_range(0..4) {
            0 => desk.linger(node, &order, rand::random_range(0..50)).await,
            1 => desk.look(node, &order).await,
            _ => desk.count(node, &order).await,
        }
    };
    let patience = Duration::from_millis(rand::random_range(0..20));
    match rand::random_ratio(1, 10) {
        true => timeout(patience, call).await.unwrap_or(Outcome::Abandoned),
        false => call.await,
    }
}

const IDS: [&str; 3] = ["syd-1", "syd-2", "syd-3"];
const SEED: u64 = 3;
/// How long it goes on, by default and in a soak.
const CHAOS: Duration = Duration::from_secs(20);
const SOAK: Duration = Duration::from_secs(600);
/// Calls of each caller when all is well again.
const AFTERWARDS: usize = 300;
/// Calls that are recorded.
const LEAST: usize = 5000;
