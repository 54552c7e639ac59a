//! Values that come back, and bytes that are none.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
    num::NonZeroU8,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};

use super::{Bounds, DecodeError, bounds, decode, encode};
use crate::registry::ByteSlice;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Id(u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i8, char);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    New(Box<Row>),
    Pair(u8, String),
    Named { flag: bool, id: Id },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    unit: Unit,
    id: Id,
    pair: Pair,
    kinds: Vec<Kind>,
    names: BTreeMap<String, Option<f64>>,
    #[serde(alias = "large")]
    big: (i128, u128),
    bytes: Vec<u8>,
}

fn row() -> Row {
    Row {
        unit: Unit,
        id: Id(300),
        pair: Pair(-1, 'é'),
        kinds: vec![
            Kind::Plain,
            Kind::Pair(1, "two".to_owned()),
            Kind::Named {
                flag: true,
                id: Id(u64::MAX),
            },
        ],
        names: [("a".to_owned(), Some(1.5)), ("b".to_owned(), None)].into(),
        big: (i128::MIN, u128::MAX),
        bytes: vec![0, 127, 255],
    }
}

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = encode(value).unwrap();
    assert_eq!(bytes, postcard::to_stdvec(value).unwrap());
    assert_eq!(decode::<T>(&bytes, bounds()).as_ref(), Ok(value));
}

#[test]
fn every_kind_of_value_is_written_as_postcard_writes_it_and_comes_back() {
    let nested = Row {
        kinds: vec![Kind::New(Box::new(row()))],
        ..row()
    };
    comes_back(&nested);
    comes_back(&(true, 'x', -1_i16, 70_000_u32, 1.5_f32, "text".to_owned()));
    comes_back(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    comes_back(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    comes_back(&HashMap::from([(1_u8, Some(Unit)), (2, None)]));
    comes_back(&HashSet::from([()]));
    comes_back(&vec![(); 1000]);
    comes_back(&BTreeMap::from([((), ())]));
    comes_back(&[[[1_u8; 3]; 2]; 2]);
    comes_back(&Vec::<Kind>::new());
    comes_back(&());
}

#[test]
fn references_are_borrowed_from_the_bytes() {
    let bytes = encode(&("text", ByteSlice(&[1, 2, 3]))).unwrap();
    let (text, slice) = decode::<(&str, ByteSlice<'_>)>(&bytes, bounds()).unwrap();
    assert_eq!((text, slice.0), ("text", [1, 2, 3].as_slice()));
    assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
    assert!(bytes.as_ptr_range().contains(&slice.0.as_ptr()));
}

#[test]
fn bytes_behind_a_value_are_refused() {
    let mut bytes = encode(&row()).unwrap().to_vec();
    bytes.extend([0, 0]);
    assert_eq!(
        decode::<Row>(&bytes, bounds()),
        Err(DecodeError::TrailingBytes { count: 2 })
    );
}

#[test]
fn every_prefix_of_a_value_is_refused() {
    let bytes = encode(&row()).unwrap();
    for cut in 0..bytes.len() {
        assert!(decode::<Row>(&bytes[..cut], bounds()).is_err());
    }
}

#[test]
fn every_flipped_bit_gives_another_value_or_an_error() {
    let bytes = encode(&row()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = decode::<Row>(&flipped, bounds()) {
            assert_ne!(other, row(), "bit {bit}");
        }
    }
}

#[test]
fn malformed_leaves_are_refused_for_what_is_wrong_with_them() {
    #[track_caller]
    fn refused<T: DeserializeOwned + Debug>(bytes: &[u8], because: postcard::Error) {
        let error = decode::<T>(bytes, bounds()).unwrap_err();
        assert_eq!(error, DecodeError::Malformed(because));
    }
    refused::<bool>(&[2], postcard::Error::DeserializeBadBool);
    refused::<Option<u8>>(&[2, 0], postcard::Error::DeserializeBadOption);
    refused::<String>(&[1, 0xff], postcard::Error::DeserializeBadUtf8);
    refused::<char>(&[5, 0, 0, 0, 0, 0], postcard::Error::DeserializeBadChar);
    refused::<u32>(&[0xff; 5], postcard::Error::DeserializeBadVarint);
    refused::<u64>(&[0x80], postcard::Error::DeserializeUnexpectedEnd);
    refused::<IgnoredAny>(&[0], postcard::Error::WontImplement);
}

#[test]
fn a_variant_that_does_not_exist_is_refused() {
    let error = decode::<Kind>(&[4], bounds()).unwrap_err();
    assert!(matches!(error, DecodeError::Refused(_)), "{error}");
}

#[test]
fn the_reason_of_a_type_is_kept() {
    assert_eq!(
        decode::<NonZeroU8>(&[0], bounds()).unwrap_err().to_string(),
        "invalid value: integer `0`, expected a nonzero u8"
    );
}

/// Reads the first element of a sequence and takes that for all.
#[derive(Debug)]
struct First;

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for First {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        elements.next_element::<u8>().map(|_| self)
    }
}

#[test]
fn elements_that_a_type_leaves_unread_are_not_taken_for_the_next_value() {
    let bytes = encode(&(vec![7_u8, 8], ())).unwrap();
    assert_eq!(
        decode::<(First, u8)>(&bytes, bounds()).unwrap_err(),
        DecodeError::Unread { count: 1 }
    );
}

/// Takes an error for an answer.
#[derive(Debug, PartialEq)]
struct Lenient<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

#[test]
fn a_refusal_that_a_type_passes_over_is_a_refusal_all_the_same() {
    let too_large = decode::<Lenient<Vec<()>>>(&[0xff, 0xff, 0xff, 0x7f], bounds());
    assert!(matches!(too_large, Err(DecodeError::TooMuchMemory { .. })));
    let malformed = decode::<Lenient<bool>>(&[2], bounds());
    assert!(matches!(malformed, Err(DecodeError::Malformed(_))));
}

#[test]
fn after_a_refusal_nothing_more_is_read() {
    #[derive(Debug)]
    struct Noticed;

    thread_local! {
        static NOTICED: Cell<bool> = const { Cell::new(false) };
    }

    impl<'de> Deserialize<'de> for Noticed {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u8::deserialize(deserializer)?;
            NOTICED.set(true);
            Ok(Self)
        }
    }

    assert!(decode::<(Lenient<bool>, Noticed)>(&[1, 7], bounds()).is_ok());
    assert!(NOTICED.take());
    assert!(decode::<(Lenient<bool>, Noticed)>(&[2, 7], bounds()).is_err());
    assert!(!NOTICED.take());
}

#[test]
fn the_texts_of_the_refusals() {
    let bounds = Bounds {
        depth: 1,
        memory: 100,
    };
    let text = |error: DecodeError| error.to_string();
    assert_eq!(
        text(decode::<Option<Option<u8>>>(&[1, 0], bounds).unwrap_err()),
        "the value is nested deeper than 1 levels"
    );
    assert_eq!(
        text(decode::<Vec<()>>(&[2], bounds).unwrap_err()),
        "the value asks for more than 100 bytes of memory"
    );
    assert_eq!(
        text(decode::<u8>(&[2, 0], bounds).unwrap_err()),
        "bytes left behind the value: 1"
    );
    assert_eq!(
        text(decode::<First>(&[3, 0, 0, 0], bounds).unwrap_err()),
        "elements of a sequence or map that were not read: 2"
    );
    assert_eq!(
        text(decode::<u8>(&[], bounds).unwrap_err()),
        "the bytes are malformed: Hit the end of buffer, expected more data"
    );
}
