//! What happens to a cluster, one after the other: it joins, rests, learns of a new build, and loses a
//! tenth of its nodes.

use std::{collections::BTreeMap, time::Duration};

use fly_rpc::{
    Node, NodeId, Target,
    bench::{catalogue_heard, resolution},
    testing::Network,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    figures::{Figures, Rates},
    world::{REGIONS, Sent, World, ask_on_region, has_given_up, knows, later_on, region},
};

/// Measures a cluster of so many nodes.
pub(crate) async fn measure(network: &Network, size: usize) -> Figures {
    let mut world = World::new(network, size);
    let mut figures = Figures {
        size,
        ..Figures::default()
    };
    let phase = Phase::begin(&world);
    world.start_all().await;
    let started = phase.began.elapsed();
    let known = world.until(LONGEST, |node| knows(node, size - 1)).await;
    figures.joined = known.map(|known| started + known);
    eprintln!("{size}: all know all after {:?}", figures.joined);
    figures.joining = phase.end(&world, JOINING).await;
    eprintln!("{size}: joining {:?}", figures.joining);

    let phase = Phase::begin(&world);
    figures.at_rest = phase.end(&world, REST).await;
    let connections: Vec<usize> = world.nodes().map(|node| node.stats().connections).collect();
    figures.connections.0 = connections.iter().sum::<usize>() as f64 / size as f64;
    figures.connections.1 = connections.into_iter().max().unwrap_or(0);
    figures.resolution = slowest_resolution(&world);

    figures.announced = announce(&mut world, size / 2).await;
    eprintln!(
        "{size}: all know of the new build after {:?}",
        figures.announced
    );
    sleep(BETWEEN).await;

    let phase = Phase::begin(&world);
    for number in (3..size).step_by(10) {
        world.kill(number);
    }
    let dead = world.dead();
    let living = size - dead.len();
    figures.buried = world
        .until(LONGEST, |node| {
            has_given_up(node, &dead) && knows_living(node, living - 1)
        })
        .await;
    eprintln!("{size}: the dead are gone after {:?}", figures.buried);
    figures.dying = phase.end(&world, DYING).await;
    figures.call = slowest_call(&world).await;
    figures
}

fn knows_living(node: &Node, others: usize) -> bool {
    node.stats().members == others
}

/// How long it takes from the start of another build on a machine until all know what it serves; and
/// that whoever wants the new function can call it then.
async fn announce(world: &mut World, number: usize) -> Option<Duration> {
    let id = world.machines[number].id.clone();
    let heard = |node: &Node| catalogue_heard(node, &id);
    let before: BTreeMap<NodeId, _> = world
        .nodes()
        .map(|node| (node.id().clone(), heard(node)))
        .collect();
    world.stop(number).await;
    let began = Instant::now();
    world.upgrade(number).await;
    let started = began.elapsed();
    let known = world
        .until(LONGEST, |node| {
            *node.id() == id || heard(node).is_some_and(|now| before[node.id()] != Some(now))
        })
        .await?;
    for node in world.nodes().step_by(world.machines.len().div_ceil(20)) {
        let call = later_on(Target::Elsewhere, 7).via(node);
        if *node.id() != id {
            assert_eq!(call.await.expect("one node has it"), 7);
        }
    }
    Some(started + known)
}

/// The most that a choice takes on average, of some nodes and targets.
fn slowest_resolution(world: &World) -> Option<Duration> {
    let targets = [Target::Primary, Target::Nearest, Target::Elsewhere];
    let nodes = world.nodes().step_by(world.machines.len().div_ceil(20));
    let times = nodes.flat_map(|node| {
        let own = Target::Region(node.region().clone());
        let targets = targets.iter().cloned().chain([own]);
        let time = |target| resolution(node, &target, ("ask", 1), CHOICES);
        targets.filter_map(time).collect::<Vec<_>>()
    });
    times.max()
}

/// The longest that a call takes, of some nodes into every region, most of which they are not
/// connected with.
async fn slowest_call(world: &World) -> Option<Duration> {
    let mut slowest = Duration::ZERO;
    for node in world.nodes().step_by(world.machines.len().div_ceil(20)) {
        for number in 0..REGIONS.min(world.machines.len()) {
            let began = Instant::now();
            let call = ask_on_region(region(number), 7).via(node);
            let answer = timeout(LONGEST, call).await.ok()?;
            if answer.is_err() && !world.nodes().any(|node| *node.region() == region(number)) {
                continue;
            }
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", node.id()));
            assert_eq!(answer, 7);
            slowest = slowest.max(began.elapsed());
        }
    }
    Some(slowest)
}

/// A stretch of time in which it is counted what nodes send.
struct Phase {
    began: Instant,
    sent: Sent,
}

impl Phase {
    fn begin(world: &World) -> Self {
        Self {
            began: Instant::now(),
            sent: world.sent(),
        }
    }

    /// Lets what is left of so much time pass, and counts.
    async fn end(self, world: &World, length: Duration) -> Rates {
        sleep(length.saturating_sub(self.began.elapsed())).await;
        let seconds = self.began.elapsed().as_secs_f64();
        let mut rates = Rates::default();
        let mut living = 0.0;
        for (machine, (before, now)) in world
            .machines
            .iter()
            .zip(self.sent.iter().zip(world.sent()))
        {
            if machine.node.is_none() {
                continue;
            }
            living += 1.0;
            let all = now.0.saturating_sub(before.0) as f64 / seconds;
            let gossip = now.1.saturating_sub(before.1) as f64 / seconds;
            rates.all.0 += all;
            rates.gossip.0 += gossip;
            rates.all.1 = rates.all.1.max(all);
            rates.gossip.1 = rates.gossip.1.max(gossip);
        }
        rates.all.0 /= living;
        rates.gossip.0 /= living;
        rates
    }
}

/// Beyond that it is given up.
const LONGEST: Duration = Duration::from_secs(60);
/// From the start of all; the limit for joining.
const JOINING: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(30);
/// Between the news of a build and the deaths.
const BETWEEN: Duration = Duration::from_secs(5);
const DYING: Duration = Duration::from_secs(20);
const CHOICES: u32 = 20_000;
