//! Calls that are given up: what becomes of their handlers and permits.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use fly_rpc::{Executed, Limits, RpcError};
use fly_rpc_tests::{Cluster, Probe, SOON};

use crate::{
    functions::{
        only_in_the_primary_on_primary, upcase_on_primary, wait_at_the_gate_on_primary,
        wait_detached_on_primary,
    },
    pair::{Pair, pair},
};

/// Polls a future so many times, one turn of the runtime after the other, and drops it.
async fn polled(future: impl Future, times: u32) {
    let mut future = pin!(future);
    for _ in 0..times {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_in_the_queue_is_never_sent() {
    let pair = pair().await;
    let hkg = &pair.hkg;
    upcase_on_primary("x")
        .via(hkg)
        .await
        .expect("there is a lane");
    for _ in 0..50 {
        // No other task of this runtime has had a turn between the poll and the drop.
        let mut call = pin!(only_in_the_primary_on_primary().via(hkg));
        let is_over = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
        assert!(!is_over);
    }
    let call = only_in_the_primary_on_primary().via(hkg);
    assert_eq!(call.await.expect("runs"), 0, "one of those before it ran");
}

#[tokio::test]
async fn a_call_that_is_dropped_at_any_turn_leaves_no_handler_and_no_permit() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for times in 0..200 {
        // Before it is sent, on the way, while the handler waits.
        polled(wait_at_the_gate_on_primary().via(&hkg), times % 20).await;
        // On the way back, and answered.
        polled(upcase_on_primary("x").via(&hkg), times % 20).await;
    }
    let report = syd.drain().await;
    assert!(report.is_clean(), "{report}");
    let begun = probe.runs();
    assert!(begun > 20, "{begun} of 200 began");
    for _ in 0..begun {
        assert_eq!(probe.told().await, "started");
        assert_eq!(probe.told().await, "dropped");
    }
}

#[tokio::test]
async fn dropping_a_call_drops_its_handler_and_returns_its_permit() {
    let Pair {
        hkg, probe, syd, ..
    } = pair().await;
    let mut took = Vec::new();
    for _ in 0..50 {
        let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg));
        assert_eq!(probe.told().await, "started");
        let begun = Instant::now();
        call.abort();
        assert_eq!(probe.told().await, "dropped");
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    eprintln!(
        "handlers dropped after {:.1?}, {:.1?} at most",
        took[25], took[49]
    );
    assert!(syd.drain().await.is_clean());
}

#[tokio::test]
async fn a_detached_function_ends_although_nobody_waits() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for node in [&hkg, &syd] {
        let error = wait_detached_on_primary("w")
            .via(node)
            .timeout(Duration::from_millis(50))
            .await
            .expect_err("too slow");
        assert_eq!(error.executed(), Executed::Unknown);
        assert_eq!(probe.told().await, "started");
        probe.open(1);
        assert_eq!(probe.told().await, "ended");
        probe.open(1);
        assert_eq!(
            wait_detached_on_primary("w").via(node).await.expect("runs"),
            "w"
        );
        assert_eq!(
            [probe.told().await, probe.told().await],
            ["started", "ended"]
        );
    }
}

#[tokio::test]
async fn a_detached_function_keeps_its_permit_to_its_end() {
    let (cluster, probe) = (Cluster::new(), Probe::new());
    let mut limits = Limits::default();
    limits.handlers_per_peer = 1;
    let syd = cluster.builder("syd-1", "syd").state(probe.clone());
    cluster.start(syd.limits(limits)).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = tokio::spawn(wait_detached_on_primary("w").via(&hkg));
    assert_eq!(probe.told().await, "started");
    call.abort();
    let refused = upcase_on_primary("x").via(&hkg).await;
    assert!(matches!(refused, Err(RpcError::Overloaded)), "{refused:?}");
    probe.open(1);
    assert_eq!(probe.told().await, "ended");
    let free = async {
        while upcase_on_primary("x").via(&hkg).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, free)
        .await
        .expect("its permit comes back");
}
