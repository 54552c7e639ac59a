//! Lanes under honest and broken use: what one call or one lane does never reaches the others.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::BytesMut;

use super::fixture::{Fixture, REQUEST, Raw, call, frame, reached, send, soon, until};
use crate::{
    Abandoned, CallLost, CloseCode, Link, RequestHead, SendRefused, Status,
    wire::{Assembler, Frame, Response},
};

async fn connected(
    fixture: &Fixture,
) -> (
    crate::Endpoint,
    crate::Endpoint,
    Arc<super::fixture::Echo>,
    Arc<Link>,
) {
    let ((a, _), (b, echo)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let link = a.dial(b.local_addr(), None).await.expect("welcome");
    (a, b, echo, link)
}

/// A whole request frame for function `echo`.
pub(super) fn request(id: u64, arguments: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let head = RequestHead {
        function: "echo",
        version: 1,
        contract: [0; 16],
        trace: None,
        for_primary: false,
    };
    head.put(&mut out, id, Duration::from_secs(9), arguments.len());
    out.extend_from_slice(arguments);
    out.to_vec()
}

/// The next frames of a lane.
pub(super) async fn frames(recv: &mut quinn::RecvStream, count: usize) -> Vec<Frame> {
    let mut assembler = Assembler::new(1 << 20);
    let mut frames = Vec::new();
    while frames.len() < count {
        let chunk = soon(recv.read_chunk(usize::MAX, true))
            .await
            .expect("open")
            .expect("more to come");
        assembler.push(chunk.bytes);
        while let Some(frame) = assembler.next().expect("sound") {
            frames.push(frame);
        }
    }
    frames
}

#[tokio::test]
async fn many_calls_share_a_lane_and_each_gets_its_own_answer() {
    let fixture = Fixture::new();
    let (_a, _b, _, link) = connected(&fixture).await;
    let mut pending = Vec::new();
    for index in 0..500_u16 {
        let text: &'static [u8] = Box::leak(index.to_le_bytes().into());
        pending.push((text, send(&link, "echo", text).await));
    }
    for (text, call) in pending {
        let response = soon(call).await.expect("answered");
        assert_eq!((response.status, &response.body[..]), (Status::Ok, text));
    }
    assert_eq!(link.in_flight(), 0);
}

#[tokio::test]
async fn an_abandoned_call_drops_its_handler_and_nobody_gets_its_answer() {
    let fixture = Fixture::new();
    let (_a, _b, echo, link) = connected(&fixture).await;
    let waiting = send(&link, "wait", b"1").await;
    reached(&echo.seen, 1).await;
    assert!(matches!(waiting.abandon(), Abandoned::MayHaveLeft));
    reached(&echo.dropped, 1).await;
    let next = send(&link, "wait", b"2").await;
    echo.gate.add_permits(1);
    assert_eq!(&soon(next).await.expect("answered").body[..], b"2");
    assert_eq!(&call(&link, b"3").await.expect("answered").body[..], b"3");
    assert_eq!(link.in_flight(), 0);
}

#[tokio::test]
async fn a_lost_connection_says_whether_the_request_may_have_left() {
    let fixture = Fixture::new();
    let (a, b, _, link) = connected(&fixture).await;
    let waiting = send(&link, "wait", b"1").await;
    b.close().await;
    assert_eq!(
        soon(waiting).await.expect_err("lost"),
        CallLost::MayHaveLeft
    );
    soon(link.closed()).await;
    let head = RequestHead {
        function: "echo",
        version: 1,
        contract: [0; 16],
        trace: None,
        for_primary: false,
    };
    let refused = link
        .call(&head, &bytes::Bytes::new(), tokio::time::Instant::now())
        .await;
    assert_eq!(refused.expect_err("closed"), SendRefused::Closed);
    assert!(a.links().is_empty());
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_alone() {
    let fixture = Fixture::new();
    let (b, echo) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let (mut send, mut recv) = raw.connection.open_bi().await.expect("open");
    let unknown_critical_flag = frame(REQUEST, &[5, 0b0000_0010, 1, 1, b'f', 1]);
    let cut_short = frame(REQUEST, &request(6, b"")[5..20]);
    let not_utf8 = frame(REQUEST, &[&[7, 0, 1, 1, 0xff, 1][..], &[0; 16]].concat());
    for bytes in [
        unknown_critical_flag,
        cut_short,
        not_utf8,
        request(8, b"fine"),
    ] {
        send.write_all(&bytes).await.expect("open");
    }
    let answers: Vec<(u64, Status)> = frames(&mut recv, 4)
        .await
        .into_iter()
        .map(|frame| Response::decode(frame.body).expect("sound"))
        .map(|(id, response)| (id, response.status))
        .collect();
    assert_eq!(
        answers,
        [
            (5, Status::BadRequest),
            (6, Status::BadRequest),
            (7, Status::BadRequest),
            (8, Status::Ok)
        ]
    );
    assert_eq!(echo.seen.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn unknown_and_void_frames_are_skipped() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let (mut send, mut recv) = raw.connection.open_bi().await.expect("open");
    for bytes in [
        frame(0, b"anything"),
        frame(9, b"from the future"),
        frame(200, b""),
        frame(3, b""),
        frame(3, &[77]),
        request(1, b"x"),
    ] {
        send.write_all(&bytes).await.expect("open");
    }
    assert_eq!(frames(&mut recv, 1).await.len(), 1);
}

#[tokio::test]
async fn bytes_that_are_no_frames_end_their_lane_and_nothing_else() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let (mut good_send, mut good_recv) = raw.connection.open_bi().await.expect("open");
    good_send
        .write_all(&request(1, b"before"))
        .await
        .expect("open");
    frames(&mut good_recv, 1).await;
    for bytes in [&[0, 0, 0, 0, 1][..], &[0xff, 0xff, 0xff, 0xff, 1][..]] {
        let (mut send, mut recv) = raw.connection.open_bi().await.expect("open");
        send.write_all(bytes).await.expect("open");
        let end = soon(recv.read_chunk(1, true)).await.expect_err("reset");
        assert!(
            matches!(end, quinn::ReadError::Reset(code) if code.into_inner() == CloseCode::Malformed as u64),
            "{end}"
        );
    }
    good_send
        .write_all(&request(2, b"after"))
        .await
        .expect("open");
    frames(&mut good_recv, 1).await;
}

#[tokio::test]
async fn a_request_cut_by_the_end_of_its_lane_is_not_run() {
    let fixture = Fixture::new();
    let (b, echo) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let whole = request(1, b"do not run this");
    for cut in [1, 4, 5, 12, whole.len() - 1] {
        let (mut send, mut recv) = raw.connection.open_bi().await.expect("open");
        send.write_all(&whole[..cut]).await.expect("open");
        send.finish().expect("open");
        assert!(
            soon(recv.read_chunk(1, true)).await.is_err(),
            "the lane is reset, not answered"
        );
    }
    assert_eq!(echo.seen.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_promised_length_costs_the_promise_nothing_but_its_lane() {
    let fixture = Fixture::new();
    let (b, _) = fixture.endpoint("b");
    let raw = fixture.raw("a", &b).await;
    let _control = raw.introduce("a").await;
    let mut lanes = Vec::new();
    for _ in 0..100 {
        let (mut send, recv) = raw.connection.open_bi().await.expect("open");
        send.write_all(&[0, 0, 0x40, 0, REQUEST])
            .await
            .expect("open");
        lanes.push((send, recv));
    }
    still_serves(&raw).await;
}

async fn still_serves(raw: &Raw) {
    let (mut send, mut recv) = raw.connection.open_bi().await.expect("open");
    send.write_all(&request(1, b"x")).await.expect("open");
    frames(&mut recv, 1).await;
}

#[tokio::test]
async fn a_peer_that_stops_answering_pings_is_given_up_and_its_calls_are_unknown() {
    let mut fixture = Fixture::new();
    fixture.limits.silence_lost = Duration::from_millis(1500);
    fixture.limits.silence_suspect = Duration::from_millis(500);
    let (a, _) = fixture.endpoint("a");
    // A relay that can be cut stands for the network.
    let (b, _) = fixture.endpoint("b");
    let relay = tokio::net::UdpSocket::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = relay.local_addr().expect("bound");
    let there = b.local_addr();
    let forward = tokio::spawn(async move {
        let mut buffer = vec![0; 65536];
        let mut dialler = None;
        while let Ok((length, from)) = relay.recv_from(&mut buffer).await {
            let to = if from == there {
                dialler
            } else {
                dialler.replace(from).and(Some(there)).or(Some(there))
            };
            if let Some(to) = to {
                let _ = relay.send_to(&buffer[..length], to).await;
            }
        }
    });
    let link = soon(a.dial(address, None)).await.expect("welcome");
    let waiting = send(&link, "wait", b"1").await;
    call(&link, b"through").await.expect("answered");
    forward.abort();
    assert_eq!(
        soon(waiting).await.expect_err("lost"),
        CallLost::MayHaveLeft
    );
    until(&a, |a| a.links().is_empty()).await;
}
