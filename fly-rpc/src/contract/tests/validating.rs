//! Types that do not take every value.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{contract, fingerprint, text, trace};
use crate::contract::ContractError;

/// Types that are read as another and take what the rule accepts.
macro_rules! validated {
    ($($name:ident($raw:ty) = $rule:expr;)*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(try_from = "Raw<Self>", into = "Raw<Self>")]
        pub(super) struct $name($raw);
        impl Rule for $name {
            type Raw = $raw;
        }
        impl TryFrom<$raw> for $name {
            type Error = String;
            fn try_from(raw: $raw) -> Result<Self, String> {
                let accepts: fn(&$raw) -> bool = $rule;
                if accepts(&raw) { Ok(Self(raw)) } else { Err("refused".into()) }
            }
        }
        impl From<$name> for $raw {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}

trait Rule {
    type Raw;
}

type Raw<T> = <T as Rule>::Raw;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Any {
    Good(u8),
    Bad(String),
    Fine { at: i64 },
}

validated! {
    Email(String) = |text| text.contains('@');
    Even(u8) = |number| number % 2 == 0;
    Ordered((u8, u8)) = |(low, high)| low < high;
    Filled(Vec<u16>) = |items| !items.is_empty();
    Paired(Vec<u16>) = |items| items.len() == 2;
    Fussy(String) = |text| text == "open sesame";
    Selective(Any) = |any| !matches!(any, Any::Bad(_));
}

#[test]
fn samples_satisfy_usual_rules() {
    assert_eq!(text::<(Email, Even, Ordered)>(), "(str, u8, (u8, u8))");
    assert_eq!(text::<(Filled, Paired)>(), "([u16], [u16])");
}

#[test]
fn variants_that_are_refused_are_known_all_the_same() {
    assert_eq!(
        text::<Selective>(),
        "Any { Good(u8) | Bad(str) | Fine { at: i64 } }"
    );
}

/// `text` with the Rust name of the fussy type, which no sample satisfies.
fn with_name(text: &str) -> String {
    text.replace("FUSSY", std::any::type_name::<Fussy>())
}

#[derive(Debug, Serialize, Deserialize)]
struct Holder<T> {
    first: Fussy,
    second: Vec<Option<T>>,
    third: BTreeMap<u8, (Fussy, T)>,
    fourth: Choice<T>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Choice<T> {
    Opaque(Fussy),
    Both { fussy: Fussy, plain: T },
    Plain(T),
}

#[test]
fn what_refuses_every_sample_is_opaque_and_nothing_else_is() {
    assert_eq!(text::<Fussy>(), with_name("opaque FUSSY"));
    assert_eq!(text::<Option<Fussy>>(), with_name("Option<opaque FUSSY>"));
    assert_eq!(
        text::<Choice<u8>>(),
        with_name(
            "Choice { Opaque(opaque FUSSY) | Both { fussy: opaque FUSSY, plain: u8 } | Plain(u8) }"
        )
    );
    assert_eq!(
        text::<Holder<u8>>(),
        with_name(
            "Holder { first: opaque FUSSY, second: [Option<u8>], third: {u8: (opaque FUSSY, opaque part 1 of (FUSSY, u8))}, \
             fourth: Choice { Opaque(opaque FUSSY) | Both { fussy: opaque FUSSY, plain: u8 } | Plain(u8) } }"
        )
    );
    assert_ne!(fingerprint::<Holder<u8>>(), fingerprint::<Holder<u16>>());
}

#[test]
fn arguments_before_and_behind_an_opaque_one_count() {
    let contract = trace::<(u8, Fussy, u16), ()>("f", 1, &["a", "b", "c"]).unwrap();
    assert!(
        contract.text().starts_with("f@1(a: u8, b: opaque "),
        "{contract}"
    );
    let before = trace::<(u16, Fussy, u16), ()>("f", 1, &["a", "b", "c"]).unwrap();
    let behind = trace::<(u8, Fussy, u32), ()>("f", 1, &["a", "b", "c"]).unwrap();
    assert_ne!(contract.fingerprint(), before.fingerprint());
    assert_ne!(contract.fingerprint(), behind.fingerprint());
}

#[test]
fn a_change_inside_an_argument_behind_an_opaque_one_shows() {
    mod before {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct Post {
            pub(super) id: u32,
        }
    }
    mod after {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct Post {
            pub(super) id: u64,
        }
    }
    let old = trace::<(Fussy, before::Post), ()>("f", 1, &["a", "b"]).unwrap();
    let new = trace::<(Fussy, after::Post), ()>("f", 1, &["a", "b"]).unwrap();
    assert!(
        old.text().ends_with(", b: Post { id: u32 }) -> ()"),
        "{old}"
    );
    assert!(
        new.text().ends_with(", b: Post { id: u64 }) -> ()"),
        "{new}"
    );
    assert_ne!(old.fingerprint(), new.fingerprint());
}

#[test]
fn an_opaque_type_is_known_by_its_name_and_by_what_it_asks_for() {
    mod other {
        use super::*;

        validated! { Fussy(u64) = |number| *number == 77; }
        pub(super) type Other = Fussy;
    }
    assert_ne!(fingerprint::<Fussy>(), fingerprint::<other::Other>());
    assert_eq!(fingerprint::<Fussy>(), fingerprint::<Box<Fussy>>());
}

#[derive(Debug, Serialize)]
struct Panicking(u8);

impl<'de> Deserialize<'de> for Panicking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        panic!("{} is not for me", u8::deserialize(deserializer)?)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Around {
    panicking: Option<Panicking>,
    plain: Option<i8>,
}

#[test]
fn a_type_that_panics_is_opaque() {
    assert_eq!(
        text::<Around>(),
        format!(
            "Around {{ panicking: Option<opaque {}>, plain: Option<i8> }}",
            std::any::type_name::<Panicking>()
        )
    );
}

#[derive(Debug, Serialize, Deserialize)]
enum Quiet {
    Silent {
        #[serde(default, skip_serializing_if = "always")]
        text: String,
        pair: (u8, u8),
    },
    End,
}

fn always(_: &str) -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
struct Beside {
    quiet: Quiet,
    choice: Choice<u8>,
}

#[test]
fn what_stands_beside_an_opaque_type_is_compared_all_the_same() {
    let error = contract::<Beside>().unwrap_err();
    assert!(
        matches!(error, ContractError::ShapeDiffers { .. }),
        "{error}"
    );
}

#[derive(Debug, Serialize)]
struct Lenient(Option<u8>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer).unwrap_or_default()))
    }
}

#[derive(Debug, Serialize)]
struct Never(u8);

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("never"))
    }
}

#[test]
fn impls_that_swallow_errors_or_give_nothing_but_errors_end() {
    assert_eq!(text::<Vec<Lenient>>(), "[Option<u8>]");
    assert!(text::<(Never, u8)>().starts_with("(opaque "));
}

#[derive(Debug, Serialize)]
struct Dependent(u8, u64);

impl<'de> Deserialize<'de> for Dependent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Dependent;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a width and a number")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Dependent, A::Error> {
                let missing = || A::Error::custom("missing");
                let wide: Option<u8> = seq.next_element()?.ok_or_else(missing)?;
                let number = match wide {
                    Some(_) => seq.next_element::<u64>()?.ok_or_else(missing)?,
                    None => seq.next_element::<u8>()?.ok_or_else(missing)?.into(),
                };
                Ok(Dependent(0, number))
            }
        }
        deserializer.deserialize_tuple(2, Visitor)
    }
}

#[test]
fn a_type_whose_parts_depend_on_values_is_refused() {
    let error = contract::<Dependent>().unwrap_err();
    assert!(
        matches!(
            error,
            ContractError::Changing { .. } | ContractError::ShapeDiffers { .. }
        ),
        "{error}"
    );
}
