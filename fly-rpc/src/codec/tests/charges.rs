//! What each thing costs, to the byte: too little lets a bomb in, too much keeps honest values out.

use std::{cell::Cell, fmt, fmt::Debug};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, SeqAccess, Visitor},
};

use super::{Bounds, DecodeError, decode, encode};

fn granted(memory: usize) -> Bounds {
    Bounds { depth: 64, memory }
}

/// Decoding so many of these takes this much memory for each, and not a byte less.
#[track_caller]
fn costs<T: Serialize + DeserializeOwned + Clone + PartialEq + Debug>(one: &T, each: usize) {
    let all = vec![one.clone(); 100];
    let bytes = encode(&all).unwrap();
    let memory = each * all.len();
    assert!(memory > bytes.len() * 8, "granted anyway");
    assert_eq!(decode(&bytes, granted(memory)), Ok(all));
    assert_eq!(
        decode::<Vec<T>>(&bytes, granted(memory - 1)),
        Err(DecodeError::TooMuchMemory { limit: memory - 1 })
    );
}

/// 40 bytes, and a single one on the wire.
type Small = Option<[u64; 4]>;

/// 136 bytes, and a single one on the wire.
type Large = Option<[u64; 16]>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    small: Small,
    large: Large,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Boxed(Box<Small>),
    Inline(Small),
    Widest(Large),
}

#[test]
fn what_stands_inside_is_paid_for_once() {
    let row = Row {
        small: None,
        large: None,
    };
    costs(&Small::None, size_of::<Small>());
    costs(&row, size_of::<Row>());
    costs(&Some(row), size_of::<Option<Row>>());
    costs(&Choice::Inline(None), size_of::<Choice>());
}

#[test]
fn what_stands_behind_a_pointer_is_paid_for_beside_it() {
    type Mixed = (Box<Small>, Large);

    costs(&Box::new(Small::None), 8 + size_of::<Small>());
    let mixed: Mixed = (Box::new(None), None);
    costs(&mixed, size_of::<Mixed>() + size_of::<Small>());
    costs(
        &Choice::Boxed(Box::new(None)),
        size_of::<Choice>() + size_of::<Small>(),
    );
}

#[test]
fn elements_are_paid_for_beside_their_sequence() {
    costs(&vec![Small::None; 3], 24 + 3 * size_of::<Small>());
    costs(&Vec::<Large>::new(), 24);
}

#[test]
fn strings_are_paid_for_by_their_length() {
    type Named = (Large, String);

    let named: Named = (None, "seven b".to_owned());
    costs(&named, size_of::<Named>() + 7);
}

#[test]
fn eight_bytes_for_each_of_the_message_are_granted_whatever_the_bound() {
    let numbers = vec![1_u64; 1000];
    let bytes = encode(&numbers).unwrap();
    assert_eq!(decode(&bytes, granted(0)), Ok(numbers));
    let options = encode(&vec![None::<u64>; 1000]).unwrap();
    assert!(decode::<Vec<Option<u64>>>(&options, granted(0)).is_err());
}

thread_local! {
    static HINT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Remembers the size hint that it got.
#[derive(Debug)]
struct Hinted;

impl<'de> Deserialize<'de> for Hinted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for Hinted {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        HINT.set(elements.size_hint());
        while elements.next_element::<u8>()?.is_some() {}
        Ok(self)
    }
}

#[test]
fn room_is_made_for_as_many_elements_as_there_can_be() {
    assert!(decode::<Hinted>(&[3, 1, 2, 3], granted(0)).is_ok());
    assert_eq!(HINT.take(), Some(3));
    assert!(decode::<Hinted>(&[4, 1, 2, 3], granted(0)).is_err());
    assert_eq!(HINT.take(), None);
}
