//! A process of these tests: it starts a node, does what the lines of its standard input say, and answers each.

mod desk;
mod traffic;

use std::{env, path::Path, time::Duration};

use anyhow::bail;
use fly_rpc::{Node, NodeId, PeerState, Target};
use fly_rpc_tests::{commands, fleet::Build, history::Journal, variable};
use tokio::time::interval;

use desk::{Desk, Order};
use traffic::Traffic;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut commands = commands();
    let journal = Journal::create(
        Path::new(&variable("WORKER_JOURNAL")?),
        variable("WORKER_NUMBER")?.parse()?,
        Build::New,
    )?;
    let desk = Desk::new(journal);
    let node = Node::from_env()?.state(desk.clone());
    let node = match env::var("WORKER_DRAIN_MILLIS") {
        Ok(millis) => node.drain_timeout(Duration::from_millis(millis.parse()?)),
        Err(_unset) => node,
    };
    let node = node.start().await?;
    let mut traffic = Traffic::new();
    println!("{}", node.local_addr());
    while let Some(line) = commands.recv().await {
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "see" => see(&node, argument).await,
            "trade" => trade(&mut traffic, &desk, &node, argument.parse()?),
            "more" => traffic.more(argument.parse()?).await,
            "rest" => traffic.rest().await,
            "begin" => begin(&desk, argument.parse()?).await,
            "stop" => return stop(&node, &mut traffic).await,
            _ => bail!("{line:?} cannot be done"),
        }
        println!("done");
    }
    Ok(())
}

/// Waits until this node is connected to all of these others.
async fn see(node: &Node, others: &str) {
    let mut look = interval(LOOK);
    let is_seen = |other: NodeId| {
        let mut peers = node.peers().into_iter();
        peers.any(|peer| peer.id == other && peer.state == PeerState::Connected)
    };
    while !others.split(' ').map(NodeId::from).all(is_seen) {
        look.tick().await;
    }
}

/// Waits until so many calls were begun that take their time.
async fn begin(desk: &Desk, calls: usize) {
    let mut begun = desk.begun.subscribe();
    let enough = begun.wait_for(|begun| *begun >= calls).await;
    enough.expect("the desk lives as long as this process");
}

/// Starts so many callers of each function, to any other node.
fn trade(traffic: &mut Traffic, desk: &Desk, node: &Node, callers: usize) {
    let (at, from) = (node.clone(), desk.clone());
    traffic.add(callers, PACE, move || {
        let (node, desk) = (at.clone(), from.clone());
        async move { desk.count(&node, &Order::to(Target::Elsewhere)).await }
    });
    let (at, from) = (node.clone(), desk.clone());
    traffic.add(callers, PACE, move || {
        let (node, desk) = (at.clone(), from.clone());
        let order = Order {
            wait_ready: true,
            ..Order::to(Target::Elsewhere)
        };
        async move { desk.look(&node, &order).await }
    });
}

/// As a deploy does: the node drains while the process still makes calls of its own, then they end, then the node does.
async fn stop(node: &Node, traffic: &mut Traffic) -> anyhow::Result<()> {
    let report = node.drain().await;
    traffic.rest().await;
    node.shutdown().await;
    println!("{report}");
    Ok(())
}

/// How often the peers are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The time between two calls of one caller.
const PACE: Duration = Duration::from_millis(10);
