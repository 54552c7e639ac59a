//! Sequences of bytes, which are written in a loop of their own: nothing else may differ, and
//! whoever reads them by such a loop finds here what it must not change.

use std::{
    collections::{BTreeSet, LinkedList, VecDeque},
    fmt::Debug,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, SeqAccess, Visitor},
    ser::SerializeSeq,
};

use super::{DecodeError, EncodeError, bounds, decode, encode};

/// Lengths at which something ends: a block, a length of one byte, the room that is made ahead.
const LENGTHS: [usize; 16] = [
    0,
    1,
    2,
    3,
    125,
    126,
    127,
    128,
    129,
    253,
    254,
    255,
    256,
    257,
    1000,
    (1 << 20) + 300,
];

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = encode(value).unwrap();
    assert!(bytes == postcard::to_stdvec(value).unwrap());
    assert!(decode::<T>(&bytes, bounds()).as_ref() == Ok(value));
}

#[test]
fn sequences_of_bytes_of_every_length_come_back() {
    for len in LENGTHS {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
        comes_back(&bytes);
        comes_back(
            &bytes
                .iter()
                .map(|byte| byte.cast_signed())
                .collect::<Vec<i8>>(),
        );
        comes_back(
            &bytes
                .iter()
                .map(|byte| byte % 2 == 0)
                .collect::<Vec<bool>>(),
        );
        comes_back(&(7_u8, bytes.clone().into_boxed_slice(), 300_u16));
        let mut turned = VecDeque::from(bytes.clone());
        turned.rotate_left(len / 3);
        turned.extend([1, 2]);
        comes_back(&turned);
        comes_back(&bytes.iter().copied().collect::<BTreeSet<u8>>());
        comes_back(&bytes.iter().take(1000).copied().collect::<LinkedList<u8>>());
    }
    comes_back(&vec![vec![1_u8, 2, 3, 4]; 300]);
    comes_back(&vec![[1_u8; 32]; 30]);
}

/// One byte large, and written in one byte by another way than a byte.
#[test]
fn what_is_as_large_as_a_byte_and_is_none_comes_back() {
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    enum Colour {
        Red,
        Green,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(u8);

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    struct Named {
        byte: u8,
    }

    /// Reads nothing.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    struct Skipped(#[serde(skip)] bool);

    comes_back(&vec![[Colour::Red, Colour::Green]; 300].concat());
    comes_back(&[Some(true), None, Some(false)].repeat(300));
    comes_back(&vec![Wrapped(200); 600]);
    comes_back(&vec![Named { byte: 200 }; 600]);
    comes_back(&vec![(200_u8,); 600]);
    comes_back(&vec![[200_u8]; 600]);
    comes_back(&vec![Skipped(false); 600]);
}

/// An element that is a byte, or else.
#[derive(Clone, Debug, PartialEq)]
enum Mixed {
    Byte(u8),
    Number(u32),
    Text(&'static str),
}

impl Serialize for Mixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Byte(byte) => serializer.serialize_u8(*byte),
            Self::Number(number) => serializer.serialize_u32(*number),
            Self::Text(text) => serializer.collect_str(text),
        }
    }
}

#[test]
fn bytes_among_others_are_written_in_their_place() {
    for before in [0, 1, 125, 126, 127, 128, 129, 253, 254, 255, 256, 257, 600] {
        let mut all = vec![Mixed::Byte(7); before];
        all.extend([
            Mixed::Number(70_000),
            Mixed::Byte(8),
            Mixed::Text("nine"),
            Mixed::Byte(10),
        ]);
        all.extend(vec![Mixed::Number(1); 300]);
        all.extend(vec![Mixed::Byte(9); 300]);
        assert_eq!(encode(&all).unwrap(), postcard::to_stdvec(&all).unwrap());
    }
}

/// An iterator that says it has another number of bytes than it has.
struct Liar {
    said: usize,
    left: usize,
}

impl Iterator for Liar {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        Some(7)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.said, Some(self.said))
    }
}

#[test]
fn an_iterator_that_lies_about_its_bytes_is_refused() {
    struct Lying(usize, usize);

    impl Serialize for Lying {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let Self(said, left) = *self;
            serializer.collect_seq(Liar { said, left })
        }
    }

    assert!(encode(&Lying(300, 300)).is_ok());
    for (said, left) in [(0, 1), (1, 2), (254, 255), (300, 301), (300, usize::MAX)] {
        let error = encode(&Lying(said, left));
        assert!(matches!(error, Err(EncodeError::TooMany { announced, .. }) if announced == said));
    }
    for (said, left) in [(1, 0), (255, 254), (300, 299), (usize::MAX, 600)] {
        let error = encode(&Lying(said, left));
        assert!(matches!(error, Err(EncodeError::TooFew { written, .. }) if written == left));
    }
}

/// Reads some bytes, then a number of another size, then bytes that are no plain ones.
#[derive(Debug, PartialEq)]
struct Changing(Vec<u8>, u32, Vec<Option<bool>>, Vec<u8>);

impl Serialize for Changing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(bytes, number, options, rest) = self;
        let mut all =
            serializer.serialize_seq(Some(bytes.len() + 1 + options.len() + rest.len()))?;
        bytes
            .iter()
            .try_for_each(|byte| all.serialize_element(byte))?;
        all.serialize_element(number)?;
        options
            .iter()
            .try_for_each(|option| all.serialize_element(option))?;
        rest.iter()
            .try_for_each(|byte| all.serialize_element(byte))?;
        all.end()
    }
}

impl<'de> Deserialize<'de> for Changing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Changing;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("elements of several types")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Changing, A::Error> {
                let mut read = Changing(vec![], 0, vec![], vec![]);
                for _ in 0..5 {
                    read.0.extend(all.next_element::<u8>()?);
                }
                read.1 = all.next_element()?.unwrap();
                assert!(all.size_hint().is_none_or(|hint| hint == 11));
                for _ in 0..3 {
                    read.3.extend(all.next_element::<u8>()?);
                }
                for _ in 0..4 {
                    read.2.extend(all.next_element::<Option<bool>>()?);
                }
                while let Some(byte) = all.next_element()? {
                    read.3.push(byte);
                }
                Ok(read)
            }
        }

        deserializer.deserialize_seq(Reader)
    }
}

#[test]
fn bytes_end_where_something_else_is_asked_for() {
    let mut written = vec![1, 2, 3, 4, 5];
    written.extend([0xf0, 0xa2, 0x04]); // 70 000
    written.extend([6, 7, 8]);
    written.extend([1, 1, 0, 1, 0, 0]); // Four options.
    written.extend([9, 10, 11, 12]);
    let bytes = [&[5 + 1 + 3 + 4 + 4_u8], written.as_slice()].concat();
    let options = vec![Some(true), None, Some(false), None];
    let read = Changing(
        vec![1, 2, 3, 4, 5],
        70_000,
        options,
        vec![6, 7, 8, 9, 10, 11, 12],
    );
    assert_eq!(
        decode::<(Changing, u8)>(&[&bytes[..], &[99]].concat(), bounds()),
        Ok((read, 99))
    );
    for cut in 0..bytes.len() {
        assert!(decode::<Changing>(&bytes[..cut], bounds()).is_err());
    }
}

/// Reads three bytes of a sequence and leaves the others.
#[derive(Debug, PartialEq)]
struct Three;

impl<'de> Deserialize<'de> for Three {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Three;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("three bytes or more")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Three, A::Error> {
                for _ in 0..3 {
                    all.next_element::<u8>()?;
                }
                Ok(Three)
            }
        }

        deserializer.deserialize_seq(Reader)
    }
}

#[test]
fn bytes_that_are_left_unread_are_refused() {
    let decoded = decode::<(Three, [u8; 3])>(&[5, 1, 2, 3, 4, 5, 0], bounds());
    assert_eq!(decoded, Err(DecodeError::Unread { count: 2 }));
    assert!(decode::<(Three, Vec<u8>)>(&[3, 1, 2, 3, 0], bounds()).is_ok());
}

/// Takes an error for an answer.
#[derive(Debug, PartialEq)]
struct Lenient(Option<bool>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(bool::deserialize(deserializer).ok()))
    }
}

#[test]
fn a_byte_that_is_no_bool_is_refused_whoever_passes_over_it() {
    for wrong in 0..6 {
        let mut bytes = [6, 1, 0, 1, 0, 1, 0];
        bytes[1 + wrong] = 2;
        let refusal = DecodeError::Malformed(postcard::Error::DeserializeBadBool);
        assert_eq!(decode::<Vec<bool>>(&bytes, bounds()), Err(refusal.clone()));
        assert_eq!(decode::<Vec<Lenient>>(&bytes, bounds()), Err(refusal));
    }
    let short = decode::<Vec<u8>>(&[6, 1, 2, 3, 4, 5], bounds());
    let end = DecodeError::Malformed(postcard::Error::DeserializeUnexpectedEnd);
    assert_eq!(short, Err(end));
}

/// Goes on after an element was refused.
struct Swallows;

impl Serialize for Swallows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        let mut all = serializer.serialize_seq(Some(2))?;
        let _ = all.serialize_element(&Refuses);
        all.serialize_element(&7_u8)?;
        all.end()
    }
}

#[test]
fn an_error_that_is_swallowed_is_none_the_less_an_error() {
    let bytes = encode(&(Swallows, 9_u8));
    assert!(bytes.is_err(), "{bytes:?}");
}
