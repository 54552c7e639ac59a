//! A program that depends on a crate with a function and does not mention it: the crate is not linked, and its function is
//! absent without a word, unless the program says how many it expects. `linked.rs` is the same program with one line more.

use fly_rpc::{Node, StartError, region_rpc};
use fly_rpc_tests::Cluster;

#[region_rpc]
fn of_its_own() {}

#[tokio::test]
async fn functions_of_a_crate_that_is_not_mentioned_are_absent_and_missed_only_by_who_counts() {
    let cluster = Cluster::new();
    let node: Node = cluster.node("syd-1", "syd").await;
    let names: Vec<String> = node.catalogue().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["of_its_own"]);

    let counting = cluster.builder("syd-2", "syd").expect_functions(2);
    let error = counting.start().await.expect_err("one is missing");
    let StartError::FunctionCount {
        expected: 2,
        found: 1,
        names,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(names, &["of_its_own@1"]);
    assert!(error.to_string().contains("use that_crate as _;"));
}
