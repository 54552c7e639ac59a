//! Each attribute of serde's derive that changes or does not change what travels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{fingerprint, text};

#[test]
fn names_are_those_of_serde() {
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Other", rename_all = "camelCase", deny_unknown_fields)]
    struct Renamed {
        a_b: u8,
        #[serde(rename = "z")]
        c_d: u16,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "UPPERCASE")]
    enum Loud {
        FirstOne,
        SecondOne { field: u8 },
    }
    assert_eq!(text::<Renamed>(), "Other { aB: u8, z: u16 }");
    assert_eq!(
        text::<Loud>(),
        "Loud { FIRST_ONE | SECOND_ONE { FIELD: u8 } }"
    );
}

#[test]
fn what_is_skipped_both_ways_is_absent() {
    #[derive(Serialize, Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Skipping {
        kept: u8,
        #[serde(skip)]
        cache: Option<std::time::Instant>,
        last: Vec<Option<bool>>,
    }
    assert_eq!(
        text::<Skipping>(),
        "Skipping { kept: u8, last: [Option<bool>] }"
    );
}

#[test]
fn skipped_variants_are_harmless_at_the_end() {
    #[derive(Serialize, Deserialize)]
    enum Last {
        A(u8),
        B,
        #[serde(skip)]
        #[expect(dead_code, reason = "it is there to be skipped")]
        Internal(std::time::Instant),
    }
    assert_eq!(text::<Last>(), "Last { A(u8) | B }");
}

#[test]
fn an_alias_changes_nothing() {
    #[derive(Serialize, Deserialize)]
    struct Plain {
        b: u8,
        c: u16,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Plain")]
    struct Aliased {
        #[serde(alias = "a", alias = "z")]
        b: u8,
        #[serde(alias = "y")]
        c: u16,
    }
    #[derive(Serialize, Deserialize)]
    enum Choice {
        One(u8),
        Two { x: u16 },
        Three,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Choice")]
    enum AliasedChoice {
        #[serde(alias = "First", alias = "Uno")]
        One(u8),
        #[serde(alias = "Second")]
        Two {
            #[serde(alias = "w")]
            x: u16,
        },
        #[serde(alias = "Zzz")]
        Three,
    }
    assert_eq!(text::<Aliased>(), text::<Plain>());
    assert_eq!(fingerprint::<Aliased>(), fingerprint::<Plain>());
    assert_eq!(text::<AliasedChoice>(), text::<Choice>());
    assert_eq!(fingerprint::<AliasedChoice>(), fingerprint::<Choice>());
}

#[test]
fn a_name_that_differs_by_direction_is_that_for_reading() {
    #[derive(Serialize, Deserialize)]
    struct Sides {
        #[serde(rename(serialize = "out", deserialize = "in"))]
        side: u8,
    }
    assert_eq!(text::<Sides>(), "Sides { in: u8 }");
}

#[test]
fn transparent_and_remote_and_with_show_what_they_stand_for() {
    mod seconds {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(super) fn serialize<S: Serializer>(
            value: &Duration,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.serialize_u64(value.as_secs())
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Duration, D::Error> {
            u64::deserialize(deserializer).map(Duration::from_secs)
        }
    }
    struct Foreign {
        x: i32,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Foreign")]
    struct ForeignDef {
        x: i32,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Clear(u32);
    #[derive(Serialize, Deserialize)]
    struct Named(u32);
    #[derive(Serialize, Deserialize)]
    struct All {
        clear: Clear,
        named: Named,
        #[serde(with = "seconds")]
        first: std::time::Duration,
        #[serde(
            serialize_with = "seconds::serialize",
            deserialize_with = "seconds::deserialize"
        )]
        second: std::time::Duration,
        #[serde(with = "ForeignDef")]
        foreign: Foreign,
    }
    assert_eq!(
        text::<All>(),
        "All { clear: u32, named: Named(u32), first: u64, second: u64, foreign: ForeignDef { x: i32 } }"
    );
}

#[test]
fn conversions_show_the_type_that_travels() {
    #[derive(Clone, Serialize, Deserialize)]
    #[serde(from = "(u8, String)", into = "(u8, String)")]
    struct Pair {
        number: u8,
        text: String,
    }
    impl From<(u8, String)> for Pair {
        fn from((number, text): (u8, String)) -> Self {
            Self { number, text }
        }
    }
    impl From<Pair> for (u8, String) {
        fn from(pair: Pair) -> Self {
            (pair.number, pair.text)
        }
    }
    #[derive(Clone, Serialize, Deserialize)]
    #[serde(from = "Option<u8>", into = "Option<u8>")]
    struct Normalised(u8);
    impl From<Option<u8>> for Normalised {
        fn from(value: Option<u8>) -> Self {
            Self(value.unwrap_or(7))
        }
    }
    impl From<Normalised> for Option<u8> {
        fn from(value: Normalised) -> Self {
            Some(value.0)
        }
    }
    assert_eq!(text::<(Pair, Normalised)>(), "((u8, str), Option<u8>)");
}

#[test]
fn an_enum_may_have_a_variant_for_all_others() {
    #[derive(Serialize, Deserialize)]
    enum Open {
        A,
        B(u8),
        #[serde(other)]
        Unknown,
    }
    assert_eq!(text::<Open>(), "Open { A | B(u8) | Unknown }");
}

#[test]
fn every_form_of_struct_and_variant_is_shown() {
    #[derive(Serialize, Deserialize)]
    struct Unit;
    #[derive(Serialize, Deserialize)]
    struct Empty {}
    #[derive(Serialize, Deserialize)]
    struct Triple(u8, char, f32);
    #[derive(Serialize, Deserialize)]
    enum Forms {
        Unit,
        Newtype(Unit),
        Tuple(u8, Empty),
        Struct { a: i128, b: u128 },
        Hollow(),
        Bare {},
    }
    assert_eq!(
        text::<(Forms, Triple, BTreeMap<char, ()>)>(),
        "(Forms { Unit | Newtype(Unit) | Tuple(u8, Empty {}) | Struct { a: i128, b: u128 } | Hollow() | Bare {} }, \
         Triple(u8, char, f32), {char: ()})"
    );
}
