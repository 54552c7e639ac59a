//! Members that start more than they may: lanes that are reset at once, handlers that outlive their
//! connection, floods of calls.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use quinn::VarInt;
use tokio::sync::Semaphore;

use super::{
    fixture::{Fixture, Raw, call, hello, reached, send, soon, until},
    greedy::{answers, lane, member},
    lanes::request,
};
use crate::{CloseCode, Link, Request, Served, Service, Status, wire::ResponseFrame};

/// Waits for the gate like a handler that cannot be cancelled, under a permit of the peer's, and
/// notes how many run.
#[derive(Debug)]
pub(super) struct Stubborn {
    limit: usize,
    running: Arc<AtomicUsize>,
    pub(super) most: Arc<AtomicUsize>,
    seen: AtomicUsize,
    cancellable: bool,
    gate: Arc<Semaphore>,
}

impl Stubborn {
    pub(super) fn new(cancellable: bool) -> Arc<Self> {
        Arc::new(Self {
            limit: 256,
            running: Arc::default(),
            most: Arc::default(),
            seen: AtomicUsize::new(0),
            cancellable,
            gate: Arc::new(Semaphore::new(0)),
        })
    }
}

/// Raised while it lives.
pub(super) struct Raised(pub(super) Arc<AtomicUsize>);

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service for Stubborn {
    fn serve(&self, link: &Arc<Link>, request: Request) -> Served {
        self.seen.fetch_add(1, Ordering::Relaxed);
        if request.arguments.is_empty() {
            return Served::Answer(request.respond(Status::Ok));
        }
        let serving = Arc::clone(link.serving());
        let before = serving.fetch_add(1, Ordering::SeqCst);
        let permit = Raised(serving);
        if before >= self.limit {
            return Served::Answer(request.respond(Status::Overloaded));
        }
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let running = Raised(Arc::clone(&self.running));
        let gate = Arc::clone(&self.gate);
        let answer: ResponseFrame = request.respond(Status::Ok);
        Served::Handler {
            future: Box::pin(async move {
                let _held = (permit, running);
                gate.acquire().await.expect("never closed").forget();
                answer
            }),
            cancellable: self.cancellable,
        }
    }
}

/// Opens a lane, sends a request, resets it, again and again, until the connection ends. A few lanes
/// are always open, so that requests arrive before they are reset.
pub(super) async fn reset_rapidly(raw: &Raw, times: usize) -> usize {
    let whole = request(1, b"work");
    let mut open = VecDeque::new();
    for time in 0..times {
        let Ok((mut send, recv)) = raw.connection.open_bi().await else {
            return time;
        };
        if send.write_all(&whole).await.is_err() {
            return time;
        }
        open.push_back((send, recv));
        if open.len() > 16
            && let Some((mut send, mut recv)) = open.pop_front()
        {
            let _ = send.reset(VarInt::from_u32(0));
            let _ = recv.stop(VarInt::from_u32(0));
        }
        tokio::task::yield_now().await;
    }
    times
}

async fn rapid_resets(cancellable: bool) {
    let mut fixture = Fixture::new();
    let service = Stubborn::new(cancellable);
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), Arc::clone(&service) as _);
    // The default: it ends after some two hundred.
    let (raw, _control) = member(&fixture, "a", &b).await;
    assert!(reset_rapidly(&raw, times()).await < times());
    assert_eq!(raw.closed().await, CloseCode::ExcessiveLoad as u64);
    // However often it is forgiven, it never runs more than its part.
    fixture.limits.offences = u32::MAX;
    let service = Stubborn::new(cancellable);
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), Arc::clone(&service) as _);
    let (polite, _) = fixture.endpoint("polite");
    let polite = polite.dial(b.local_addr(), None).await.expect("welcome");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let flood = tokio::spawn(async move {
        let times = times();
        assert_eq!(reset_rapidly(&raw, times).await, times);
        (raw, _control)
    });
    let mut calls = 0;
    while !flood.is_finished() {
        let answer = call(&polite, b"").await.expect("unharmed");
        assert_eq!(answer.status, Status::Ok);
        calls += 1;
    }
    flood.await.expect("no panic");
    let most = service.most.load(Ordering::SeqCst);
    assert!((1..=256).contains(&most), "{most} ran at once");
    if !cancellable {
        assert!(service.seen.load(Ordering::Relaxed) - calls > 256);
        assert_eq!(most, 256);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_run_no_more_handlers_than_a_peer_may_and_end_the_connection() {
    rapid_resets(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_of_handlers_that_go_on_run_no_more_of_them_either() {
    rapid_resets(false).await;
}

#[tokio::test]
async fn handlers_that_outlive_their_connection_still_count_when_the_peer_is_back() {
    let fixture = Fixture::new();
    let service = Stubborn::new(false);
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), Arc::clone(&service) as _);
    let (raw, _control) = member(&fixture, "a", &b).await;
    let mut requests = Vec::new();
    for id in 1..=256 {
        requests.extend(request(id, b"work"));
    }
    let _lane = lane(&raw, &requests).await;
    reached(&service.running, 256).await;
    raw.connection.close(VarInt::from_u32(0), b"");
    until(&b, |b| b.links().is_empty()).await;
    let (raw, _control) = member(&fixture, "a", &b).await;
    let (_send, mut recv) = lane(&raw, &request(1, b"more")).await;
    assert_eq!(answers(&mut recv, 1).await, [(1, Status::Overloaded)]);
    // Another peer has its own.
    let (other, _control) = member(&fixture, "c", &b).await;
    let _lane = lane(&other, &request(1, b"work")).await;
    reached(&service.running, 257).await;
    service.gate.add_permits(257);
    soon(async {
        while service.running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn calls_of_a_peer_are_not_disturbed_by_its_neighbours_refusals() {
    let fixture = Fixture::new();
    let service = Stubborn::new(true);
    let b = fixture.endpoint_serving(hello("b"), fixture.identity("b"), Arc::clone(&service) as _);
    let (greedy, _) = fixture.endpoint("greedy");
    let greedy = greedy.dial(b.local_addr(), None).await.expect("welcome");
    let (polite, _) = fixture.endpoint("polite");
    let polite = polite.dial(b.local_addr(), None).await.expect("welcome");
    let mut flood = Vec::new();
    for _ in 0..10_000 {
        flood.push(send(&greedy, "work", b"work").await);
    }
    reached(&service.seen, 10_000).await;
    for _ in 0..100 {
        let response = call(&polite, b"").await.expect("answered");
        assert_eq!(response.status, Status::Ok);
    }
    service.gate.add_permits(256);
    let (mut served, mut refused) = (0, 0);
    for pending in flood {
        match soon(pending).await.expect("answered").status {
            Status::Ok => served += 1,
            Status::Overloaded => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((served, refused), (256, 9_744));
    assert_eq!(service.most.load(Ordering::SeqCst), 256);
}

/// How often what is to be done very often is done: 100 000 times with `FLY_RPC_SOAK=1`.
pub(super) fn times() -> usize {
    if std::env::var_os("FLY_RPC_SOAK").is_some() {
        100_000
    } else {
        20_000
    }
}
