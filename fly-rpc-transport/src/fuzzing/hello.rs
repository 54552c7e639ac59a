//! Hellos, catalogues and the other messages of the control stream.

use bytes::Bytes;

use super::Input;
use crate::{
    control::Control,
    wire::{Catalogue, Frame, FrameKind, Greeting, LENGTH},
};

/// The kind of a control message, then its body.
///
/// # Panics
///
/// If a message is read that reads otherwise once it was written again.
pub fn hello(data: &[u8]) {
    let mut input = Input(data);
    let kind = FrameKind::from_byte(input.byte());
    let body = Bytes::copy_from_slice(input.0);
    if kind == Some(FrameKind::Hello) {
        return greeting(body);
    }
    let cut = false;
    let frame = Frame { kind, body, cut };
    match Control::decode(frame) {
        Ok(Some(Control::Catalogue(catalogue))) => served(&catalogue),
        Ok(Some(control)) => {
            let again = Frame {
                kind,
                body: control.encode().freeze().slice(LENGTH + 1..),
                cut,
            };
            assert_eq!(Control::decode(again), Ok(Some(control)));
        }
        Ok(None) => {}
        Err(error) => readable(&error),
    }
}

fn greeting(body: Bytes) {
    let greeting = match Greeting::decode(body) {
        Ok(greeting) => greeting,
        Err(error) => return readable(&error),
    };
    let hello = &greeting.hello;
    served(&hello.catalogue);
    // Long texts are cut when they are written, so it is the second writing that must not differ.
    let written = greeting.encode();
    let again = Greeting::decode(written.clone().freeze()).expect("what was written is read");
    assert_eq!(again.encode(), written);
    assert_eq!((&again.known, again.asks), (&greeting.known, greeting.asks));
    let again = again.hello;
    assert_eq!((&again.node, &again.region), (&hello.node, &hello.region));
    assert!(hello.node.is_well_formed() && hello.region.is_well_formed());
}

fn served(catalogue: &Catalogue) {
    assert_eq!(catalogue.offers().count(), catalogue.len());
    for offer in catalogue.offers() {
        assert!((1..=128).contains(&offer.name.len()));
        assert_eq!(catalogue.find(&offer.name, offer.version), Some(offer));
        let versions = catalogue.versions(&offer.name);
        assert!(versions.is_sorted_by(|a, b| a.version < b.version));
    }
    let written = catalogue.encode();
    let again = Catalogue::decode(written.clone().freeze()).expect("what was written is read");
    assert_eq!(again.encode(), written);
}

/// A peer's bytes are no way to fill a log.
fn readable(error: &dyn std::error::Error) {
    assert!(error.to_string().len() < 256, "{error}");
}
