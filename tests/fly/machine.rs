//! What runs on a machine of the fake Fly: a node that is configured by its environment alone. It
//! does what the lines of its standard input say, and answers each.

use std::{io, time::Duration};

use anyhow::bail;
use fly_rpc::{Executed, Node, PeerState, Target, region_rpc};
use fly_rpc_tests::commands;
use tokio::time::interval;

/// Who answers.
#[region_rpc]
fn name() -> String {
    fly_rpc::node().map_or_else(String::new, |node| {
        format!("{} {}", node.id(), node.region())
    })
}

/// What only the primary answers.
#[region_rpc(@primary)]
fn write() -> String {
    name()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .try_init();
    let mut commands = commands();
    let node = Node::from_env()?.start().await?;
    println!("ready");
    while let Some(line) = commands.recv().await {
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "see" => see(&node, argument).await,
            "call" => {
                let called = name_on(Target::Node(argument.into())).wait_ready().await?;
                anyhow::ensure!(called.split(' ').next() == Some(argument), "{called}");
            }
            "in" => {
                let called = name_on_region(argument).await?;
                anyhow::ensure!(called.ends_with(argument), "{called}");
            }
            "write" => {
                write_on_primary().wait_ready().await?;
            }
            "cannot-write" => match write_on_primary().await {
                Err(error) if error.executed() == Executed::No => {}
                other => bail!("the primary is gone, and yet: {other:?}"),
            },
            "stop" => {
                node.shutdown().await;
                println!("done");
                return Ok(());
            }
            _ => bail!("{line:?} cannot be done"),
        }
        println!("done");
    }
    Ok(())
}

/// Waits until exactly these others are connected, and nobody else is only suspected to be gone.
async fn see(node: &Node, others: &str) {
    let mut look = interval(LOOK);
    let mut wanted: Vec<&str> = others.split(' ').collect();
    wanted.sort_unstable();
    loop {
        look.tick().await;
        let peers = node.peers().into_iter();
        let mut seen: Vec<String> = peers
            .filter(|peer| peer.state != PeerState::Connecting)
            .map(|peer| peer.id.to_string())
            .collect();
        seen.sort();
        if seen == wanted {
            return;
        }
    }
}

const LOOK: Duration = Duration::from_millis(20);
