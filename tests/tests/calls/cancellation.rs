//! Calls that are given up: what becomes of their handlers and permits.

use std::time::Duration;

use fly_rpc::Executed;

use crate::{
    functions::{wait_at_the_gate_on_primary, wait_detached_on_primary},
    pair::{Pair, pair},
};

#[tokio::test]
async fn dropping_a_call_drops_its_handler_and_returns_its_permit() {
    let Pair {
        hkg, probe, syd, ..
    } = pair().await;
    for _ in 0..50 {
        let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg));
        assert_eq!(probe.told().await, "started");
        call.abort();
        assert_eq!(probe.told().await, "dropped");
    }
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
