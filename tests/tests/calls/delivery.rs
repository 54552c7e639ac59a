//! Refusals, drains and retries: whether the function ran, and how often.

use std::time::Duration;

use fly_rpc::{Executed, Limits, RpcError};
use fly_rpc_tests::{Cluster, Probe, SOON};

use crate::{
    functions::{
        at_least_once_on_primary, only_in_the_primary_on_primary, upcase_on, upcase_on_primary,
        wait_at_the_gate_on, wait_at_the_gate_on_primary,
    },
    pair::{Pair, WaitForDraining, pair},
};

#[tokio::test]
async fn beyond_its_permits_a_node_refuses_at_once_and_recovers() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let mut limits = Limits::default();
    limits.handlers_per_peer = 3;
    cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(probe.clone())
                .limits(limits),
        )
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running: Vec<_> = (0..3)
        .map(|_| tokio::spawn(wait_at_the_gate_on_primary().via(&hkg)))
        .collect();
    for _ in 0..3 {
        assert_eq!(probe.told().await, "started");
    }
    let error = wait_at_the_gate_on_primary()
        .via(&hkg)
        .await
        .expect_err("all permits are taken");
    assert!(matches!(error, RpcError::Overloaded) && error.executed() == Executed::No);
    probe.open(3);
    for call in running {
        call.await.expect("no panic").expect("runs");
    }
    assert_eq!(
        upcase_on_primary("room")
            .via(&hkg)
            .await
            .expect("permits came back"),
        "ROOM"
    );
    assert_eq!(probe.runs(), 3);
}

#[tokio::test]
async fn a_call_that_five_nodes_refused_is_not_sent_to_a_sixth() {
    let cluster = Cluster::new();
    let mut full = Limits::default();
    full.handlers_per_peer = 0;
    for index in 0..6 {
        let node = cluster.builder(&format!("syd-{index}"), "syd");
        cluster
            .start(node.state(Probe::new()).limits(full.clone()))
            .await;
    }
    let five = cluster.builder("five", "hkg").state(Probe::new());
    let five = cluster.start(five).await;
    let mut limits = Limits::default();
    limits.attempts = 7;
    let seven = cluster.builder("seven", "hkg").state(Probe::new());
    let seven = cluster.start(seven.limits(limits)).await;
    let last = cluster.builder("syd-6", "syd").state(Probe::new());
    cluster.start(last).await;
    let mut refused = 0;
    for _ in 0..100 {
        let outcome = upcase_on_primary("x").via(&seven).await;
        assert_eq!(outcome.expect("the seventh serves"), "X");
        match upcase_on_primary("x").via(&five).await {
            Ok(_) => {}
            Err(RpcError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        refused > 0,
        "by chance the one that serves was among five each time"
    );
}

#[tokio::test]
async fn a_draining_node_finishes_what_it_has_and_others_take_the_rest() {
    let Pair {
        syd,
        hkg,
        probe,
        cluster,
    } = pair().await;
    let second = Probe::new();
    cluster
        .start(cluster.builder("syd-2", "syd").state(second.clone()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on(syd.id()).via(&hkg));
    assert_eq!(probe.told().await, "started");
    let draining = tokio::spawn({
        let syd = syd.clone();
        async move { syd.drain().await }
    });
    hkg.wait_for_draining(&syd).await;
    for _ in 0..20 {
        only_in_the_primary_on_primary()
            .via(&hkg)
            .await
            .expect("the other node serves it");
    }
    assert_eq!((probe.runs(), second.runs()), (1, 20));
    let error = upcase_on(syd.id(), "x")
        .via(&hkg)
        .await
        .expect_err("it takes no new calls");
    assert!(
        matches!(error, RpcError::Draining) && error.executed() == Executed::No,
        "{error}"
    );
    probe.open(1);
    assert_eq!(running.await.expect("no panic").expect("finished"), 0);
    assert!(draining.await.expect("no panic").is_clean());
}

#[tokio::test]
async fn a_handler_that_outlives_the_drain_is_reported_and_its_caller_told_that_nobody_knows() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let syd = cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(probe.clone())
                .drain_timeout(Duration::from_millis(50)),
        )
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let report = syd.shutdown().await;
    assert_eq!(report.cut.len(), 1);
    assert_eq!(
        (report.cut[0].function.as_str(), report.cut[0].running),
        ("wait_at_the_gate", 1)
    );
    let error = running.await.expect("no panic").expect_err("cut");
    assert!(
        matches!(error, RpcError::ConnectionLost { .. }) && error.executed() == Executed::Unknown,
        "{error}"
    );
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn an_idempotent_call_is_made_again_when_nobody_knows_and_another_is_not() {
    for (idempotent, expected) in [(true, Executed::Yes), (false, Executed::Unknown)] {
        let cluster = Cluster::new();
        let (first, second) = (Probe::new(), Probe::new());
        let brief = Duration::from_millis(1);
        let syd = cluster
            .start(
                cluster
                    .builder("syd-1", "syd")
                    .state(first.clone())
                    .drain_timeout(brief),
            )
            .await;
        let hkg = cluster
            .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
            .await;
        let call = if idempotent {
            at_least_once_on_primary()
        } else {
            wait_at_the_gate_on_primary()
        };
        let call = tokio::spawn(call.via(&hkg).timeout(SOON));
        assert_eq!(first.told().await, "started");
        cluster
            .start(cluster.builder("syd-2", "syd").state(second.clone()))
            .await;
        second.open(1);
        syd.shutdown().await;
        let outcome = call.await.expect("no panic");
        let executed = outcome
            .as_ref()
            .map_or_else(RpcError::executed, |_| Executed::Yes);
        assert_eq!(
            (executed, second.runs()),
            (expected, usize::from(idempotent)),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_retry_that_is_refused_does_not_hide_that_the_first_attempt_may_have_run() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let first = cluster
        .builder("syd-1", "syd")
        .state(probe.clone())
        .drain_timeout(Duration::from_millis(1));
    let first = cluster.start(first).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = tokio::spawn(at_least_once_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let mut limits = Limits::default();
    limits.handlers_per_peer = 0;
    let full = cluster
        .builder("syd-2", "syd")
        .state(Probe::new())
        .limits(limits);
    cluster.start(full).await;
    first.shutdown().await;
    let error = call
        .await
        .expect("no panic")
        .expect_err("the second node refuses");
    assert_eq!(error.executed(), Executed::Unknown, "{error}");
}
