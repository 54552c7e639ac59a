//! Where a call goes, and what it says when there is nobody.

use std::time::Duration;

use fly_rpc::{Executed, NodeId, Region, RpcError, Stage, Target, call};
use fly_rpc_tests::{Cluster, Probe, SOON};

use crate::{
    functions::{
        only_in_the_primary_on_primary, upcase, upcase_on, upcase_on_primary, upcase_on_region,
        where_am_i_on, where_am_i_on_primary, where_am_i_on_region,
    },
    pair::{Pair, pair},
};

#[tokio::test]
async fn a_call_runs_where_its_target_says_and_gives_the_same_everywhere() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let region_of = |target: Target| where_am_i_on(target).via(hkg);
    assert_eq!(
        region_of(Target::Primary).await.expect("runs"),
        ("syd".into(), "hkg-1".into(), "hkg".into(), 1)
    );
    assert_eq!(
        region_of(Target::Region("hkg".into()))
            .await
            .expect("runs")
            .0,
        "hkg"
    );
    assert_eq!(
        region_of(Target::Node("syd-1".into()))
            .await
            .expect("runs")
            .0,
        "syd"
    );
    assert_eq!(region_of(Target::Any).await.expect("runs").0, "hkg");
    assert_eq!(region_of(Target::Elsewhere).await.expect("runs").0, "syd");
    assert_eq!(region_of(Target::Nearest).await.expect("runs").0, "syd");
    hkg.scope(async move {
        assert_eq!(upcase("fly"), "FLY");
        assert_eq!(upcase_on_primary("fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on_region("hkg", "fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on("@nearest", "fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on(syd.id(), "fly").await.expect("runs"), "FLY");
        assert_eq!(
            upcase_on(Region::from("syd"), "fly").await.expect("runs"),
            "FLY"
        );
    })
    .await;
}

#[tokio::test]
async fn selectors_are_the_stubs_they_stand_for() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let id = syd.id().clone();
    hkg.scope(async move {
        assert_eq!(call!(where_am_i() @primary).await.expect("runs").0, "syd");
        assert_eq!(
            call!(where_am_i() @region("hkg")).await.expect("runs").0,
            "hkg"
        );
        assert_eq!(call!(where_am_i() @node(id)).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @nearest).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @elsewhere).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @any).await.expect("runs").0, "hkg");
        assert_eq!(
            call!(where_am_i() @(Target::Primary))
                .await
                .expect("runs")
                .0,
            "syd"
        );
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    drop(only_in_the_primary_on_primary().via(hkg));
    assert_eq!(
        only_in_the_primary_on_primary()
            .via(hkg)
            .await
            .expect("runs"),
        0
    );
    assert_eq!(probe.runs(), 1);
}

#[tokio::test]
async fn a_bad_target_is_an_error_of_the_call_and_no_panic() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    for text in ["", "@nowhere", "@region(", "hong kong"] {
        let error = upcase_on(text, "x").via(hkg).await.expect_err("no target");
        assert!(
            matches!(&error, RpcError::BadTarget { text: shown } if shown == text),
            "{error}"
        );
    }
    let error = upcase_on_region("Hong Kong", "x")
        .via(hkg)
        .await
        .expect_err("no region");
    assert!(matches!(error, RpcError::BadTarget { .. }) && error.executed() == Executed::No);
}

#[tokio::test]
async fn an_unknown_region_is_answered_at_once_with_the_known_ones() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let Err(RpcError::NoNode {
        target,
        known_regions,
    }) = upcase_on_region("cdg", "x").via(hkg).await
    else {
        panic!("no such node")
    };
    assert_eq!(
        (target, known_regions),
        (
            Target::Region("cdg".into()),
            vec!["hkg".into(), "syd".into()]
        )
    );
    let absent = upcase_on(NodeId::from("nobody"), "x")
        .via(hkg)
        .await
        .expect_err("no such node");
    assert!(matches!(absent, RpcError::NoNode { .. }));
}

#[tokio::test]
async fn without_a_node_a_call_says_that_none_was_started() {
    let cluster = Cluster::new();
    let node = cluster
        .start(cluster.builder("a", "syd").state(Probe::new()))
        .await;
    node.shutdown().await;
    let error = upcase_on_primary("x")
        .via(&node)
        .await
        .expect_err("shut down");
    assert!(matches!(error, RpcError::NotStarted) && error.executed() == Executed::No);
}

#[tokio::test]
async fn a_call_that_waits_for_a_node_is_made_when_it_comes() {
    let cluster = Cluster::new();
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let waiting = tokio::spawn(
        upcase_on_primary("fly")
            .via(&hkg)
            .timeout(SOON)
            .wait_ready(),
    );
    let impatient = upcase_on_primary("fly")
        .via(&hkg)
        .timeout(Duration::from_millis(1))
        .wait_ready()
        .await
        .expect_err("nobody yet");
    assert!(
        matches!(
            impatient,
            RpcError::Timeout {
                stage: Stage::FindingNode
            }
        ) && impatient.executed() == Executed::No
    );
    cluster
        .start(cluster.builder("syd-1", "syd").state(Probe::new()))
        .await;
    assert_eq!(waiting.await.expect("no panic").expect("runs"), "FLY");
}

#[tokio::test]
async fn peers_show_who_is_there_and_what_they_serve() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let peers = hkg.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!(
        (peers[0].id.as_str(), peers[0].region.as_str()),
        ("syd-1", "syd")
    );
    assert_eq!(peers[0].address, syd.local_addr());
    assert_eq!(peers[0].functions, syd.catalogue());
    // Whatever the order in which the linker left them.
    let identities = peers[0].functions.iter();
    assert!(identities.is_sorted_by_key(|function| (&function.name, function.version)));
    assert!(
        peers[0]
            .functions
            .iter()
            .any(|function| function.contract == "upcase@1(text: str) -> str")
    );
    assert_eq!(hkg.region_nodes("syd"), [syd.id().clone()]);
    assert!(hkg.region_nodes("hkg").is_empty(), "it never lists itself");
}
