//! The messages of `PROTOCOL.md`, cut, with a bit flipped, and spelled in another way.

use bytes::Bytes;

use crate::{
    control::Control,
    fuzzing,
    wire::{
        Assembler, Frame, FrameKind, Greeting, LENGTH, Request, Response, decode_call_id,
        golden::documented,
    },
};

/// What a message says, as text: equal texts are equal messages. An error says nothing.
fn meaning(bytes: &[u8]) -> Option<String> {
    let mut assembler = Assembler::new(4096);
    assembler.push(Bytes::copy_from_slice(bytes));
    let frame = assembler.next().ok()??;
    body_meaning(frame)
}

fn body_meaning(frame: Frame) -> Option<String> {
    match frame.kind {
        Some(FrameKind::Request) => Some(format!("{:?}", Request::decode(frame.body).ok()?)),
        Some(FrameKind::Response) => Some(format!("{:?}", Response::decode(frame.body).ok()?)),
        Some(FrameKind::Cancel) => Some(format!("cancel {:?}", decode_call_id(frame.body).ok()?)),
        Some(FrameKind::Hello) => Some(format!("{:?}", Greeting::decode(frame.body).ok()?)),
        _ => Some(format!("{:?}", Control::decode(frame).ok()??)),
    }
}

#[test]
fn no_prefix_of_a_frame_is_a_frame() {
    for name in MESSAGES {
        let whole = documented(name);
        assert!(meaning(&whole).is_some(), "{name}");
        for cut in 0..whole.len() {
            let mut assembler = Assembler::new(4096);
            assembler.push(Bytes::copy_from_slice(&whole[..cut]));
            assert_eq!(assembler.next(), Ok(None), "{name}, cut at {cut}");
            assert_eq!(assembler.is_at_boundary(), cut == 0, "{name}, cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_is_another_message_or_an_error() {
    let mut skipped = 0;
    for name in MESSAGES {
        let whole = documented(name);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The targets know more of what must hold.
            let body = &flipped[LENGTH + 1..];
            fuzzing::frames(&[&[0, 16, 3, 0], &flipped[..]].concat());
            fuzzing::hello(&flipped[LENGTH..]);
            for kind in 0..3 {
                fuzzing::headers(&[&[kind], body].concat());
            }
            if meaning(&flipped) == meaning(&whole) {
                skipped += 1;
                assert!(is_skipped(name, bit), "{name}, bit {bit}");
            }
        }
    }
    // Three flags of three requests and seven of four views, and the letters of the names of three
    // nodes and of eight regions.
    assert_eq!(skipped, 3 * 3 + 4 * 7 + 33);
}

/// Flags that a newer peer may set, bits 5 to 7 of a request's and all but the first of a view's; and
/// the case of letters in names.
fn is_skipped(name: &str, bit: usize) -> bool {
    let (flags, known, has_names) = match name {
        "request" => (LENGTH + 1 + 3, 5, false),
        "request with trace context" | "request for the primary" => (LENGTH + 1 + 1, 5, false),
        // The last byte.
        "hello" => (documented(name).len() - 1, 1, true),
        // Behind it come two digests and a question.
        "hello by digest" => (documented(name).len() - 1 - (2 + 32 + 2), 1, true),
        // Behind it come a digest, a life and a region.
        "hello before calls" => (documented(name).len() - 1 - (2 + 16 + 2 + 12), 1, true),
        "view" => (LENGTH + 1 + 1, 1, true),
        _ => return false,
    };
    (bit / 8 == flags && bit % 8 >= known) || (has_names && bit % 8 == 5)
}

#[test]
fn a_number_in_a_header_is_refused_in_any_form_but_its_shortest() {
    let numbers: [(&str, &[usize]); 9] = [
        // The call, the time that remains, the version.
        ("request", &[0, 4, 19]),
        ("request with trace context", &[0, 2, 5]),
        ("request for the primary", &[0, 2, 5]),
        ("view", &[0]),
        ("response", &[0]),
        ("refusal", &[0]),
        ("cancel", &[0]),
        ("draining", &[0]),
        ("ping", &[0]),
    ];
    for (name, starts) in numbers {
        let whole = documented(name);
        let kind = FrameKind::from_byte(whole[LENGTH]);
        for &start in starts {
            let mut body = whole[LENGTH + 1..].to_vec();
            let end = start
                + body[start..]
                    .iter()
                    .take_while(|&&byte| byte >= 0x80)
                    .count();
            body[end] |= 0x80;
            body.insert(end + 1, 0);
            let body = Bytes::from(body);
            assert_eq!(
                body_meaning(Frame {
                    kind,
                    body,
                    cut: false
                }),
                None,
                "{name}, {start}"
            );
        }
    }
}

const MESSAGES: [&str; 16] = [
    "hello before calls",
    "hello by digest",
    "request",
    "request with trace context",
    "request for the primary",
    "view",
    "response",
    "refusal",
    "cancel",
    "hello",
    "catalogue",
    "draining",
    "retire",
    "done",
    "ping",
    "pong",
];
