//! The life of one process: it starts a node, does what the lines of its standard input say, and answers each.

use std::{path::Path, time::Duration};

use anyhow::{bail, ensure};
use fly_rpc::{Node, PeerState};
use fly_rpc_tests::{commands, fleet::Build, history::Journal, variable};
use tokio::time::sleep;

use super::{shop::Shop, traffic::Traffic};

/// Runs a build that has so many functions, and makes, besides those of both builds, the calls of `trade`.
pub(crate) async fn run(
    build: Build,
    functions: usize,
    trade: fn(&mut Traffic),
) -> anyhow::Result<()> {
    let mut commands = commands();
    let journal = variable("ROLLOUT_JOURNAL")?;
    let shop = Shop::new(Journal::create(
        Path::new(&journal),
        variable("ROLLOUT_PROCESS")?.parse()?,
        build,
    )?);
    let node = Node::from_env()?
        .state(shop.clone())
        .expect_functions(functions)
        .start()
        .await?;
    let mut traffic: Option<Traffic> = None;
    println!("ready");
    while let Some(line) = commands.recv().await {
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match (command, &mut traffic) {
            ("see", _) => see(&node, argument).await,
            ("phase", running) => {
                shop.journal().enter(argument.parse()?);
                running.get_or_insert_with(|| {
                    let mut traffic = Traffic::start(shop.clone());
                    trade(&mut traffic);
                    traffic
                });
            }
            ("work", Some(traffic)) => traffic.work().await,
            ("rest", Some(traffic)) => traffic.rest().await,
            ("stop", Some(traffic)) => return stop(&node, traffic).await,
            _ => bail!("{line:?} cannot be done now"),
        }
        println!("done");
    }
    Ok(())
}

/// Waits until this node is connected to all of these others, in the builds that they are said to run, and knows of nobody else.
async fn see(node: &Node, everybody: &str) {
    let this = format!("{}=", node.id());
    let mut others: Vec<&str> = everybody
        .split(' ')
        .filter(|other| !other.starts_with(&this))
        .collect();
    others.sort_unstable();
    loop {
        let peers = node.peers();
        let connected = peers.iter().all(|peer| peer.state == PeerState::Connected);
        let seen: Vec<String> = peers
            .iter()
            .map(|peer| format!("{}={}", peer.id, peer.build))
            .collect();
        if connected && seen == others {
            return;
        }
        sleep(LOOK).await; // sleep: a peer's state changes without a word to the application
    }
}

/// As a deploy does: the node drains while the process still makes calls of its own, then they end, then the node does.
async fn stop(node: &Node, traffic: &mut Traffic) -> anyhow::Result<()> {
    let report = node.drain().await;
    traffic.rest().await;
    node.shutdown().await;
    ensure!(report.is_clean(), "{report}");
    println!("done");
    Ok(())
}

/// How often the peers are looked at.
const LOOK: Duration = Duration::from_millis(10);
