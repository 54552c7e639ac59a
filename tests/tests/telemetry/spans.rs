//! The spans of one call, and what stands in them.

use std::time::Duration;

use fly_rpc::{Executed, Limits, RpcError};
use fly_rpc_tests::{Cluster, Probe};
use opentelemetry::trace::{SpanKind, Status};
use tracing::Instrument;

use crate::{
    functions::{
        be_late_on, block_on, fail_on_primary, hang_on_primary, settle_on, upcase_on_primary,
    },
    recorded::{Recorded, attribute},
};

#[tokio::test]
async fn a_call_of_another_node_says_what_was_asked_where_and_how_it_ended() {
    let cluster = Cluster::new();
    let _syd = cluster.node_with_probe("syd-1", "syd").await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    let loud = upcase_on_primary("fly").via(&hkg).await;
    assert_eq!(loud.expect("served"), "FLY");

    let (call, [attempt, serve]) = (recorded.one("call upcase"), pair(&recorded, "upcase"));
    assert_eq!(call.span_kind, SpanKind::Internal);
    for span in [&call, &attempt, &serve] {
        assert_eq!(attribute(span, "rpc.system.name"), "fly_rpc");
        assert_eq!(attribute(span, "rpc.method"), "upcase");
        assert_eq!(attribute(span, "fly_rpc.version"), "1");
        assert_eq!(attribute(span, "fly_rpc.outcome"), "ok");
        assert_eq!(attribute(span, "fly_rpc.executed"), "yes");
        assert_eq!(attribute(span, "error.type"), "");
        assert_eq!(span.status, Status::Unset);
    }
    assert_eq!(attribute(&call, "fly_rpc.target"), "@primary");
    assert_eq!(attribute(&attempt, "fly_rpc.node"), "syd-1");
    assert_eq!(attribute(&attempt, "fly_rpc.region"), "syd");
    assert_eq!(attribute(&attempt, "fly_rpc.attempt"), "1");
    assert_eq!(attribute(&attempt, "server.address"), "127.0.0.1");
    assert_eq!(attribute(&serve, "fly_rpc.caller"), "hkg-1");
    assert_eq!(attribute(&serve, "fly_rpc.caller_region"), "hkg");
    // Three letters and their length, both ways.
    for (span, direction) in [
        (&attempt, "sent"),
        (&attempt, "received"),
        (&serve, "sent"),
        (&serve, "received"),
    ] {
        assert_eq!(attribute(span, &format!("fly_rpc.{direction}_bytes")), "4");
    }
}

#[tokio::test]
async fn a_call_that_stays_here_has_spans_as_well() {
    let cluster = Cluster::new();
    let syd = cluster.node_with_probe("syd-1", "syd").await;
    let (recorded, _guard) = Recorded::start();
    upcase_on_primary("fly").via(&syd).await.expect("served");
    assert_eq!(recorded.tree(), "Internal call upcase\n");
    let call = recorded.one("call upcase");
    assert_eq!(attribute(&call, "fly_rpc.here"), "true");
    assert_eq!(attribute(&call, "fly_rpc.outcome"), "ok");
}

#[tokio::test]
async fn each_attempt_is_a_span_of_its_own() {
    let cluster = Cluster::new();
    let mut full = Limits::default();
    full.handlers_per_peer = 0;
    let builder = cluster.builder("syd-1", "syd").state(Probe::new());
    let _refuses = cluster.start(builder.limits(full)).await;
    let _serves = cluster.node_with_probe("syd-2", "syd").await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    // By chance one of two is asked first.
    for _ in 0..100 {
        upcase_on_primary("x")
            .via(&hkg)
            .await
            .expect("one of two serves");
        if !recorded.with("fly_rpc.attempt", "2").is_empty() {
            break;
        }
    }
    let second = recorded.with("fly_rpc.attempt", "2").remove(0);
    let mut attempts = recorded.with("fly_rpc.attempt", "1");
    attempts.retain(|first| first.parent_span_id == second.parent_span_id);
    let [first] = <[_; 1]>::try_from(attempts).expect("one call, two attempts");
    assert_eq!(attribute(&first, "fly_rpc.node"), "syd-1");
    assert_eq!(attribute(&first, "fly_rpc.outcome"), "overloaded");
    assert_eq!(attribute(&first, "fly_rpc.executed"), "no");
    assert_eq!(attribute(&first, "error.type"), "overloaded");
    assert!(matches!(first.status, Status::Error { .. }));
    assert_eq!(attribute(&second, "fly_rpc.node"), "syd-2");
    assert_eq!(second.status, Status::Unset);
}

#[tokio::test]
async fn a_failure_is_seen_in_every_span_that_knows_of_it() {
    let cluster = Cluster::new();
    let _syd = cluster.node_with_probe("syd-1", "syd").await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    let error = fail_on_primary().via(&hkg).await.expect_err("it panics");
    assert_eq!(error.executed(), Executed::Yes);
    let (call, [attempt, serve]) = (recorded.one("call fail"), pair(&recorded, "fail"));
    for span in [&call, &attempt, &serve] {
        assert_eq!(attribute(span, "error.type"), "panicked");
        assert_eq!(attribute(span, "fly_rpc.executed"), "yes");
        assert!(matches!(span.status, Status::Error { .. }), "{span:?}");
    }
    let Status::Error { description } = call.status else {
        unreachable!("it was looked at");
    };
    assert_eq!(description, error.to_string());
    // What the panic said stays where it happened.
    let attempt = format!("{attempt:?}");
    assert!(!attempt.contains("as the test asks"), "{attempt}");
}

#[tokio::test]
async fn a_call_that_goes_nowhere_says_why() {
    let cluster = Cluster::new();
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    let error = upcase_on_primary("x").via(&hkg).await;
    assert!(matches!(error, Err(RpcError::NoNode { .. })));
    let call = recorded.one("call upcase");
    assert_eq!(attribute(&call, "fly_rpc.outcome"), "no_node");
    assert_eq!(attribute(&call, "fly_rpc.executed"), "no");
    assert_eq!(recorded.spans().len(), 1);
}

#[tokio::test]
async fn who_gives_up_leaves_no_span_open() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let syd = cluster.builder("syd-1", "syd").state(probe.clone());
    let _syd = cluster.start(syd).await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    {
        let mut call = std::pin::pin!(hang_on_primary().via(&hkg));
        tokio::select! {
            outcome = &mut call => panic!("{outcome:?}"),
            line = probe.told() => assert_eq!(line, "started"),
        }
    }
    assert_eq!(probe.told().await, "dropped");
    // The witness goes before the future around it does.
    while recorded.spans().len() < 3 {
        tokio::task::yield_now().await;
    }
    for span in recorded.spans() {
        assert_eq!(attribute(&span, "fly_rpc.outcome"), "given_up");
        assert_eq!(attribute(&span, "fly_rpc.executed"), "unknown");
        assert_eq!(span.status, Status::Unset, "nobody has seen a failure");
    }
}

#[tokio::test]
async fn a_function_that_is_late_is_dropped_inside_its_span() {
    let cluster = Cluster::new();
    let mut limits = Limits::default();
    // Its own, before its caller gives up.
    limits.deadline = Duration::from_millis(100);
    let syd = cluster.builder("syd-1", "syd").state(Probe::new());
    let _syd = cluster.start(syd.limits(limits)).await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    let late = be_late_on("syd").via(&hkg).await;
    assert!(matches!(late, Err(RpcError::Timeout { .. })), "{late:?}");
    let above = parent(&recorded, &recorded.one("dropping"));
    assert_eq!(
        (above.span_kind, &*above.name),
        (SpanKind::Server, "be_late")
    );
}

#[tokio::test]
async fn what_blocks_or_is_detached_is_still_inside_its_span() {
    let cluster = Cluster::new();
    let syd = cluster.node_with_probe("syd-1", "syd").await;
    let hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let (recorded, _guard) = Recorded::start();
    for (node, name) in [(&hkg, "settle"), (&syd, "call settle")] {
        settle_on("syd").via(node).await.expect("served");
        let above = parent(&recorded, &recorded.one("settled"));
        assert_eq!(above.name, name);
        recorded.clear();
    }
    // On a thread of the pool there is no recorder: `examples/traces` looks at what blocks.
    block_on("syd").via(&hkg).await.expect("served");
    assert_eq!(
        recorded.tree(),
        "Internal call block\n  Client block\n    Server block\n"
    );
}

#[tokio::test]
async fn spans_that_nobody_asked_for_are_not_made() {
    let cluster = Cluster::new();
    let syd = cluster.node_with_probe("syd-1", "syd").await;
    let (recorded, _guard) =
        Recorded::start_with(opentelemetry_sdk::trace::Sampler::AlwaysOn, "info");
    let span = tracing::info_span!("page view");
    upcase_on_primary("x")
        .via(&syd)
        .instrument(span)
        .await
        .expect("served");
    assert_eq!(recorded.tree(), "Internal page view\n");
}

/// The attempt and what it led to.
fn pair(recorded: &Recorded, function: &str) -> [opentelemetry_sdk::trace::SpanData; 2] {
    let mut spans = recorded.spans();
    spans.retain(|span| span.name == function);
    spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
    let pair: [_; 2] = spans.try_into().expect("an attempt and what it led to");
    assert_eq!(pair[0].span_kind, SpanKind::Client);
    assert_eq!(pair[1].span_kind, SpanKind::Server);
    assert!(pair[1].parent_span_is_remote);
    pair
}

fn parent(
    recorded: &Recorded,
    span: &opentelemetry_sdk::trace::SpanData,
) -> opentelemetry_sdk::trace::SpanData {
    let mut spans = recorded.spans();
    spans.retain(|other| other.span_context.span_id() == span.parent_span_id);
    spans.pop().expect("it has a parent that ended")
}
