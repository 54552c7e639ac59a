//! Whatever is written comes back.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, option, prelude::*};

use crate::{
    Region,
    control::{Control, hello_frame},
    wire::{
        Assembler, Catalogue, DIGESTS, Frame, FrameKind, Greeting, Hello, Offer, Request,
        RequestHead, Response, ResponseFrame, Status, View, cancel_frame, decode_call_id,
    },
};

/// The one frame in these bytes.
fn frame(bytes: impl Into<Bytes>) -> Frame {
    let mut assembler = Assembler::new(1 << 20);
    assembler.push(bytes.into());
    let frame = assembler.next().expect("sound").expect("whole");
    assert_eq!(assembler.next(), Ok(None));
    assert!(assembler.is_at_boundary());
    frame
}

fn offers() -> impl Strategy<Value = Catalogue> {
    let offer = ("[a-zé]{1,20}", any::<u32>(), any::<[u8; 16]>(), ".{0,60}");
    let offer = offer.prop_map(|(name, version, fingerprint, contract)| Offer {
        name,
        version,
        fingerprint,
        contract,
    });
    vec(offer, 0..8).prop_map(Catalogue::new)
}

fn views() -> impl Strategy<Value = View> {
    let view = (regions(), any::<u64>(), any::<bool>());
    view.prop_map(|(region, epoch, vouched)| View {
        region,
        epoch: Some(epoch),
        vouched,
    })
}

fn regions() -> impl Strategy<Value = Region> {
    "[a-z0-9_-]{1,63}".prop_map(|region| region.as_str().into())
}

fn hellos() -> impl Strategy<Value = Hello> {
    let name = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?";
    let who = ((0..=1_u32, 1..u32::MAX), ".{0,40}", name, any::<u64>());
    let place = (
        name,
        option::of(views()),
        ".{0,40}",
        option::of(any::<std::net::Ipv4Addr>()),
    );
    let rest = (any::<u64>(), any::<u64>(), any::<[bool; 2]>(), offers());
    (who, place, rest).prop_map(|(who, place, rest)| {
        let ((low, high), cluster, node, incarnation) = who;
        let (region, view, build, address) = place;
        let (dial, message_size, [draining, observer], catalogue) = rest;
        Hello {
            protocol: low..=high,
            cluster,
            node: node.as_str().into(),
            incarnation,
            region: region.as_str().into(),
            view: view.unwrap_or_else(|| View {
                epoch: None,
                ..View::configured("old")
            }),
            build,
            advertise: address.map(|address| (address, 7411).into()),
            dial,
            message_size,
            draining,
            observer,
            catalogue: Arc::new(catalogue),
        }
    })
}

fn controls() -> impl Strategy<Value = Control> {
    prop_oneof![
        offers().prop_map(|offers| Control::Catalogue(offers.into())),
        any::<u64>().prop_map(|accepted| Control::Draining { accepted }),
        Just(Control::Retire),
        Just(Control::Done),
        any::<u64>().prop_map(Control::Ping),
        any::<u64>().prop_map(Control::Pong),
        views().prop_map(Control::View),
        vec(any::<u8>(), 0..64).prop_map(|body| Control::Gossip(body.into())),
    ]
}

#[test]
fn the_longest_head_of_a_request_fits() {
    let head = RequestHead {
        function: &"f".repeat(255),
        version: u32::MAX,
        contract: [7; 16],
        trace: Some([7; 26]),
        for_primary: true,
    };
    let mut bytes = BytesMut::new();
    head.put(&mut bytes, u64::MAX, Duration::MAX, 0);
    let request = Request::decode(frame(bytes).body).expect("sound");
    assert_eq!(request.function().len(), 255);
    assert_eq!((request.call, request.version), (u64::MAX, u32::MAX));
}

proptest! {
    #[test]
    fn every_request_comes_back(
        call: u64,
        version: u32,
        micros: u64,
        function in ".{0,40}",
        contract: [u8; 16],
        trace in option::of(any::<[u8; 26]>()),
        for_primary: bool,
        arguments in vec(any::<u8>(), 0..300),
    ) {
        let head = RequestHead { function: &function, version, contract, trace, for_primary };
        let remaining = Duration::from_micros(micros);
        let mut bytes = BytesMut::new();
        head.put(&mut bytes, call, remaining, arguments.len());
        bytes.extend_from_slice(&arguments);
        let frame = frame(bytes);
        prop_assert_eq!(frame.kind, Some(FrameKind::Request));
        let request = Request::decode(frame.body).expect("sound");
        prop_assert_eq!((request.call, request.version), (call, version));
        prop_assert_eq!(request.function(), function.as_str());
        prop_assert_eq!((request.contract, request.trace), (contract, trace));
        prop_assert_eq!(request.for_primary, for_primary);
        prop_assert_eq!(request.remaining, remaining);
        prop_assert_eq!(&request.arguments[..], &arguments);
    }

    #[test]
    fn every_answer_comes_back(call: u64, status: u8, value in vec(any::<u8>(), 0..300)) {
        let answer = ResponseFrame::new(call, Status::from_byte(status)).with_detail(&value);
        let frame = frame(answer.finish());
        prop_assert_eq!(frame.kind, Some(FrameKind::Response));
        let (id, response) = Response::decode(frame.body).expect("sound");
        prop_assert_eq!((id, response.status.to_byte()), (call, status));
        prop_assert_eq!(&response.body[..], &value);
    }

    #[test]
    fn every_cancel_comes_back(call: u64) {
        let mut bytes = BytesMut::new();
        cancel_frame(&mut bytes, call);
        let frame = frame(bytes);
        prop_assert_eq!(frame.kind, Some(FrameKind::Cancel));
        prop_assert_eq!(decode_call_id(frame.body), Ok(call));
    }

    #[test]
    fn every_hello_comes_back(hello in hellos(), known in vec(any::<[u8; 16]>(), 0..DIGESTS), asks: bool, takes_for in option::of((any::<u64>(), regions()))) {
        let greeting = Greeting { known, asks, takes_for, ..hello.into() };
        let frame = frame(hello_frame(&greeting));
        prop_assert_eq!(frame.kind, Some(FrameKind::Hello));
        prop_assert_eq!(Greeting::decode(frame.body), Ok(greeting));
    }

    #[test]
    fn every_control_message_comes_back(control in controls()) {
        prop_assert_eq!(Control::decode(frame(control.encode())), Ok(Some(control)));
    }
}
