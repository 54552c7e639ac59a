//! What each thing costs, to the byte: too little lets a bomb in, too much keeps honest values out.

use std::{cell::Cell, collections::BTreeMap, fmt, fmt::Debug};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};

use super::{Bounds, DecodeError, bounds, decode, encode};

fn granted(memory: usize) -> Bounds {
    Bounds { depth: 64, memory }
}

/// Decoding so many of these takes this much memory for each, and not a byte less.
#[track_caller]
fn costs<T: Serialize + DeserializeOwned + Clone + PartialEq + Debug>(one: &T, each: usize) {
    let all = vec![one.clone(); 100];
    cost(&all, each * all.len() + HEADER);
}

/// Decoding these takes this much memory, and not a byte less.
#[track_caller]
fn cost<T: Serialize + DeserializeOwned + PartialEq + Debug>(all: &Vec<T>, memory: usize) {
    let bytes = encode(all).unwrap();
    assert!(memory > bytes.len() * 8, "granted anyway");
    let decode = |memory| decode::<Vec<T>>(&bytes, granted(memory));
    assert_eq!(decode(memory).as_ref(), Ok(all));
    assert_eq!(
        decode(memory - 1),
        Err(DecodeError::TooMuchMemory { limit: memory - 1 })
    );
}

/// What an allocation costs beside what is in it.
const HEADER: usize = 8;

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

    costs(&Box::new(Small::None), 8 + size_of::<Small>() + HEADER);
    let mixed: Mixed = (Box::new(None), None);
    costs(&mixed, size_of::<Mixed>() + size_of::<Small>() + HEADER);
    costs(
        &Choice::Boxed(Box::new(None)),
        size_of::<Choice>() + size_of::<Small>() + HEADER,
    );
}

#[test]
fn elements_are_paid_for_beside_their_sequence() {
    costs(&vec![Small::None; 3], 24 + 3 * size_of::<Small>() + HEADER);
    costs(&Vec::<Large>::new(), 24);
}

#[test]
fn strings_are_paid_for_by_their_length() {
    type Named = (Large, String);

    let named: Named = (None, "seven b".to_owned());
    costs(&named, size_of::<Named>() + 7 + HEADER);
    costs(&(Large::None, String::new()), size_of::<Named>());
}

#[test]
fn eight_bytes_for_each_of_the_message_are_granted_whatever_the_bound() {
    let numbers = vec![1_u64; 1000];
    let bytes = encode(&numbers).unwrap();
    assert_eq!(decode(&bytes, granted(0)), Ok(numbers));
    let options = encode(&vec![None::<u64>; 1000]).unwrap();
    assert!(decode::<Vec<Option<u64>>>(&options, granted(0)).is_err());
}

/// What is behind pointers in every element is charged with the first, and once.
#[test]
fn what_every_element_points_to_is_paid_for_with_the_first() {
    type Pair = (Box<Small>, Box<Large>);

    let boxed = 2 * HEADER + size_of::<Small>() + size_of::<Large>();
    let pair: Pair = (Box::new(None), Box::new(None));
    costs(&pair, 16 + boxed);
    costs(&[pair.clone(), pair.clone()], 32 + 2 * boxed);
    costs(&vec![pair.clone(); 2], 24 + HEADER + 2 * (16 + boxed));
    let map = BTreeMap::from([(1_u8, pair.clone()), (2, pair)]);
    costs(&map, 24 + (11 + HEADER) + (11 * 16 + HEADER) + 2 * boxed);
}

/// What some elements do not have is not charged to them because the first does.
#[test]
fn what_the_sender_chose_is_paid_for_where_he_chose_it() {
    type Maybe = Option<Box<Large>>;

    let boxed = size_of::<Large>() + HEADER;
    let maybe: Maybe = Some(Box::new(None));
    first_costs(maybe.clone(), None, boxed);
    let chosen = Choice::Boxed(Box::new(None));
    first_costs(chosen, Choice::Inline(None), size_of::<Small>() + HEADER);
    let list = vec![Box::new(Large::None)];
    first_costs(list, vec![], 8 + HEADER + boxed);
    let map = BTreeMap::from([(1_u8, Box::new(Large::None))]);
    first_costs(map, BTreeMap::new(), 11 + HEADER + 11 * 8 + HEADER + boxed);
    // What follows a choice is none.
    let all = vec![(maybe, Box::new(Large::None)), (None, Box::new(None))];
    cost(&all, 2 * 16 + HEADER + 3 * boxed);
}

/// A sequence of which only the first element costs more than its place costs this much more.
#[track_caller]
fn first_costs<T>(first: T, other: T, more: usize)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Debug,
{
    let mut all = vec![other; 10];
    all[0] = first;
    cost(&all, all.len() * size_of::<T>() + HEADER + more);
}

/// Rows as people store them, each of a few dozen bytes, and lists of short things.
#[test]
fn a_dense_message_as_large_as_one_may_be_is_decoded() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Colour {
        Red,
        Green,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        id: u64,
        name: String,
        country: String,
        tags: Vec<String>,
        colour: Option<Colour>,
        parent: Option<Box<Self>>,
    }

    let row = Row {
        id: 70_000,
        name: "Ada Lovelace".to_owned(),
        country: "GB".to_owned(),
        tags: vec!["new".to_owned(), "vip".to_owned()],
        colour: Some(Colour::Green),
        parent: None,
    };
    let row = Row {
        parent: Some(Box::new(row.clone())),
        ..row
    };
    fills_a_message(&row);
    fills_a_message(&"word".to_owned());
    fills_a_message(&vec![1_u8, 2, 3, 4]);
    fills_a_message(&Some(7_u32));
    fills_a_message(&(1_u16, Some(true)));
    fills_a_message(&Colour::Red);
    fills_a_message(&7_u64);
}

#[track_caller]
fn fills_a_message<T: Serialize + DeserializeOwned + Clone>(one: &T) {
    const MESSAGE: usize = 4 << 20;

    let each = encode(one).unwrap().len();
    let bytes = encode(&vec![one.clone(); (MESSAGE - 4) / each]).unwrap();
    assert!((MESSAGE - each..=MESSAGE).contains(&bytes.len()));
    let rows = decode::<Vec<T>>(&bytes, bounds());
    assert!(rows.is_ok(), "{:?}", rows.err());
}

thread_local! {
    static HINT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Asks for a sequence, a map, bytes or a text, remembers the size hint that it got, if any, and
/// makes room for nothing.
#[derive(Debug)]
struct Hinted<const KIND: char>;

impl<'de, const KIND: char> Deserialize<'de> for Hinted<KIND> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match KIND {
            's' => deserializer.deserialize_seq(Self),
            'm' => deserializer.deserialize_map(Self),
            'b' => deserializer.deserialize_byte_buf(Self),
            _ => deserializer.deserialize_string(Self),
        }
    }
}

impl<'de, const KIND: char> Visitor<'de> for Hinted<KIND> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was asked for")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self, A::Error> {
        HINT.set(elements.size_hint());
        while elements.next_element::<u8>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        HINT.set(entries.size_hint());
        while entries.next_entry::<u8, u8>()?.is_some() {}
        Ok(self)
    }

    /// Bytes and texts come whole, out of the message, or not at all.
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self, E> {
        HINT.set(Some(bytes.len()));
        Ok(self)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self, E> {
        HINT.set(Some(text.len()));
        Ok(self)
    }
}

/// What a collection is told to make room for while it is decoded, if anything.
fn hint<const KIND: char>(bytes: &[u8], is_sound: bool) -> Option<usize> {
    HINT.set(None);
    assert_eq!(decode::<Hinted<KIND>>(bytes, bounds()).is_ok(), is_sound);
    HINT.take()
}

#[test]
fn room_is_made_for_as_many_elements_as_there_can_be() {
    assert_eq!(hint::<'s'>(&[3, 1, 2, 3], true), Some(3));
    assert_eq!(hint::<'s'>(&[4, 1, 2, 3], false), None);
    assert_eq!(hint::<'m'>(&[1, 1, 2], true), Some(1));
    assert_eq!(hint::<'m'>(&[3, 1, 2], false), None);
}

/// Without a hint serde makes no room, and a visitor that is not asked makes none either.
#[test]
fn nothing_is_put_aside_for_a_length_that_is_a_lie() {
    assert_eq!(hint::<'b'>(&[3, 1, 2, 3], true), Some(3));
    assert_eq!(hint::<'t'>(b"\x02ab", true), Some(2));
    for count in [1 << 10, 1 << 28, 1 << 40, u64::MAX] {
        let lie = postcard::to_stdvec(&count).unwrap();
        assert_eq!(hint::<'s'>(&lie, false), None, "{count} elements");
        assert_eq!(hint::<'m'>(&lie, false), None, "{count} entries");
        assert_eq!(hint::<'b'>(&lie, false), None, "{count} bytes");
        assert_eq!(hint::<'t'>(&lie, false), None, "a text of {count} bytes");
    }
}
