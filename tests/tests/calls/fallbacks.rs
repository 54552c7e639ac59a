//! Targets in order: when the next one is taken, and what nodes are said to be why.

use fly_rpc::{Executed, Reason, RpcError, Target, call};
use fly_rpc_tests::{Cluster, Peer, Probe};
use fly_rpc_transport::Status;

use crate::{
    functions::{nothing_on, where_am_i_on},
    pair::{Pair, pair},
};

#[tokio::test]
async fn the_first_target_that_has_somebody_is_taken() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    for (target, region) in [
        ("@region(hkg), @region(syd)", "hkg"),
        ("@region(cdg), @region(syd), @region(hkg)", "syd"),
        ("@region(cdg), @nearest", "syd"),
        ("@node(nobody), @elsewhere", "syd"),
        ("@primary, @nearest", "syd"),
        // This node, although it is not the first of them.
        ("@region(cdg), @region(hkg), @primary", "hkg"),
        ("@region(cdg), @any", "hkg"),
    ] {
        let ran = where_am_i_on(target).via(hkg).await.expect(target);
        assert_eq!(ran.0, region, "{target}");
    }
    let ran = hkg.scope(async { call!(where_am_i() @region("cdg"), @(syd.id()), @any).await });
    assert_eq!(ran.await.expect("runs").0, "syd");
}

#[tokio::test]
async fn a_fallback_is_taken_when_the_first_refuses_and_not_when_it_may_have_run() {
    let cluster = Cluster::new();
    let node = cluster.node_with_probe("hkg-1", "hkg").await;
    let peer = async |id: &str, status| Peer::join(&cluster, id, &node, status).await;
    let overloaded = peer("overloaded", Status::Overloaded).await;
    let draining = peer("draining", Status::Draining).await;
    let unknown = peer("unknown", Status::from_byte(200)).await;
    let sound = peer("sound", Status::Ok).await;
    for first in ["overloaded", "draining"] {
        let target = format!("@node({first}), @node(sound)");
        nothing_on(target).via(&node).await.expect("the other one");
    }
    assert_eq!(
        (overloaded.asked(), draining.asked(), sound.asked()),
        (1, 1, 2)
    );
    let error = nothing_on("@node(unknown), @node(sound)").via(&node).await;
    assert_eq!(error.expect_err("lost").executed(), Executed::Unknown);
    assert_eq!((unknown.asked(), sound.asked()), (1, 2));
    // All of them refuse: the last word is theirs.
    let error = nothing_on("@node(overloaded), @region(nowhere)")
        .via(&node)
        .await;
    assert!(matches!(error, Err(RpcError::Overloaded)), "{error:?}");
}

#[tokio::test]
async fn with_nobody_anywhere_the_error_names_the_whole_target() {
    let pair = pair().await;
    let error = where_am_i_on("@region(cdg), @region(fra)")
        .via(&pair.hkg)
        .await;
    let Err(RpcError::NoNode { target, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(target.to_string(), "@region(cdg), @region(fra)");
    let error = where_am_i_on(Target::first_of(["@any", "hong kong"]))
        .via(&pair.hkg)
        .await;
    assert!(matches!(error, Err(RpcError::BadTarget { text }) if text == "hong kong"));
}

#[tokio::test]
async fn an_explanation_says_of_every_node_why() {
    let pair = pair().await;
    let old = pair
        .cluster
        .builder("hkg-2", "hkg")
        .hide_function("where_am_i", 1);
    let old = pair.cluster.start(old.state(Probe::new())).await;
    let cdg = pair.cluster.node_with_probe("cdg-1", "cdg").await;
    let why = |target: &str, function: &str| {
        let explanation = pair.syd.explain(target, function);
        println!("{explanation}");
        let reasons = explanation.nodes.iter().map(|node| node.reason.clone());
        let chosen = explanation.chosen.as_ref().map(ToString::to_string);
        (chosen, reasons.collect::<Vec<Reason>>())
    };
    // syd-1 first, which asks; then cdg-1, hkg-1 and hkg-2.
    let not_offered = Reason::NotOffered {
        offered: Vec::new(),
    };
    let (chosen, reasons) = why("@region(hkg), @nearest", "where_am_i");
    assert_eq!(chosen.as_deref(), Some("hkg-1"));
    assert_eq!(
        reasons,
        [
            Reason::NotOfTarget,
            Reason::LaterTarget,
            Reason::Chosen,
            not_offered.clone()
        ]
    );
    let (chosen, reasons) = why("@primary", "where_am_i@1");
    assert_eq!(chosen.as_deref(), Some("syd-1"));
    assert_eq!(reasons[0], Reason::Chosen);
    let (chosen, reasons) = why("@any", "where_am_i@9");
    assert_eq!(chosen, None);
    assert_eq!(reasons[1], Reason::NotOffered { offered: vec![1] });
    assert_eq!(reasons[3], not_offered);
    cdg.drain().await;
    let drained = async {
        while !why("@region(cdg)", "where_am_i")
            .1
            .contains(&Reason::Draining)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(fly_rpc_tests::SOON, drained)
        .await
        .expect("the news arrives");
    drop(old);
}
