//! Versions, contracts and pins: what is refused before anything runs, and what takes over.

use fly_rpc::{Executed, RpcError};
use fly_rpc_tests::{Cluster, Probe};

use crate::{
    functions::{
        greet_on_primary, greet_on_region, greet_twice_on_primary, greet_twice_on_region,
        only_in_the_primary_on_primary, wait_at_the_gate_on,
    },
    pair::{Pair, WaitForDraining, pair},
};

#[tokio::test]
async fn a_version_that_nobody_has_is_known_before_anything_is_sent() {
    let cluster = Cluster::new();
    let old = cluster
        .start(
            cluster
                .builder("old", "syd")
                .state(Probe::new())
                .hide_function("greet", 2),
        )
        .await;
    let new = cluster
        .start(cluster.builder("new", "hkg").state(Probe::new()))
        .await;
    let error = greet_twice_on_primary("you", 2)
        .via(&new)
        .await
        .expect_err("only version 1 is there");
    let RpcError::FunctionUnavailable {
        function,
        version,
        offered,
        nodes_checked,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (
            function.as_str(),
            *version,
            offered.as_slice(),
            *nodes_checked
        ),
        ("greet", 2, &[1][..], 1)
    );
    assert_eq!(new.peers()[0].requests_sent, 0, "nothing was sent for it");
    assert_eq!(error.executed(), Executed::No);
    let with_fallback = greet_twice_on_primary("you", 2).or_older(greet_on_primary("you"));
    assert_eq!(
        with_fallback.via(&new).await.expect("the older one"),
        "hello you"
    );
    let served_here = greet_twice_on_region("hkg", "you", 2)
        .or_older(greet_on_region("hkg", "you"))
        .via(&new);
    assert_eq!(served_here.await.expect("the newer one"), "hello you 2");
    assert!(
        old.catalogue()
            .iter()
            .all(|function| (function.name.as_str(), function.version) != ("greet", 2))
    );
}

#[tokio::test]
async fn a_pinned_call_to_a_node_that_sees_the_primary_elsewhere_is_refused_unrun() {
    let pair = pair().await;
    let Pair { probe, cluster, .. } = &pair;
    let confused = cluster
        .start(
            cluster
                .builder("lax-1", "lax")
                .state(Probe::new())
                .primary_region("hkg"),
        )
        .await;
    let error = only_in_the_primary_on_primary()
        .via(&confused)
        .await
        .expect_err("hkg is not the primary");
    let RpcError::WrongRegion {
        node,
        region,
        primary,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (node.as_str(), region.as_str(), primary.as_str()),
        ("hkg-1", "hkg", "syd")
    );
    assert_eq!((error.executed(), probe.runs()), (Executed::No, 0));
}

#[tokio::test]
async fn an_older_version_takes_over_while_the_newer_one_s_node_drains() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let new = cluster
        .start(cluster.builder("new", "syd").state(probe.clone()))
        .await;
    let old = cluster
        .builder("old", "syd")
        .state(Probe::new())
        .hide_function("greet", 2);
    cluster.start(old).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on(new.id()).via(&hkg));
    assert_eq!(probe.told().await, "started");
    let draining = tokio::spawn({
        let new = new.clone();
        async move { new.drain().await }
    });
    hkg.wait_for_draining(&new).await;
    for patient in [false, true] {
        let newer = greet_twice_on_primary("you", 2)
            .or_older(greet_on_primary("you"))
            .via(&hkg);
        let newer = if patient { newer.wait_ready() } else { newer };
        assert_eq!(newer.await.expect("the older one"), "hello you");
    }
    probe.open(1);
    running.await.expect("no panic").expect("finished");
    draining.await.expect("no panic");
}
