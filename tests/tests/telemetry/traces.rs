//! One trace over several nodes, whatever the nodes in between know of traces.

use fly_rpc_tests::{Cluster, Peer, Probe, contract_of};
use fly_rpc_transport::Status;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::trace::Sampler;
use tokio::sync::oneshot;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{
    functions::{block_on_region, sign_on_primary, trace_behind_on_primary, trace_here_on_primary},
    recorded::{Recorded, attribute},
};

#[tokio::test]
async fn a_page_view_its_call_and_the_call_behind_it_are_one_tree() {
    let cluster = Cluster::new();
    let _hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let _syd = cluster.node_with_probe("syd-1", "syd").await;
    let lax = cluster.node_with_probe("lax-1", "lax").await;
    let (recorded, _guard) = Recorded::start();
    let view = sign_on_primary("Ada").via(&lax);
    let view = view.instrument(tracing::info_span!("page view"));
    assert_eq!(
        view.await.expect("called"),
        Ok("Ada is number 3".to_owned())
    );
    assert_eq!(
        recorded.tree(),
        "Internal page view\n\
        \x20 Internal call sign\n\
        \x20   Client sign\n\
        \x20     Server sign\n\
        \x20       Internal call count\n\
        \x20         Client count\n\
        \x20           Server count\n\
        \x20             Internal counting\n"
    );
}

#[tokio::test]
async fn the_tree_holds_where_only_the_application_s_own_spans_are_exported() {
    let cluster = Cluster::new();
    let _hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let _syd = cluster.node_with_probe("syd-1", "syd").await;
    let lax = cluster.node_with_probe("lax-1", "lax").await;
    let (recorded, _guard) = Recorded::start_with(Sampler::AlwaysOn, "info");
    let view = sign_on_primary("Ada").via(&lax);
    let view = view.instrument(tracing::info_span!("page view"));
    view.await.expect("called").expect("signed");
    assert_eq!(recorded.tree(), "Internal page view\n  Internal counting\n");
}

#[tokio::test]
async fn what_blocks_is_in_the_trace_too_also_where_only_the_application_s_own_spans_are_exported()
{
    for filter in ["info", "info,fly_rpc=debug"] {
        let cluster = Cluster::new();
        let syd = cluster.node_with_probe("syd-1", "syd").await;
        let lax = cluster.node_with_probe("lax-1", "lax").await;
        let (_recorded, _guard) = Recorded::start_with(Sampler::AlwaysOn, filter);
        for caller in [&syd, &lax] {
            let view = async {
                let of_pool = block_on_region("syd").via(caller).await.expect("called");
                let here = tracing::Span::current().context();
                (of_pool, here.span().span_context().trace_id().to_string())
            };
            let (of_pool, here) = view.instrument(tracing::info_span!("page view")).await;
            assert_eq!(of_pool, here, "{filter}, called by {}", caller.id());
        }
    }
}

#[tokio::test]
async fn a_node_in_between_that_traces_nothing_hands_the_trace_on_as_it_came() {
    let cluster = Cluster::new();
    let _hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let lax = cluster.node_with_probe("lax-1", "lax").await;
    // A thread without a subscriber, for a process without one.
    let (builder, (stop, stopped), (tell, told)) = (
        cluster.builder("syd-1", "syd").state(Probe::new()),
        oneshot::channel::<()>(),
        oneshot::channel(),
    );
    let middle = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let node = builder.start().await.expect("started");
            tell.send(()).expect("the test waits");
            let _ = stopped.await;
            node.shutdown().await;
        });
    });
    told.await.expect("started");
    lax.wait_for("syd", fly_rpc_tests::SOON)
        .await
        .expect("connected");

    let (recorded, _guard) = Recorded::start();
    let call = sign_on_primary("Ada").via(&lax).wait_ready();
    call.await.expect("called").expect("signed");
    drop(stop);
    middle.join().expect("no panic");
    // The parent of what ran behind the middle is what called the middle.
    assert_eq!(
        recorded.tree(),
        "Internal call sign\n  Client sign\n    Server count\n      Internal counting\n"
    );
}

#[tokio::test]
async fn what_is_not_sampled_stays_so_on_every_node() {
    let cluster = Cluster::new();
    let _hkg = cluster.node_with_probe("hkg-1", "hkg").await;
    let _syd = cluster.node_with_probe("syd-1", "syd").await;
    let lax = cluster.node_with_probe("lax-1", "lax").await;
    let (recorded, _guard) = Recorded::start_with(Sampler::AlwaysOff, "fly_rpc=debug,info");
    let view = async {
        let here = trace_here_on_primary().via(&lax).await.expect("called");
        let behind = trace_behind_on_primary().via(&lax).await;
        (here, behind.expect("called").expect("called behind"))
    };
    let (here, behind) = view.instrument(tracing::info_span!("page view")).await;
    assert_eq!(here, behind, "one trace");
    assert!(!here.1, "it is not sampled");
    assert_ne!(here.0, "0".repeat(32), "but it has an id");
    assert!(recorded.spans().is_empty());
}

#[tokio::test]
async fn a_peer_s_context_is_the_parent_and_a_malformed_one_is_ignored() {
    let cluster = Cluster::new();
    let syd = cluster.node_with_probe("syd-1", "syd").await;
    let peer = Peer::join(&cluster, "cdg-1", &syd, Status::Overloaded).await;
    let contract = contract_of(&syd, "trace_here");
    let ask = async |trace: [u8; 26]| {
        let (recorded, _guard) = Recorded::start();
        let answer = peer.ask_in_trace("trace_here", contract, trace, "").await;
        assert_eq!(answer.status, Status::Ok);
        (recorded.one("trace_here"), answer.body)
    };
    let sound: [u8; 26] = std::array::from_fn(|at| if at == 0 || at == 25 { 1 } else { at as u8 });
    let (span, _) = ask(sound).await;
    assert_eq!(span.span_context.trace_id().to_bytes(), sound[1..17]);
    assert_eq!(span.parent_span_id.to_bytes(), sound[17..25]);
    assert!(span.parent_span_is_remote);

    let zeros = |part: std::ops::Range<usize>| {
        let mut bytes = sound;
        bytes[part].fill(0);
        bytes
    };
    let mut forbidden = sound;
    forbidden[0] = 0xff;
    for malformed in [[0; 26], [0xff; 26], zeros(1..17), zeros(17..25), forbidden] {
        let (span, _) = ask(malformed).await;
        assert_eq!(attribute(&span, "fly_rpc.outcome"), "ok");
        assert_eq!(span.parent_span_id, opentelemetry::trace::SpanId::INVALID);
        assert_ne!(span.span_context.trace_id().to_bytes(), malformed[1..17]);
    }

    // Not sampled by whoever began it: nothing is exported, and the function runs.
    let mut unsampled = sound;
    unsampled[25] = 0;
    let (recorded, _guard) = Recorded::start();
    let answer = peer
        .ask_in_trace("trace_here", contract, unsampled, "")
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert!(recorded.spans().is_empty());
}
