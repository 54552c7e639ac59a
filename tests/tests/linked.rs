//! The program of `unlinked.rs`, with the one line that brings the functions of a crate back that nothing else mentions.

use fly_rpc::{Node, region_rpc};
use fly_rpc_tests::Cluster;
use fly_rpc_tests_apart as _;

#[region_rpc]
fn of_its_own() {}

#[tokio::test]
async fn functions_of_a_crate_that_is_mentioned_are_there() {
    let cluster = Cluster::new();
    let node = cluster.builder("syd-1", "syd").expect_functions(2);
    let node: Node = cluster.start(node).await;
    let mut names: Vec<String> = node.catalogue().into_iter().map(|one| one.name).collect();
    names.sort();
    assert_eq!(names, ["of_its_own", "set_apart"]);
}
