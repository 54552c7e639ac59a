//! Members that want more than their part: half-sent frames, slow ones, resets, answers that nobody
//! reads. Each costs its sender something and nobody else anything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BufMut;
use quinn::{ReadError, RecvStream, SendStream};

use super::{
    fixture::{Fixture, REQUEST, Raw, call, frame, hello, reached, soon, until},
    lanes::{frames, request},
};
use crate::{
    CloseCode, Endpoint, Link, Request, Served, Service, Status, control::ControlReader,
    wire::Response,
};

/// The beginning of a request frame that promises `promised` bytes of arguments and brings `sent`.
fn begun(id: u64, promised: usize, sent: usize) -> Vec<u8> {
    let mut bytes = request(id, &vec![7; sent]);
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let promise = u32::try_from(length + promised - sent).expect("small");
    bytes[..4].copy_from_slice(&promise.to_le_bytes());
    bytes
}

pub(super) async fn answers(recv: &mut RecvStream, count: usize) -> Vec<(u64, Status)> {
    let frames = frames(recv, count).await.into_iter();
    frames
        .map(|frame| Response::decode(frame.body).expect("sound"))
        .map(|(id, response)| (id, response.status))
        .collect()
}

/// A member that has introduced itself, and its control stream.
pub(super) async fn member(
    fixture: &Fixture,
    node: &str,
    of: &Endpoint,
) -> (Raw, (SendStream, ControlReader)) {
    let raw = fixture.raw(node, of).await;
    let control = raw.introduce(node).await;
    (raw, control)
}

pub(super) async fn lane(raw: &Raw, bytes: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, recv) = soon(raw.connection.open_bi()).await.expect("open");
    soon(send.write_all(bytes)).await.expect("open");
    (send, recv)
}

/// The code that the other end resets a lane with.
async fn reset_code(recv: &mut RecvStream) -> u64 {
    match soon(recv.read_chunk(usize::MAX, true)).await {
        Err(ReadError::Reset(code)) => code.into_inner(),
        other => panic!("not reset: {other:?}"),
    }
}

#[tokio::test]
async fn half_sent_requests_beyond_their_memory_are_refused_and_their_lanes_live() {
    let mut fixture = Fixture::new();
    fixture.limits.partial_frames = 1 << 20;
    let (b, echo) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let whole = 600 * 1024;
    // Two requests of 600 KiB do not fit into 1 MiB; the second is refused before it is whole.
    let (mut first, mut first_answers) = lane(&raw, &begun(1, whole, whole - 1)).await;
    reached_memory(&b, 300 * 1024).await;
    let (mut second, mut second_answers) = lane(&raw, &begun(2, whole, whole - 1)).await;
    assert_eq!(
        answers(&mut second_answers, 1).await,
        [(2, Status::Overloaded)]
    );
    assert_eq!(echo.seen.load(Ordering::Relaxed), 0);
    // The rest of the refused one is skipped, and its lane goes on.
    soon(second.write_all(&[7])).await.expect("open");
    soon(second.write_all(&request(3, b"next")))
        .await
        .expect("open");
    assert_eq!(answers(&mut second_answers, 1).await, [(3, Status::Ok)]);
    soon(first.write_all(&[7])).await.expect("open");
    assert_eq!(answers(&mut first_answers, 1).await, [(1, Status::Ok)]);
    assert_eq!(held(&b), 0);
}

fn held(endpoint: &Endpoint) -> usize {
    let links = endpoint.links();
    links.iter().map(|link| link.half_read().held()).sum()
}

async fn reached_memory(endpoint: &Endpoint, bytes: usize) {
    soon(async {
        while held(endpoint) < bytes {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Answers with as many bytes as the arguments say, little-endian.
#[derive(Debug, Default)]
struct Sized {
    served: AtomicUsize,
    status: Option<Status>,
}

impl Service for Sized {
    fn serve(&self, _link: &Arc<Link>, request: Request) -> Served {
        self.served.fetch_add(1, Ordering::Relaxed);
        let size = request.arguments.first_chunk::<4>().expect("a size");
        let mut answer = request.respond(self.status.unwrap_or(Status::Ok));
        answer
            .body()
            .put_bytes(7, u32::from_le_bytes(*size) as usize);
        Served::Answer(answer)
    }
}

fn sized(fixture: &Fixture, node: &str, status: Option<Status>) -> (Endpoint, Arc<Sized>) {
    let service = Arc::new(Sized {
        status,
        ..Sized::default()
    });
    let endpoint = fixture.endpoint_serving(
        hello(node),
        fixture.identity(node),
        Arc::clone(&service) as _,
    );
    (endpoint, service)
}

#[tokio::test]
async fn an_answer_over_the_limit_or_the_memory_still_says_whether_it_ran() {
    for (status, expected) in [
        (Status::Ok, Status::BadResponse),
        (Status::Overloaded, Status::Overloaded),
        (Status::Interrupted, Status::Interrupted),
    ] {
        for memory in [0, 1 << 30] {
            let mut fixture = Fixture::new();
            let (b, _) = sized(&fixture, "b", Some(status));
            fixture.limits.message_size = 100_000;
            fixture.limits.partial_frames = memory;
            let (a, _) = fixture.endpoint("a");
            let link = a.dial(b.local_addr(), None).await.expect("welcome");
            // With memory it is one byte over the limit, without it is only long.
            let size: u32 = if memory == 0 { 90_000 } else { 100_001 };
            let size = Vec::from(size.to_le_bytes()).leak();
            let response = call(&link, size).await.expect("answered");
            assert_eq!((response.status, response.body.len()), (expected, 0));
            let response = call(&link, &[10, 0, 0, 0]).await.expect("the lane lives");
            assert_eq!((response.status, response.body.len()), (status, 10));
        }
    }
}

#[tokio::test]
async fn messages_up_to_the_limit_pass_both_ways_and_one_byte_more_is_refused() {
    let mut fixture = Fixture::new();
    fixture.limits.message_size = 1 << 20;
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    for (over, expected) in [
        (-1, Status::Ok),
        (0, Status::Ok),
        (1, Status::BadRequest),
        (8_000, Status::BadRequest),
    ] {
        let size = (1_i32 << 20) + over;
        let arguments = vec![7; usize::try_from(size).expect("positive")];
        let (_send, mut recv) = lane(&raw, &request(1, &arguments)).await;
        let answers: Vec<_> = frames_of(&mut recv, 2 << 20).await;
        assert_eq!(answers, [(1, expected)], "{over} bytes over the limit");
    }
    // What cannot be a request and its head any more ends the lane.
    let (_send, mut recv) = lane(&raw, &begun(1, (1 << 20) + 8_192, 1_000)).await;
    assert_eq!(reset_code(&mut recv).await, CloseCode::Malformed as u64);
    assert_eq!(raw.connection.close_reason(), None);
}

/// The one answer of a lane, however long.
async fn frames_of(recv: &mut RecvStream, limit: usize) -> Vec<(u64, Status)> {
    let mut assembler = crate::wire::Assembler::new(limit);
    loop {
        let chunk = soon(recv.read_chunk(usize::MAX, true)).await;
        assembler.push(chunk.expect("open").expect("more").bytes);
        if let Some(frame) = assembler.next().expect("sound") {
            let (id, response) = Response::decode(frame.body).expect("sound");
            return vec![(id, response.status)];
        }
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_lane_and_nothing_else() {
    let mut fixture = Fixture::new();
    fixture.limits.header_wait = Duration::from_millis(300);
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let (mut good, mut good_answers) = lane(&raw, &request(1, b"before")).await;
    answers(&mut good_answers, 1).await;
    let whole = request(2, b"late");
    let begun = Instant::now();
    let mut slow = Vec::new();
    for cut in [1, 4, 5, 12, whole.len() - 1] {
        slow.push(lane(&raw, &whole[..cut]).await);
    }
    for (_, recv) in &mut slow {
        assert_eq!(reset_code(recv).await, CloseCode::Slow as u64);
    }
    assert!(begun.elapsed() >= fixture.limits.header_wait);
    soon(good.write_all(&request(3, b"after")))
        .await
        .expect("open");
    assert_eq!(answers(&mut good_answers, 1).await, [(3, Status::Ok)]);
}

#[tokio::test]
async fn a_request_that_trickles_ends_its_lane_and_one_that_flows_does_not() {
    let mut fixture = Fixture::new();
    fixture.limits.body_progress_window = Duration::from_millis(300);
    // So that what little goes on here forgives nothing.
    fixture.limits.body_progress = 1 << 20;
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let (mut trickle, mut recv) = lane(&raw, &begun(1, 1 << 20, 20_000)).await;
    let trickling = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        loop {
            tick.tick().await;
            if trickle.write_all(&[7]).await.is_err() {
                return;
            }
        }
    });
    assert_eq!(reset_code(&mut recv).await, CloseCode::Slow as u64);
    soon(trickling).await.expect("no panic");
    // Cut up, but brisk.
    let mut rest = request(2, &[7; 400_000]);
    let (mut brisk, mut recv) = lane(&raw, &[]).await;
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(50_000));
        soon(brisk.write_all(&rest)).await.expect("open");
        rest = tail;
        tokio::task::yield_now().await;
    }
    assert_eq!(frames_of(&mut recv, 2 << 20).await, [(2, Status::Ok)]);
}

#[tokio::test]
async fn a_lane_whose_answers_are_not_read_is_cut_and_its_neighbour_is_not() {
    let mut fixture = Fixture::new();
    fixture.limits.body_progress_window = Duration::from_millis(500);
    let (b, service) = sized(&fixture, "b", None);
    let (raw, _control) = member(&fixture, "a", &b).await;
    let mut requests = Vec::new();
    for id in 1..=100 {
        requests.extend(request(id, &(1_u32 << 20).to_le_bytes()));
    }
    let (_send, mut unread) = lane(&raw, &requests).await;
    // What fitted into the windows is still there to be read; then comes the reset.
    reached(&service.served, 1).await;
    let stopped = soon(_send.stopped()).await.expect("stopped, not lost");
    assert!(stopped.is_some());
    assert_eq!(reset_code(&mut unread).await, CloseCode::Slow as u64);
    assert!(service.served.load(Ordering::Relaxed) < 10);
    let (_send, mut recv) = lane(&raw, &request(1, &[1, 0, 0, 0])).await;
    assert_eq!(answers(&mut recv, 1).await, [(1, Status::Ok)]);
}

#[tokio::test]
async fn frames_that_mean_nothing_are_skipped_until_they_are_too_many() {
    let small_void = frame(0, b"");
    let unknown = frame(9, b"from the future");
    let cancel = frame(3, &[77]);
    let unreadable = frame(REQUEST, &[5, 2]);
    for useless in [small_void, unknown, cancel, unreadable] {
        let mut fixture = Fixture::new();
        fixture.limits.offences = 100;
        let (b, _) = fixture.endpoint("b");
        let (raw, _control) = member(&fixture, "a", &b).await;
        let (mut send, mut recv) = lane(&raw, &useless.repeat(100)).await;
        soon(send.write_all(&frame(REQUEST, &request(1, b"x")[5..])))
            .await
            .expect("open");
        answers(&mut recv, 1).await;
        assert_eq!(raw.connection.close_reason(), None);
        let _ = send.write_all(&useless).await;
        assert_eq!(raw.closed().await, CloseCode::ExcessiveLoad as u64);
    }
}

#[tokio::test]
async fn requests_that_were_given_up_are_no_offence_however_many() {
    let mut fixture = Fixture::new();
    fixture.limits.offences = 0;
    let (b, echo) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let mut given_up = request(1, b"x");
    given_up[4] = 0;
    let mut bytes = given_up.repeat(10_000);
    for id in 2..2_000 {
        bytes.extend(request(id, b"x"));
        bytes.extend(frame(3, &[7]));
    }
    let (mut send, recv) = lane(&raw, &[]).await;
    let reading = tokio::spawn(read_all(recv));
    soon(send.write_all(&bytes)).await.expect("open");
    reached(&echo.seen, 1_998).await;
    send.finish().expect("open");
    soon(reading).await.expect("read to its end");
    assert_eq!(raw.connection.close_reason(), None);
}

async fn read_all(mut recv: RecvStream) {
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.expect("open") {
        drop(chunk);
    }
}

#[tokio::test]
async fn a_lane_beyond_the_allowance_waits_and_is_then_served() {
    let mut fixture = Fixture::new();
    fixture.limits.lanes = 8;
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let mut lanes = Vec::new();
    for _ in 0..8 {
        let (send, mut recv) = lane(&raw, &request(1, b"x")).await;
        answers(&mut recv, 1).await;
        lanes.push((send, recv));
    }
    let connection = raw.connection.clone();
    let ninth = tokio::spawn(async move { connection.open_bi().await });
    tokio::task::yield_now().await;
    assert!(!ninth.is_finished(), "there is no ninth yet");
    // QUIC grants new lanes by the eighth of the allowance.
    for (mut send, recv) in lanes.drain(..4) {
        send.finish().expect("open");
        soon(read_all(recv)).await;
    }
    let (mut send, mut recv) = soon(ninth).await.expect("no panic").expect("open");
    soon(send.write_all(&request(1, b"x"))).await.expect("open");
    assert_eq!(answers(&mut recv, 1).await, [(1, Status::Ok)]);
}

#[tokio::test]
async fn a_bad_request_among_a_hundred_lanes_leaves_the_others_alone() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let mut lanes = Vec::new();
    for index in 0..100 {
        let bytes = if index == 41 {
            frame(REQUEST, &[1, 0, 1, 1, 0xff, 1])
        } else {
            request(1, b"fine")
        };
        lanes.push(lane(&raw, &bytes).await);
    }
    let mut fine = 0;
    for (_, recv) in &mut lanes {
        fine += usize::from(answers(recv, 1).await == [(1, Status::Ok)]);
    }
    assert_eq!(fine, 99);
}

#[tokio::test]
async fn a_retired_link_ends_with_the_longest_deadline_although_its_peer_never_says_done() {
    let mut fixture = Fixture::new();
    fixture.limits.deadline = Duration::ZERO;
    let (b, _) = fixture.endpoint("b");
    let (raw, _control) = member(&fixture, "a", &b).await;
    let (_retire, _control) = (raw.connection.clone(), _control);
    until(&b, |b| !b.links().is_empty()).await;
    b.links()[0].retire();
    assert_eq!(raw.closed().await, CloseCode::Retired as u64);
}
