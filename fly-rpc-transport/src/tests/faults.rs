//! Faults that were found once, each as the fact that must hold instead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{BufMut, BytesMut};

use super::fixture::{Fixture, hello, reached, send, soon, until};
use crate::{
    CloseCode, Endpoint, Keeper, Link, NodeId, Request, RequestHead, Served, Service, Status,
    control::Control,
    wire::{Catalogue, Greeting, Reader, put_bytes, put_varint},
};

/// The link to the one peer that takes calls.
fn usable(endpoint: &Endpoint) -> Option<Arc<Link>> {
    let links = endpoint.links();
    let mut usable = links
        .iter()
        .filter(|link| !link.is_retiring() && !link.is_closed());
    usable.next().cloned()
}

#[test]
fn a_catalogue_is_read_in_linear_time_whatever_its_order() {
    let mut bytes = BytesMut::new();
    for version in (1..=100_000).rev() {
        let mut record = BytesMut::new();
        put_bytes(&mut record, b"f");
        put_varint(&mut record, version);
        record.put_slice(&[0; 16]);
        put_bytes(&mut record, b"");
        put_bytes(&mut bytes, &record);
    }
    let begun = Instant::now();
    Catalogue::decode(bytes.freeze()).expect("sound");
    // Linear is a fraction of a second without optimization; quadratic is most of a minute.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_hello_that_names_no_message_size_sets_no_limit() {
    let mut sections = Reader::new(Greeting::from(hello("x")).encode().freeze());
    let mut without = BytesMut::new();
    while !sections.is_empty() {
        let number = sections.varint().expect("sound");
        let section = sections.bytes().expect("sound");
        if number != MESSAGE_SIZE {
            put_varint(&mut without, number);
            put_bytes(&mut without, &section);
        }
    }
    let decoded = Greeting::decode(without.freeze()).expect("the section is optional");
    assert_eq!(decoded.hello.message_size, u64::MAX);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_its_peer_drains_is_cancelled_and_not_waited_for() {
    let fixture = Fixture::new();
    let ((a, _), (b, echo)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let slow = send(&link, "wait", b"slow").await;
    reached(&echo.seen, 1).await;
    let drain = tokio::spawn({
        let b = b.clone();
        async move { b.drain().await }
    });
    until(&a, |a| a.links().iter().any(|link| link.is_draining())).await;
    drop(slow);
    reached(&echo.dropped, 1).await;
    soon(drain).await.expect("no panic");
}

#[tokio::test]
async fn a_pair_is_connected_again_although_a_retired_link_still_has_a_call() {
    let fixture = Fixture::new();
    let ((a, echo), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let _keeper = Keeper::start(b.clone(), a.local_addr(), Some(NodeId::from("a")));
    until(&b, |b| usable(b).is_some()).await;
    let first = usable(&b).expect("connected");
    let slow = send(&first, "wait", b"slow").await;
    reached(&echo.seen, 1).await;
    // The smaller id's dial wins, and the first link retires behind its call.
    let second = a.dial(b.local_addr(), None).await.expect("welcome");
    until(&b, |b| first.is_retiring() && usable(b).is_some()).await;
    let winner = usable(&b).expect("connected");
    second.close(CloseCode::Malformed);
    soon(winner.closed()).await;
    until(&b, |b| usable(b).is_some()).await;
    assert!(!first.is_closed(), "its call is still under way");
    echo.gate.add_permits(1);
    assert_eq!(&soon(slow).await.expect("answered").body[..], b"slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redial_never_leaves_a_moment_without_a_link() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let address = a.local_addr();
    b.dial(address, None).await.expect("welcome");
    let redials = tokio::spawn({
        let b = b.clone();
        async move {
            for _ in 0..100 {
                soon(b.dial(address, None)).await.expect("welcome");
            }
        }
    });
    while !redials.is_finished() {
        let seen = b.links();
        let all_retire = seen.iter().all(|link| link.is_retiring());
        // By now they may; but then others are shown in their place.
        assert!(!all_retire || !Arc::ptr_eq(&seen, &b.links()));
        tokio::task::yield_now().await;
    }
    redials.await.expect("no panic");
}

#[tokio::test]
async fn a_peer_that_allows_fewer_lanes_than_calls_need_still_gets_every_call() {
    static BULK: [u8; 100 * 1024] = [1; 100 * 1024];
    let mut fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    fixture.limits.lanes = 2;
    let (b, echo) = fixture.endpoint("b");
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let mut pending = Vec::new();
    for _ in 0..4 {
        pending.push(soon(send(&link, "wait", &BULK)).await);
    }
    reached(&echo.seen, 4).await;
    echo.gate.add_permits(4);
    for call in pending {
        assert_eq!(soon(call).await.expect("answered").body.len(), BULK.len());
    }
}

#[tokio::test]
async fn however_often_it_is_hurried_a_keeper_keeps_some_distance_between_its_dials() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let mut stranger = hello("a");
    stranger.cluster = "another".into();
    let (a, _) = fixture.endpoint_with(stranger, fixture.identity("a"));
    let keeper = Keeper::start(a.clone(), b.local_addr(), None);
    let mut attempts = keeper.attempts();
    let begun = Instant::now();
    let refused = attempts.wait_for(|attempts| {
        keeper.hurry();
        attempts.ended == 8
    });
    soon(refused).await.expect("the keeper lives");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(7 * 80), "8 dials in {took:?}");
}

/// Answers every call with 1 MiB at once.
#[derive(Debug, Default)]
struct Large {
    served: AtomicUsize,
}

impl Service for Large {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.served.fetch_add(1, Ordering::Relaxed);
        let mut answer = request.respond(Status::Ok);
        answer.body().put_bytes(7, 1 << 20);
        Served::Answer(answer)
    }
}

#[tokio::test]
async fn a_lane_whose_answers_are_not_read_runs_no_more_calls() {
    let fixture = Fixture::new();
    let large = Arc::new(Large::default());
    let service = Arc::clone(&large) as _;
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), service);
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let (mut lane, _unread) = raw.connection.open_bi().await.expect("open");
    let head = RequestHead {
        function: "f",
        version: 1,
        contract: [0; 16],
        trace: None,
        for_primary: false,
    };
    let mut requests = BytesMut::new();
    for id in 1..=100 {
        head.put(&mut requests, id, Duration::from_secs(9), 0);
    }
    soon(lane.write_all(&requests)).await.expect("open");
    reached(&large.served, 1).await;
    // The queue, QUIC's window and one that is being written: some MiB, not all hundred.
    let more = tokio::time::timeout(A_WHILE, reached(&large.served, 7));
    assert!(more.await.is_err(), "answers pile up that nobody reads");
}

/// Functions that hold the thread on which they are polled.
#[derive(Debug, Default)]
struct Greedy {
    seen: AtomicUsize,
    ran: Arc<AtomicUsize>,
    /// Most that were seen and had not run yet.
    waiting: AtomicUsize,
}

impl Service for Greedy {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let waiting = seen - self.ran.load(Ordering::Relaxed);
        self.waiting.fetch_max(waiting, Ordering::Relaxed);
        let ran = Arc::clone(&self.ran);
        let answer = request.respond(Status::Ok);
        let function = async move {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            ran.fetch_add(1, Ordering::Relaxed);
            answer
        };
        Served::Handler {
            future: Box::pin(function),
            cancellable: true,
        }
    }
}

#[tokio::test]
async fn requests_behind_functions_that_take_long_are_looked_at_before_those_have_run() {
    let fixture = Fixture::new();
    let greedy = Arc::new(Greedy::default());
    let service = Arc::clone(&greedy) as _;
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), service);
    let (a, _) = fixture.endpoint("a");
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(send(&link, "f", b"x").await);
    }
    for call in calls {
        soon(call).await.expect("answered");
    }
    // Whoever looks at a request can refuse it. If each ran first, it would be one.
    let waiting = greedy.waiting.load(Ordering::Relaxed);
    assert!(waiting >= 8, "{waiting}");
}

#[tokio::test]
async fn one_peer_holds_only_so_many_connections_and_the_newest_stay() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let mut hello = hello("a");
    let mut members = Vec::new();
    for dial in 1..=30 {
        hello.dial = dial;
        let raw = fixture.raw("a", &b).await;
        let (mut send, mut control) = raw.introduce_as(&hello).await;
        // It lives, but lets go of nothing that it is asked to retire.
        tokio::spawn(async move {
            while let Ok(message) = control.next().await {
                if let Control::Ping(number) = message {
                    let _ = send.write_all(&Control::Pong(number).encode()).await;
                }
            }
        });
        members.push(raw);
    }
    let newest = members.pop().expect("thirty");
    for oldest in &members[..20] {
        assert_eq!(oldest.closed().await, CloseCode::Retired as u64);
    }
    assert_eq!(newest.connection.close_reason(), None);
}

/// The section of a hello with the peer's limit on messages.
const MESSAGE_SIZE: u64 = 10;
/// Long enough for what must not happen to happen.
const A_WHILE: Duration = Duration::from_millis(500);
/// They fit into the first flight of a connection, so that many arrive together.
const CALLS: usize = 150;
