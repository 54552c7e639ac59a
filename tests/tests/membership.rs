//! Nodes that know of each other by gossip, and not by being told.

use std::{collections::BTreeSet, time::Duration};

use fly_rpc::{Executed, Node, NodeBuilder, PeerState, Reason, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, SOON};
use tokio::time::Instant;

#[region_rpc]
fn twice(number: u32) -> u32 {
    number * 2
}

/// A node that is told of the first one only.
async fn start(
    cluster: &Cluster,
    number: usize,
    region: &str,
    change: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Node {
    let builder = cluster.builder(&format!("n{number}"), region);
    let first = cluster.addresses().into_iter().take(1);
    let builder = change(builder.gossip(true).peers(first));
    if number == 0 {
        cluster.start(builder).await
    } else {
        builder.start().await.expect("a sound configuration")
    }
}

async fn fleet(cluster: &Cluster, size: usize, regions: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..size {
        let region = format!("r{}", number % regions);
        nodes.push(start(cluster, number, &region, |builder| builder).await);
    }
    nodes
}

/// Waits until `condition` holds for what `node` knows.
async fn until(node: &Node, condition: impl Fn(&Node) -> bool) {
    let begun = Instant::now();
    while !condition(node) {
        assert!(
            begun.elapsed() < SOON,
            "{} knows {:#?}",
            node.id(),
            node.peers()
        );
        tokio::time::sleep(Duration::from_millis(20)).await; // sleep: what is known is looked at until it is so
    }
}

fn knows_all(size: usize) -> impl Fn(&Node) -> bool {
    move |node| node.peers().len() == size - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_told_of_one_knows_and_calls_them_all() {
    let cluster = Cluster::new();
    let nodes = fleet(&cluster, 6, 3).await;
    for node in &nodes {
        until(node, knows_all(6)).await;
        for other in nodes.iter().filter(|other| other.id() != node.id()) {
            let target = format!("@node({})", other.id());
            assert_eq!(
                twice_on(target.as_str(), 21)
                    .via(node)
                    .await
                    .expect("served"),
                42
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_large_cluster_not_everybody_is_connected_and_everybody_can_be_called() {
    const SIZE: usize = 40;
    let cluster = Cluster::new();
    let nodes = fleet(&cluster, SIZE, 10).await;
    for node in &nodes {
        until(node, knows_all(SIZE)).await;
    }
    let regions: BTreeSet<String> = nodes[7]
        .peers()
        .into_iter()
        .map(|peer| peer.region.to_string())
        .collect();
    assert_eq!(regions.len(), 10);
    // The one in the middle, whom everybody dialled at first, included: those who know of others let
    // the connection go.
    for node in &nodes {
        until(node, |node| node.stats().connections <= 30).await;
    }
    let caller = &nodes[SIZE - 1];
    for other in &nodes[..SIZE - 1] {
        let target = format!("@node({})", other.id());
        // Most of them are not connected: they would be, for this call.
        let explained = caller.explain(target.as_str(), "twice");
        assert_eq!(explained.chosen.as_ref(), Some(other.id()), "{explained}");
        assert_eq!(
            twice_on(target.as_str(), 4)
                .via(caller)
                .await
                .expect("served"),
            8
        );
    }
    for region in regions {
        assert_eq!(
            twice_on_region(region, 4)
                .via(caller)
                .await
                .expect("served"),
            8
        );
    }
    // What nobody needs is given up again.
    until(caller, |node| node.stats().connections <= 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lacks_the_function_is_passed_over_even_if_it_is_not_connected() {
    let cluster = Cluster::new();
    let mut nodes = fleet(&cluster, 20, 4).await;
    for number in 20..23 {
        let old = |builder: NodeBuilder| builder.hide_function("twice", 1);
        nodes.push(start(&cluster, number, "old", old).await);
    }
    until(&nodes[3], knows_all(23)).await;
    let explained = nodes[3].explain("@region(old)", "twice");
    for old in ["n20", "n21", "n22"] {
        let considered = explained
            .nodes
            .iter()
            .find(|node| node.node.as_str() == old);
        let reason = considered.map(|considered| &considered.reason);
        // Of those who are not connected it is known if one that is serves the same; if none is, one of
        // them is dialled to find out.
        let found_out = Reason::NotOffered { offered: vec![] };
        let known = [&found_out, &Reason::NotConnected, &Reason::Chosen];
        assert!(
            reason.is_some_and(|reason| known.contains(&reason)),
            "{explained}"
        );
    }
    let other = explained
        .nodes
        .iter()
        .find(|node| node.region == "r1".into());
    assert_eq!(other.map(|other| &other.reason), Some(&Reason::NotOfTarget));
    let error = twice_on_region("old", 1)
        .via(&nodes[3])
        .await
        .expect_err("nobody there has it");
    assert!(
        matches!(error, RpcError::FunctionUnavailable { .. }) && error.executed() == Executed::No,
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_forgotten_at_once_and_who_is_not_there_gets_no_call() {
    let cluster = Cluster::new();
    let nodes = fleet(&cluster, 5, 5).await;
    for node in &nodes {
        until(node, knows_all(5)).await;
    }
    let left = Instant::now();
    nodes[4].shutdown().await;
    for node in &nodes[..4] {
        until(node, |node| {
            node.peers()
                .iter()
                .all(|peer| peer.id.as_str() != "n4" || peer.state != PeerState::Connected)
        })
        .await;
        until(node, |node| node.region_nodes("r4").is_empty()).await;
    }
    assert!(
        left.elapsed() < Duration::from_secs(5),
        "{:?}",
        left.elapsed()
    );
    let error = twice_on_region("r4", 1)
        .via(&nodes[1])
        .await
        .expect_err("gone");
    assert_eq!(error.executed(), Executed::No);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_node_sees_the_primary_is_known_also_of_those_who_are_not_connected() {
    const SIZE: usize = 24;
    let cluster = Cluster::new();
    let nodes = fleet(&cluster, SIZE, 6).await;
    for node in &nodes {
        until(node, knows_all(SIZE)).await;
    }
    nodes[5]
        .set_primary_region("r4")
        .expect("a region, and a word");
    for node in &nodes {
        until(node, |node| {
            *node.primary_region() == "r4".into()
                && node
                    .peers()
                    .iter()
                    .all(|peer| peer.primary_region == "r4".into())
        })
        .await;
    }
    assert!(
        nodes[9]
            .peers()
            .iter()
            .any(|peer| peer.state == PeerState::Known)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_gossip_works_with_those_who_have_it() {
    let cluster = Cluster::new();
    let mut nodes = fleet(&cluster, 3, 3).await;
    let quiet = start(&cluster, 3, "r3", |builder| builder.gossip(false)).await;
    nodes.push(quiet.clone());
    until(&nodes[0], knows_all(4)).await;
    // It was told of the first one, and of nobody else; nobody else heard of it.
    until(&quiet, |node| node.peers().len() == 1).await;
    assert_eq!(
        twice_on("@node(n0)", 4).via(&quiet).await.expect("served"),
        8
    );
    assert_eq!(
        twice_on("@node(n3)", 4)
            .via(&nodes[0])
            .await
            .expect("served"),
        8
    );
}
