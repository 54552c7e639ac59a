//! A roll-out: two builds in one cluster, a call that only the new one understands, and the moment
//! after which everybody does.
//!
//! `cargo run --example versions`
//!
//! Both builds are this program. The old one is a node that hides the new version, which is also
//! how to test a roll-out of one's own.

use std::{process, time::Duration};

use anyhow::{bail, ensure};
use fly_rpc::{Executed, Node, NodeBuilder, RpcError, region_rpc};

/// New in this build: the volume.
#[region_rpc(version = 2)]
fn greet(name: &str, loud: bool) -> String {
    let mark = if loud { "!" } else { "" };
    format!("hello {name}{mark}")
}

/// What the previous build serves and calls, kept until the roll-out is over.
#[region_rpc(name = "greet", version = 1)]
fn greet_v1(name: &str) -> String {
    greet(name, false)
}

/// A call in the midst of a roll-out: the new version where there is one, else the older. At most
/// one of the two runs.
async fn greet_in_syd() -> Result<String, RpcError> {
    let older = greet_v1_on_region("syd", "Ada");
    greet_on_region("syd", "Ada", true).or_older(older).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The first node of a process is the one that its calls go through.
    let new = in_region("lax").start().await?;
    let old = in_region("syd").hide_function("greet", 2).start().await?;
    new.wait_for("syd", Duration::from_secs(5)).await?;

    // What each node serves is known before anything is sent.
    let peers = new.peers();
    let functions = peers.iter().flat_map(|peer| &peer.functions);
    let served: Vec<&str> = functions
        .map(|function| function.contract.as_str())
        .collect();
    println!("the old build serves {served:?}");
    ensure!(served == ["greet@1(name: str) -> str"]);

    // The new version, asked of the old build: refused, and nothing ran.
    let Err(error) = greet_on_region("syd", "Ada", true).await else {
        bail!("the old build served what it does not have")
    };
    println!("the new build is told: {error}");
    ensure!(error.executed() == Executed::No);
    ensure!(matches!(error, RpcError::FunctionUnavailable { offered, .. } if offered == [1]));

    let greeting = greet_in_syd().await?;
    println!("so it asks for the older version: {greeting}");
    ensure!(greeting == "hello Ada");

    // The other way round there is nothing to do: the new build serves what the old one calls.
    let greeting = greet_v1_on_region("lax", "Ada").via(&old).await?;
    ensure!(greeting == "hello Ada");

    // The roll-out reaches syd: the old node drains, a new one takes its place, and the same code
    // gets the new version.
    old.shutdown().await;
    let replacement = in_region("syd").start().await?;
    new.wait_for("syd", Duration::from_secs(5)).await?;
    let greeting = greet_in_syd().await?;
    println!("after the roll-out: {greeting}");
    ensure!(greeting == "hello Ada!");

    replacement.shutdown().await;
    new.shutdown().await;
    Ok(())
}

fn in_region(region: &str) -> NodeBuilder {
    let cluster = format!("versions-{}", process::id()); // so that two runs at once do not meet
    Node::builder().cluster(cluster).region(region)
}
