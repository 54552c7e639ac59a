//! What functions need beside their arguments: values that the node provides, borrowed or shared,
//! and checked before it starts.
//!
//! `cargo run --example state`

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{bail, ensure};
use fly_rpc::{Node, NodeBuilder, StartError, region_rpc};

struct Greeting(&'static str);

#[derive(Default)]
struct Visits(AtomicU64);

/// A state is found by its type and never travels: callers pass only the name.
#[region_rpc]
fn greet(#[state] greeting: &Greeting, name: &str) -> String {
    format!("{}, {name}", greeting.0)
}

/// `Arc<T>` is for what outlives the call: here a task of its own counts the visit.
#[region_rpc]
async fn visit(#[state] visits: Arc<Visits>) -> Option<u64> {
    let counting = tokio::spawn(async move { visits.0.fetch_add(1, Ordering::Relaxed) + 1 });
    counting.await.ok()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // What is missing is listed, all at once, before there is a first call that could fail for it.
    match in_region("syd").start().await {
        Err(error @ StartError::MissingStates(_)) => println!("refused, as it should be: {error}"),
        Err(error) => return Err(error.into()),
        Ok(_) => bail!("a node started without the states that its functions take"),
    }

    // Each node has values of its own.
    let syd = in_region("syd")
        .state(Greeting("G'day"))
        .state(Visits::default());
    let hkg = in_region("hkg")
        .state(Greeting("Nei hou"))
        .state(Visits::default());
    let (syd, hkg) = (syd.start().await?, hkg.start().await?);
    syd.wait_for("hkg", Duration::from_secs(5)).await?;

    let here = greet_on_region("syd", "Ada").await?; // in this very node, with no copy made
    let there = greet_on_region("hkg", "Ada").await?;
    println!("{here}! {there}!");
    ensure!(here == "G'day, Ada" && there == "Nei hou, Ada");

    let in_hkg = [visit_on_region("hkg").await?, visit_on_region("hkg").await?];
    let in_syd = [visit_on_region("syd").await?];
    println!("visits: {in_hkg:?} in hkg, {in_syd:?} in syd");
    ensure!(in_hkg == [Some(1), Some(2)] && in_syd == [Some(1)]);

    // Without a node, a state is what it looks like: an argument.
    ensure!(greet(&Greeting("Hello"), "Ada") == "Hello, Ada");

    hkg.shutdown().await;
    syd.shutdown().await;
    Ok(())
}

fn in_region(region: &str) -> NodeBuilder {
    let cluster = format!("state-{}", process::id()); // so that two runs at once do not meet
    Node::builder().cluster(cluster).region(region)
}
