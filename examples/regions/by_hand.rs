//! One member, run by hand: says whom it sees and writes a post a second, until Ctrl-C.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::ensure;
use fly_rpc::Node;
use tokio::{signal::ctrl_c, time::interval};

use crate::{
    PRIMARY,
    functions::{Db, create_post_on_primary, member},
};

/// Runs this process as the member that the environment describes.
pub(crate) async fn run() -> anyhow::Result<()> {
    let node = member(Node::from_env()?, Db::open(":memory:")?)
        .start()
        .await?;
    let (id, region) = (node.id(), node.region());
    println!("{id} in {region}, the primary is {PRIMARY}; Ctrl-C to stop");

    let mut stop = pin!(ctrl_c());
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => report(&node).await,
            pressed = &mut stop => break pressed?,
        }
    }

    let report = node.shutdown().await;
    println!("{report}");
    ensure!(report.is_clean());
    Ok(())
}

/// Whom this member sees, and what came of a write.
async fn report(node: &Node) {
    for peer in node.peers() {
        let away = peer
            .round_trip
            .map_or_else(String::new, |time| format!(", {time:.1?} away"));
        println!("  {} in {} is {:?}{away}", peer.id, peer.region, peer.state);
    }
    let body = format!("hello from {}", node.region());
    let begin = Instant::now();
    match create_post_on_primary(&body).flatten().await {
        Ok(post) => println!("{post}, in {:.1?}", begin.elapsed()),
        Err(error) => println!("no post: {error} (did it run? {:?})", error.executed()),
    }
}
