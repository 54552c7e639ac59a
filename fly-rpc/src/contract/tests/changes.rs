//! What is a change of the contract, and what is none.

use serde::{Deserialize, Serialize};

use super::{fingerprint, trace};

macro_rules! versions {
    ($($version:ident { $($item:item)* })*) => {$(
        mod $version {
            use super::*;
            $(#[derive(Serialize, Deserialize)] $item)*
        }
    )*};
}

versions! {
    original { pub(super) struct Post { id: u64, body: String } pub(super) enum Kind { A(u8), B } }
    moved { pub(super) struct Post { id: u64, body: Box<str> } pub(super) enum Kind { A(u8), B } }
    retyped { pub(super) struct Post { id: u32, body: String } pub(super) enum Kind { A(u16), B } }
    swapped { pub(super) struct Post { body: String, id: u64 } pub(super) enum Kind { B, A(u8) } }
    renamed { pub(super) struct Post { id: u64, text: String } pub(super) enum Kind { A(u8), C } }
    longer { pub(super) struct Post { id: u64, body: String, at: u8 } pub(super) enum Kind { A(u8), B, C } }
    other { pub(super) struct Page { id: u64, body: String } pub(super) enum Sort { A(u8), B } }
    reshaped { pub(super) struct Post(u64, String); pub(super) enum Kind { A { a: u8 }, B } }
}

#[test]
fn moving_a_type_or_boxing_a_part_changes_nothing() {
    assert_eq!(
        fingerprint::<original::Post>(),
        fingerprint::<moved::Post>()
    );
    assert_eq!(
        fingerprint::<original::Kind>(),
        fingerprint::<moved::Kind>()
    );
}

#[test]
fn every_other_change_of_a_struct_shows() {
    let original = fingerprint::<original::Post>();
    assert_ne!(original, fingerprint::<retyped::Post>());
    assert_ne!(original, fingerprint::<swapped::Post>());
    assert_ne!(original, fingerprint::<renamed::Post>());
    assert_ne!(original, fingerprint::<longer::Post>());
    assert_ne!(original, fingerprint::<other::Page>());
    assert_ne!(original, fingerprint::<reshaped::Post>());
}

#[test]
fn every_other_change_of_an_enum_shows() {
    let original = fingerprint::<original::Kind>();
    assert_ne!(original, fingerprint::<retyped::Kind>());
    assert_ne!(original, fingerprint::<swapped::Kind>());
    assert_ne!(original, fingerprint::<renamed::Kind>());
    assert_ne!(original, fingerprint::<longer::Kind>());
    assert_ne!(original, fingerprint::<other::Sort>());
    assert_ne!(original, fingerprint::<reshaped::Kind>());
}

#[test]
fn a_change_of_a_newtype_shows() {
    #[derive(Serialize, Deserialize)]
    struct Metres(f64);
    #[derive(Serialize, Deserialize)]
    struct Feet(f64);
    assert_ne!(fingerprint::<Metres>(), fingerprint::<Feet>());
    assert_ne!(fingerprint::<Metres>(), fingerprint::<f64>());
}

#[test]
fn parameters_are_a_list_of_names_and_types() {
    let contract = |parameters| trace::<(u8, String), bool>("f", 1, parameters).unwrap();
    let original = contract(&["a", "b"]);
    assert_eq!(original.text(), "f@1(a: u8, b: str) -> bool");
    assert_eq!(original.text(), original.to_string());
    assert_ne!(original.fingerprint(), contract(&["b", "a"]).fingerprint());
    let swapped = trace::<(String, u8), bool>("f", 1, &["b", "a"]).unwrap();
    assert_ne!(original.fingerprint(), swapped.fingerprint());
    let one_tuple = trace::<((u8, String),), bool>("f", 1, &["a"]).unwrap();
    assert_eq!(one_tuple.text(), "f@1(a: (u8, str)) -> bool");
    assert_ne!(original.fingerprint(), one_tuple.fingerprint());
}

#[test]
fn name_and_version_travel_beside_the_fingerprint() {
    let contract = |name, version| trace::<(u8,), ()>(name, version, &["a"]).unwrap();
    assert_eq!(
        contract("f", 1).fingerprint(),
        contract("g", 2).fingerprint()
    );
    assert_ne!(contract("f", 1).text(), contract("g", 2).text());
}

#[test]
fn arguments_and_return_value_do_not_mix() {
    let there = trace::<(u8,), ()>("f", 1, &["a"]).unwrap();
    let back = trace::<(), (u8,)>("f", 1, &[]).unwrap();
    let none = trace::<(), ()>("f", 1, &[]).unwrap();
    assert_eq!(none.text(), "f@1() -> ()");
    assert_ne!(there.fingerprint(), back.fingerprint());
    assert_ne!(there.fingerprint(), none.fingerprint());
}
