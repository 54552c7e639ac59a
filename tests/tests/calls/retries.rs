//! What is asked again, how often, and what never is. The other nodes here are peers that never run anything.

use std::time::{Duration, Instant};

use fly_rpc::{Executed, Limits, Node, RpcError};
use fly_rpc_tests::{Cluster, Peer, Probe};
use fly_rpc_transport::Status;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use crate::functions::{nothing_again_on, nothing_on};

/// A node, and peers in `cdg` that answer with these statuses.
async fn among(cluster: &Cluster, statuses: &[Status]) -> (Node, Vec<Peer>) {
    let mut limits = Limits::default();
    // As many as there are peers: what ends a call is to be something else.
    limits.attempts = statuses.len() as u32;
    let node = cluster.builder("hkg-1", "hkg").limits(limits);
    let node = cluster.start(node.state(Probe::new())).await;
    let mut peers = Vec::new();
    for (index, status) in statuses.iter().enumerate() {
        peers.push(Peer::join(cluster, &format!("peer-{index}"), &node, *status).await);
    }
    (node, peers)
}

fn asked(peers: &[Peer]) -> usize {
    peers.iter().map(Peer::asked).sum()
}

/// Nobody knows whether it ran: a status that only a newer build has.
fn unknown() -> Status {
    Status::from_byte(200)
}

#[tokio::test]
async fn what_one_node_refuses_another_one_does() {
    let cluster = Cluster::new();
    let statuses = [Status::Overloaded, Status::Draining, Status::Ok];
    let (node, peers) = among(&cluster, &statuses).await;
    for _ in 0..CALLS {
        nothing_on("cdg")
            .via(&node)
            .await
            .expect("one of them does it");
    }
    assert_eq!(peers[2].asked(), CALLS);
    let refused = asked(&peers[..2]);
    assert!((CALLS / 10..=2 * CALLS).contains(&refused), "{refused}");
}

#[tokio::test]
async fn what_may_have_run_is_never_asked_again_unless_it_is_idempotent() {
    let cluster = Cluster::new();
    let (node, peers) = among(&cluster, &[unknown(), unknown(), unknown()]).await;
    for _ in 0..CALLS {
        let error = nothing_on("cdg").via(&node).await.expect_err("no answer");
        assert_eq!(error.executed(), Executed::Unknown);
    }
    assert_eq!(asked(&peers), CALLS);
}

#[tokio::test]
async fn a_storm_of_failures_is_retried_for_a_fifth_of_the_calls_and_ten_a_second() {
    let cluster = Cluster::new();
    let (node, peers) = among(&cluster, &[unknown(), unknown(), unknown()]).await;
    let seconds = match std::env::var_os("FLY_RPC_SOAK") {
        Some(_) => 30,
        None => 3,
    };
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let made = 1_000 * seconds;
    for _ in 0..made {
        ticks.tick().await;
        calls.spawn(nothing_again_on("cdg").via(&node));
    }
    for outcome in calls.join_all().await {
        let error = outcome.expect_err("no answer");
        assert!(matches!(error, RpcError::ConnectionLost { .. }), "{error}");
    }
    let took = begun.elapsed().as_secs_f64();
    let attempts = asked(&peers);
    eprintln!("{made} calls in {took:.1} s: {attempts} attempts");
    // The budget begins with the ten of one second.
    let most = 1.2 * made as f64 + 10.0 * (took + 1.0);
    assert!(
        attempts as f64 <= most,
        "{attempts} attempts, {most} at most"
    );
    assert!(attempts > made + made / 10, "{attempts}: retries are made");
}

#[tokio::test]
async fn a_deadline_spans_all_attempts() {
    let cluster = Cluster::new();
    let (node, peers) = among(&cluster, &[unknown(); 9]).await;
    let begun = Instant::now();
    let call = nothing_again_on("cdg").via(&node).timeout(SECOND);
    let error = call.await.expect_err("no answer");
    let took = begun.elapsed();
    eprintln!("{} attempts, {took:.3?}", asked(&peers));
    assert_eq!(error.executed(), Executed::Unknown, "{error}");
    assert!(asked(&peers) >= 3, "{}", asked(&peers));
    // The case asks for 20 ms, on a machine of its own.
    assert!(
        took >= SECOND - SECOND / 50 && took < SECOND + SECOND / 4,
        "{took:?}"
    );
}

const CALLS: usize = 1_000;
const SECOND: Duration = Duration::from_secs(1);
