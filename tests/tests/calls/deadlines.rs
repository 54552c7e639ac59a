//! Deadlines: what they end, and what a handler inherits.

use std::time::Duration;

use fly_rpc::{Executed, RpcError, Stage};

use crate::{
    functions::{
        remaining_after_a_nested_call_on_primary, upcase_on_primary, wait_at_the_gate_on_primary,
    },
    pair::{Pair, pair},
};

#[tokio::test]
async fn a_deadline_that_passes_before_the_answer_leaves_the_outcome_unknown_and_drops_the_handler()
{
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    let error = wait_at_the_gate_on_primary()
        .via(hkg)
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("too slow");
    assert!(
        matches!(
            error,
            RpcError::Timeout {
                stage: Stage::Answer
            }
        ) && error.executed() == Executed::Unknown,
        "{error}"
    );
    assert_eq!(probe.told().await, "started");
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn the_same_holds_for_a_call_that_stays_here() {
    let pair = pair().await;
    let Pair { syd, probe, .. } = &pair;
    let error = wait_at_the_gate_on_primary()
        .via(syd)
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("too slow");
    assert_eq!(error.executed(), Executed::Unknown);
    assert_eq!(probe.told().await, "started");
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn nested_calls_inherit_what_is_left_of_the_deadline() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let seen = remaining_after_a_nested_call_on_primary(4)
        .via(hkg)
        .timeout(Duration::from_secs(3))
        .await
        .expect("runs");
    assert_eq!(seen.len(), 5);
    assert!(seen.windows(2).all(|pair| pair[1] <= pair[0]), "{seen:?}");
    assert!(
        seen.iter().all(|&left| left > 0 && left < 3_000),
        "inherited, not the default of 5 s: {seen:?}"
    );
    let none_left = upcase_on_primary("x")
        .via(hkg)
        .timeout(Duration::ZERO)
        .await
        .expect_err("no time");
    assert_eq!(none_left.executed(), Executed::No, "{none_left}");
    assert_eq!(
        upcase_on_primary("x")
            .via(hkg)
            .timeout(Duration::MAX)
            .await
            .expect("clamped"),
        "X"
    );
}
