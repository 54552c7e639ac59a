//! The bytes of `PROTOCOL.md`: one example of each message, written there and encoded here, must be
//! the same.
//!
//! If one of these tests fails, the wire format has changed. PROTOCOL.md, *Changing this document*,
//! says what that takes.

use std::{sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Assembler, Catalogue, Frame, FrameKind, Greeting, Hello, Offer, Request, RequestHead, Response,
    ResponseFrame, Status, View, cancel_frame,
};
use crate::control::{Control, hello_frame};

/// The bytes under a heading `#### Example: <name>` of the document.
pub(super) fn documented(name: &str) -> Vec<u8> {
    let document = include_str!("../../../PROTOCOL.md");
    let heading = format!("#### Example: {name}\n");
    let section = document
        .split_once(&heading)
        .unwrap_or_else(|| panic!("PROTOCOL.md has no {heading:?}"))
        .1;
    let block = section
        .split("```")
        .nth(1)
        .expect("a fenced block under the heading");
    let bytes = block.lines().skip(1).flat_map(|line| {
        let hex = line.split('#').next().unwrap_or_default();
        hex.split_whitespace().map(|byte| {
            u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{byte:?} in {name}"))
        })
    });
    bytes.collect()
}

fn check(name: &str, encoded: &[u8]) {
    let shown = encoded
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(documented(name), encoded, "\n{name} is now:\n{shown}\n");
}

fn decode(encoded: &[u8]) -> Frame {
    let mut assembler = Assembler::new(1 << 20);
    assembler.push(Bytes::copy_from_slice(encoded));
    let frame = assembler.next().expect("sound").expect("whole");
    assert!(assembler.next().expect("sound").is_none() && assembler.is_at_boundary());
    frame
}

fn request() -> BytesMut {
    let mut out = BytesMut::new();
    let arguments = [7, 5, b'h', b'e', b'l', b'l', b'o'];
    let head = RequestHead {
        function: "create_post",
        version: 2,
        contract: [0xab; 16],
        trace: None,
        for_primary: false,
    };
    head.put(
        &mut out,
        1_048_576,
        Duration::from_millis(800),
        arguments.len(),
    );
    out.put_slice(&arguments);
    out
}

fn traced_request() -> BytesMut {
    let mut out = BytesMut::new();
    let mut trace = [0x11; 26];
    trace[0] = 0;
    trace[25] = 1;
    let head = RequestHead {
        function: "f",
        version: 300,
        contract: [0; 16],
        trace: Some(trace),
        for_primary: false,
    };
    head.put(&mut out, 5, Duration::from_micros(1), 0);
    out
}

fn request_for_the_primary() -> BytesMut {
    let mut out = BytesMut::new();
    let head = RequestHead {
        function: "f",
        version: 1,
        contract: [0; 16],
        trace: None,
        for_primary: true,
    };
    head.put(&mut out, 6, Duration::from_micros(1), 0);
    out
}

fn response() -> BytesMut {
    let mut frame = ResponseFrame::new(1_048_576, Status::Ok);
    frame.body().put_slice(&[0, 42]);
    frame.finish()
}

fn refusal() -> BytesMut {
    ResponseFrame::new(7, Status::Overloaded).finish()
}

fn cancel() -> BytesMut {
    let mut out = BytesMut::new();
    cancel_frame(&mut out, 1_048_576);
    out
}

fn hello() -> Hello {
    let offer = Offer {
        name: "upcase".into(),
        version: 1,
        fingerprint: [0xcd; 16],
        contract: "upcase@1(text: str) -> str".into(),
    };
    Hello {
        protocol: 1..=1,
        cluster: "guestbook".into(),
        node: "148e306f77e389".into(),
        incarnation: 1_790_000_000_000_000,
        region: "syd".into(),
        view: View {
            region: "iad".into(),
            epoch: Some(7),
            vouched: true,
        },
        build: "v7".into(),
        advertise: Some(([127, 0, 0, 1], 7411).into()),
        dial: 3,
        message_size: 4_194_304,
        draining: false,
        observer: false,
        catalogue: Arc::new(Catalogue::new([offer])),
    }
}

#[test]
fn a_request_is_as_documented_and_comes_back() {
    check("request", &request());
    let decoded = Request::decode(decode(&request()).body).expect("sound");
    assert_eq!(
        (decoded.call, decoded.function(), decoded.version),
        (1_048_576, "create_post", 2)
    );
    assert_eq!(
        (decoded.contract, decoded.remaining),
        ([0xab; 16], Duration::from_millis(800))
    );
    assert_eq!(&decoded.arguments[..], [7, 5, b'h', b'e', b'l', b'l', b'o']);
}

#[test]
fn a_request_with_trace_context_is_as_documented_and_comes_back() {
    check("request with trace context", &traced_request());
    let decoded = Request::decode(decode(&traced_request()).body).expect("sound");
    assert_eq!(
        (decoded.version, decoded.trace.map(|trace| trace[25])),
        (300, Some(1))
    );
    assert!(decoded.arguments.is_empty());
}

#[test]
fn a_request_for_the_primary_is_as_documented_and_comes_back() {
    check("request for the primary", &request_for_the_primary());
    let meant = |request: BytesMut| {
        let decoded = Request::decode(decode(&request).body).expect("sound");
        decoded.for_primary
    };
    assert!(meant(request_for_the_primary()));
    assert!(!meant(request()) && !meant(traced_request()));
}

#[test]
fn a_hello_of_a_build_without_epochs_says_a_region_and_no_more() {
    let view = View {
        epoch: None,
        vouched: false,
        ..hello().view
    };
    let old = Hello { view, ..hello() };
    let bytes = Greeting::from(old.clone()).encode();
    assert_eq!(bytes.len() + 4, Greeting::from(hello()).encode().len());
    assert_eq!(Greeting::decode(bytes.freeze()), Ok(old.into()));
}

#[test]
fn fields_behind_those_of_a_view_are_skipped() {
    let view = hello().view;
    let mut newer = view.encode();
    newer.put_slice(&[1, 2, 3]);
    assert_eq!(View::decode(newer.freeze()), Ok(view.clone()));
    let mut mark = BytesMut::new();
    view.put_mark(&mut mark);
    mark.put_u8(9);
    let section = [&[14, mark.len() as u8], &mark[..]].concat();
    let mut hello_bytes = Greeting::from(hello()).encode();
    hello_bytes.truncate(hello_bytes.len() - 4);
    hello_bytes.put_slice(&section);
    assert_eq!(Greeting::decode(hello_bytes.freeze()), Ok(hello().into()));
}

#[test]
fn a_response_is_as_documented_and_comes_back() {
    check("response", &response());
    let (call, decoded) = Response::decode(decode(&response()).body).expect("sound");
    assert_eq!(
        (call, decoded.status, &decoded.body[..]),
        (1_048_576, Status::Ok, &[0, 42][..])
    );
    check("refusal", &refusal());
}

#[test]
fn a_cancel_is_as_documented() {
    check("cancel", &cancel());
    assert_eq!(decode(&cancel()).kind, Some(FrameKind::Cancel));
}

#[test]
fn a_hello_is_as_documented_and_comes_back() {
    check("hello", &hello_frame(&hello().into()));
    assert_eq!(
        Greeting::decode(decode(&hello_frame(&hello().into())).body),
        Ok(hello().into())
    );
}

#[test]
fn a_hello_by_digest_is_as_documented_and_comes_back_without_the_catalogue() {
    let by_digest = Greeting {
        known: vec![hello().catalogue.digest(), [0xee; 16]],
        leaves_out: true,
        asks: true,
        ..hello().into()
    };
    check("hello by digest", &hello_frame(&by_digest));
    let decoded = Greeting::decode(by_digest.encode().freeze()).expect("sound");
    assert!(decoded.hello.catalogue.is_empty());
    let hello = Hello {
        catalogue: hello().catalogue,
        ..decoded.hello.clone()
    };
    assert_eq!(Greeting { hello, ..decoded }, by_digest);
}

#[test]
fn a_hello_before_calls_is_as_documented_and_comes_back() {
    let before_calls = Greeting {
        known: vec![hello().catalogue.digest()],
        leaves_out: true,
        takes_for: Some((1_790_000_000_000_001, "hkg".into())),
        ..hello().into()
    };
    check("hello before calls", &hello_frame(&before_calls));
    let decoded = Greeting::decode(before_calls.encode().freeze()).expect("sound");
    assert_eq!(decoded.takes_for, before_calls.takes_for);
}

#[test]
fn an_observer_says_so_with_one_section_and_is_skipped_by_who_does_not_know_it() {
    let observer = Hello {
        observer: true,
        ..hello()
    };
    let said = Greeting::from(observer).encode();
    let section = [18, 0];
    assert_eq!(
        said.strip_suffix(&section),
        Some(&*Greeting::from(hello()).encode())
    );
    assert!(Greeting::decode(said.freeze()).is_ok_and(|greeting| greeting.hello.observer));
}

#[test]
fn control_messages_are_as_documented_and_come_back() {
    let catalogue = hello().catalogue;
    for (name, control) in [
        ("catalogue", Control::Catalogue(catalogue)),
        ("draining", Control::Draining { accepted: 300 }),
        ("retire", Control::Retire),
        ("done", Control::Done),
        ("ping", Control::Ping(1)),
        ("pong", Control::Pong(1)),
        ("view", Control::View(hello().view)),
        ("gossip", Control::Gossip(Bytes::from_static(&[2, 0, 7]))),
    ] {
        check(name, &control.encode());
        assert_eq!(
            Control::decode(decode(&control.encode())),
            Ok(Some(control))
        );
    }
}

#[test]
fn sections_and_fields_of_a_newer_hello_are_skipped() {
    let mut newer = Greeting::from(hello()).encode();
    newer.put_slice(&[0x7f, 3, 1, 2, 3]);
    assert_eq!(Greeting::decode(newer.freeze()), Ok(hello().into()));
}

#[test]
fn a_hello_that_repeats_or_lacks_a_section_is_refused() {
    let whole = Greeting::from(hello()).encode();
    let mut twice = whole.clone();
    twice.put_slice(&[2, 1, b'x']);
    assert!(Greeting::decode(twice.freeze()).is_err());
    // Sections stand in the order of their numbers; without the first it cannot be read.
    assert!(Greeting::decode(whole.freeze().slice(4..)).is_err());
    assert!(Greeting::decode(Bytes::new()).is_err());
}

#[test]
fn a_hello_of_another_protocol_says_which() {
    let newer = Hello {
        protocol: 2..=9,
        ..hello()
    };
    let error = Greeting::decode(Greeting::from(newer).encode().freeze())
        .expect_err("no version in common")
        .to_string();
    assert!(error.contains("2–9") && error.contains("1–1"), "{error}");
}

/// Whatever is done to a message, reading it ends in a message or an error.
fn read_anything(bytes: &[u8]) {
    let mut assembler = Assembler::new(4096);
    assembler.push(Bytes::copy_from_slice(bytes));
    while let Ok(Some(frame)) = assembler.next() {
        let _ = match frame.kind {
            Some(FrameKind::Request) => Request::decode(frame.body).map(drop).map_err(drop),
            Some(FrameKind::Response) => Response::decode(frame.body).map(drop).map_err(drop),
            Some(FrameKind::Hello) => Greeting::decode(frame.body).map(drop).map_err(drop),
            _ => Control::decode(frame).map(drop).map_err(drop),
        };
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_of_a_message_ends_in_a_message_or_an_error() {
    for message in [
        request(),
        traced_request(),
        request_for_the_primary(),
        Control::View(hello().view).encode(),
        response(),
        refusal(),
        cancel(),
        hello_frame(&hello().into()),
        hello_frame(&Greeting {
            known: vec![[0xee; 16]; 2],
            leaves_out: true,
            asks: true,
            ..hello().into()
        }),
    ] {
        for cut in 0..message.len() {
            read_anything(&message[..cut]);
        }
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            read_anything(&flipped);
        }
    }
}

#[test]
fn a_request_cut_short_is_never_taken_for_a_whole_one() {
    let whole = request();
    // Behind its own end everything is argument bytes, which the contract's decoder judges; before
    // it the head is incomplete.
    let head = whole.len() - 7;
    for cut in super::LENGTH + 1..head {
        assert!(
            Request::decode(Bytes::copy_from_slice(&whole[super::LENGTH + 1..cut])).is_err(),
            "cut at {cut}"
        );
    }
}
