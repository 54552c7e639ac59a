//! Faults that were found once, each as the fact that must hold instead.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use fly_rpc::{Executed, Limits, Node, NodeId, PeerState, RpcError, region_rpc};
use fly_rpc_tests::{Cluster, Probe, SOON};

#[region_rpc(idempotent)]
async fn at_least_once(#[state] probe: &Probe) -> usize {
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    run
}

#[region_rpc]
async fn wait_at_the_gate(#[state] probe: &Probe) -> usize {
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    run
}

#[region_rpc]
fn greet() -> u32 {
    1
}

#[region_rpc(name = "greet", version = 2)]
fn greet_2() -> u32 {
    2
}

#[region_rpc(name = "greet", version = 3)]
fn greet_3() -> u32 {
    3
}

#[region_rpc]
fn make_bytes(count: usize, #[state] probe: &Probe) -> Vec<u8> {
    probe.tell("made");
    vec![7; count]
}

#[region_rpc]
fn count(bytes: Vec<u8>) -> usize {
    bytes.len()
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[region_rpc]
fn panics_twice() -> u8 {
    std::panic::panic_any(PanicsWhenDropped)
}

struct Pair {
    syd: Node,
    hkg: Node,
    probe: Probe,
    cluster: Cluster,
}

/// The primary and one other node. The probe is the primary's; that of `hkg` is nobody's.
async fn pair() -> Pair {
    let (cluster, probe) = (Cluster::new(), Probe::new());
    let syd = cluster
        .builder("syd-1", "syd")
        .state(probe.clone())
        .drain_timeout(SOON);
    let syd = cluster.start(syd).await;
    let hkg = cluster
        .builder("hkg-1", "hkg")
        .state(Probe::new())
        .drain_timeout(SOON);
    let hkg = cluster.start(hkg).await;
    Pair {
        syd,
        hkg,
        probe,
        cluster,
    }
}

/// Waits until `node` knows that the other one drains.
async fn sees_draining(node: &Node, other: &NodeId) {
    let draining = |node: &Node| {
        let mut peers = node.peers().into_iter();
        peers.any(|peer| peer.id == *other && peer.state == PeerState::Draining)
    };
    let seen = async {
        while !draining(node) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, seen)
        .await
        .expect("the news arrives");
}

/// Waits until nothing is bound to the address.
async fn is_free(address: SocketAddr) {
    let free = async {
        while UdpSocket::bind(address).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, free)
        .await
        .expect("the port is given back");
}

#[tokio::test]
async fn a_call_that_waits_in_vain_does_not_forget_that_its_first_attempt_may_have_run() {
    let (cluster, probe) = (Cluster::new(), Probe::new());
    let first = cluster
        .builder("syd-1", "syd")
        .state(probe.clone())
        .drain_timeout(Duration::ZERO);
    let first = cluster.start(first).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = at_least_once_on("@elsewhere").via(&hkg).wait_ready();
    let call = tokio::spawn(call.timeout(Duration::from_secs(2)));
    assert_eq!(probe.told().await, "started");
    first.shutdown().await;
    // Whoever comes and goes wakes the call, which then looks for a node afresh.
    while !call.is_finished() {
        let passer_by = cluster
            .builder("lax-1", "lax")
            .peers([hkg.local_addr().to_string()])
            .state(Probe::new())
            .hide_function("at_least_once", 1);
        let passer_by = passer_by.start().await.expect("a sound configuration");
        hkg.wait_for(passer_by.id().clone(), SOON)
            .await
            .expect("it comes");
        passer_by.shutdown().await;
    }
    let error = call.await.expect("no panic").expect_err("nobody serves it");
    assert_eq!(
        (error.executed(), probe.runs()),
        (Executed::Unknown, 1),
        "{error}"
    );
}

#[tokio::test]
async fn older_calls_are_tried_in_the_order_in_which_they_were_given() {
    let cluster = Cluster::new();
    let only_2 = cluster
        .builder("syd-1", "syd")
        .state(Probe::new())
        .hide_function("greet", 3)
        .hide_function("greet", 1);
    cluster.start(only_2).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = greet_3_on_primary()
        .or_older(greet_2_on_primary())
        .or_older(greet_on_primary());
    assert_eq!(call.via(&hkg).await.expect("the middle one"), 2);
}

#[tokio::test]
async fn a_call_that_would_wait_lets_an_older_one_go_first() {
    let cluster = Cluster::new();
    let old = cluster
        .builder("syd-1", "syd")
        .state(Probe::new())
        .hide_function("greet", 2);
    cluster.start(old).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = greet_2_on_primary()
        .wait_ready()
        .or_older(greet_on_primary());
    assert_eq!(call.via(&hkg).await.expect("the older one"), 1);
}

#[tokio::test]
async fn a_node_counts_what_it_is_busy_with() {
    let Pair {
        syd, hkg, probe, ..
    } = pair().await;
    let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let busy = |node: &Node| {
        let stats = node.stats();
        (stats.handlers, stats.pending_calls, stats.connections)
    };
    assert_eq!((busy(&syd), busy(&hkg)), ((1, 0, 1), (0, 1, 1)));
    let frames = hkg.stats().frames_read;
    probe.open(1);
    call.await.expect("no panic").expect("answered");
    assert_eq!(busy(&hkg), (0, 0, 1));
    assert!(hkg.stats().frames_read > frames, "the answer is a frame");
    assert_eq!((syd.stats().refused, hkg.stats().refused), (0, 0));
}

#[tokio::test]
async fn a_node_that_stops_waits_for_its_own_calls() {
    let Pair {
        syd, hkg, probe, ..
    } = pair().await;
    let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let mut stop = tokio::spawn({
        let hkg = hkg.clone();
        async move { hkg.shutdown().await }
    });
    sees_draining(&syd, hkg.id()).await;
    let early = tokio::time::timeout(A_WHILE, &mut stop).await;
    assert!(early.is_err(), "it stopped before its call ended");
    probe.open(1);
    assert_eq!(call.await.expect("no panic").expect("answered"), 0);
    assert!(stop.await.expect("no panic").is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_long_on_its_way_arrives_although_its_node_stops() {
    let Pair {
        syd,
        probe,
        cluster,
        ..
    } = pair().await;
    // So small a window lets little pass in each round trip.
    let mut slow = Limits::default();
    slow.lane_receive_window = 16;
    let slow = cluster
        .builder("lax-1", "lax")
        .state(Probe::new())
        .limits(slow);
    let lax = cluster.start(slow).await;
    let begun = Instant::now();
    let sample = make_bytes_on_primary(SAMPLE).via(&lax).timeout(SOON);
    assert_eq!(sample.await.expect("fits").len(), SAMPLE);
    assert_eq!(probe.told().await, "made");
    let samples = (TAKES_LONG.as_millis() / begun.elapsed().as_millis().max(1)).clamp(1, 20);
    let size = SAMPLE * usize::try_from(samples).expect("at most 20");
    let call = tokio::spawn(make_bytes_on_primary(size).via(&lax).timeout(SOON));
    assert_eq!(probe.told().await, "made");
    let report = syd.shutdown().await;
    let answer = call.await.expect("no panic").expect("not cut off");
    assert_eq!(answer.len(), size);
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_panic_whose_payload_panics_when_it_is_dropped_ends_one_call() {
    let pair = pair().await;
    let Pair {
        syd, hkg, probe, ..
    } = &pair;
    let other = tokio::spawn(wait_at_the_gate_on_primary().via(hkg));
    assert_eq!(probe.told().await, "started");
    for node in [hkg, syd] {
        let error = panics_twice_on_primary().via(node).await;
        let error = error.expect_err("it panics");
        assert!(matches!(error, RpcError::Panicked { .. }), "{error}");
    }
    probe.open(1);
    other.await.expect("no panic").expect("the node lives");
}

#[tokio::test]
async fn a_node_that_is_dropped_gives_its_port_back() {
    let Pair { syd, cluster, .. } = pair().await;
    let node = loop {
        let node = cluster.builder("lax-1", "lax").state(Probe::new());
        let node = node.start().await.expect("a sound configuration");
        // The process keeps its default node, and takes another one when that is stopped by another test.
        let default = fly_rpc::node().map(|default| default.local_addr());
        if default != Some(node.local_addr()) {
            break node;
        }
    };
    node.wait_for(syd.id().clone(), SOON)
        .await
        .expect("connected");
    let address = node.local_addr();
    drop(node);
    is_free(address).await;
}

#[tokio::test]
async fn what_is_too_large_for_one_node_goes_to_another() {
    let cluster = Cluster::new();
    let mut limits = Limits::default();
    limits.message_size = 10;
    let small = cluster
        .builder("near", "hkg")
        .state(Probe::new())
        .limits(limits);
    cluster.start(small).await;
    cluster
        .start(cluster.builder("far", "syd").state(Probe::new()))
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = count_on("@nearest", vec![1; 50]).via(&hkg);
    assert_eq!(call.await.expect("there is room elsewhere"), 50);
}

/// Calls the other node of a pair: until it answers once, and then on, while one connection gives way.
async fn calls_without_loss(node: &Node) {
    let answered = async {
        while greet_on("@elsewhere").via(node).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, answered)
        .await
        .expect("they find each other");
    for call in 0..100 {
        let outcome = greet_on("@elsewhere").via(node).await;
        assert!(
            outcome.is_ok(),
            "call {call} after the first answer: {outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_while_one_connection_of_a_pair_gives_way_to_the_other() {
    for _ in 0..12 {
        let cluster = Cluster::new();
        let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
        let [here, there] = sockets.map(|socket| socket.local_addr().expect("bound"));
        // Each knows the other's address, so that both dial at once.
        let node = |id, bind: SocketAddr, peer: SocketAddr| {
            let node = cluster.builder(id, "syd").state(Probe::new());
            node.bind(bind).peers([peer.to_string()]).start()
        };
        let (a, b) = tokio::join!(node("a", here, there), node("b", there, here));
        let (a, b) = (a.expect("a free port"), b.expect("a free port"));
        tokio::join!(calls_without_loss(&a), calls_without_loss(&b));
    }
}

#[tokio::test]
async fn a_successor_does_not_cut_what_its_draining_predecessor_finishes() {
    let Pair {
        syd,
        hkg,
        probe,
        cluster,
    } = pair().await;
    let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let drain = tokio::spawn({
        let syd = syd.clone();
        async move { syd.shutdown().await }
    });
    sees_draining(&hkg, syd.id()).await;
    let successor = cluster
        .builder("syd-1", "syd")
        .peers([hkg.local_addr().to_string()])
        .state(Probe::new());
    let _successor = successor.start().await.expect("a sound configuration");
    let greeting = greet_on_primary().via(&hkg).wait_ready().timeout(SOON);
    assert_eq!(greeting.await.expect("the successor serves"), 1);
    probe.open(1);
    assert_eq!(call.await.expect("no panic").expect("finished"), 0);
    assert!(drain.await.expect("no panic").is_clean());
}

/// Bytes whose way is timed; twenty times as many still fit into a message.
const SAMPLE: usize = 200_000;
/// Longer than a node that stops would wait for an answer to arrive, if it did not wait for as long as it takes.
const TAKES_LONG: Duration = Duration::from_secs(2);
/// Long enough for what must not happen to happen.
const A_WHILE: Duration = Duration::from_millis(300);
