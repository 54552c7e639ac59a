//! Small messages that would cost much: refused before the first element, or the 65th level, is
//! read.

#![expect(
    clippy::use_self,
    dead_code,
    reason = "a recursive type reads better as users write it, and these are only read from bytes"
)]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    fmt::Debug,
    hash::Hash,
    thread,
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{Bounds, DecodeError, bounds, decode, encode};

/// A value that counts how many of its kind this thread has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Counted<T>(T);

thread_local! {
    static READ: Cell<usize> = const { Cell::new(0) };
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Counted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        T::deserialize(deserializer).map(Self)
    }
}

/// The sequence or map that says it has `count` elements, and `zeros` bytes of them.
fn claim(count: u64, zeros: usize) -> Vec<u8> {
    let mut bytes = postcard::to_stdvec(&count).unwrap();
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

#[derive(Debug, Deserialize)]
struct Wrapped<T>(T);

/// How many elements were read before it was found to be too much.
#[track_caller]
fn read_before_refusal<T: DeserializeOwned + Debug>(bytes: &[u8]) -> usize {
    READ.set(0);
    let error = decode::<T>(bytes, bounds()).unwrap_err();
    assert!(
        matches!(error, DecodeError::TooMuchMemory { .. }),
        "{error}"
    );
    READ.get()
}

/// 520 bytes, and a single one on the wire.
type Large = Option<([u64; 32], [u64; 32])>;

const SIZES: [usize; 2] = [256 << 10, 4 << 20];

#[test]
fn zeros_as_large_options_are_refused_before_the_first() {
    for size in SIZES {
        let bytes = claim(size as u64, size);
        assert_eq!(read_before_refusal::<Vec<Counted<Large>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<VecDeque<Counted<Large>>>(&bytes), 0);
    }
}

#[test]
fn what_every_element_points_to_is_refused_with_the_first() {
    for size in SIZES {
        let bytes = claim(size as u64, size);
        assert_eq!(read_before_refusal::<Vec<Box<Counted<Large>>>>(&bytes), 1);
        assert_eq!(
            read_before_refusal::<Vec<(Box<Counted<Large>>,)>>(&bytes),
            1
        );
        assert_eq!(
            read_before_refusal::<VecDeque<Wrapped<Box<Counted<Large>>>>>(&bytes),
            1
        );
    }
}

#[test]
fn what_follows_a_choice_is_none() {
    type Behind = (Option<u8>, Box<Counted<Large>>);

    let mut bytes = claim(100_000, 0);
    bytes.extend([1, 7, 0].repeat(100_000));
    assert_eq!(read_before_refusal::<Vec<Behind>>(&bytes), 1);
}

#[test]
fn what_the_sender_may_choose_to_point_to_is_refused_where_it_is_too_much() {
    for size in SIZES {
        let mut bytes = claim(size as u64 / 2, 0);
        bytes.extend([1, 0].repeat(size / 2));
        let most = (size * 8).max(16 << 20) / size_of::<Large>();
        let optional = read_before_refusal::<Vec<Option<Box<Counted<Large>>>>>(&bytes);
        assert!(optional <= most, "{optional} of {most}");
        let listed = read_before_refusal::<Vec<Vec<Counted<Large>>>>(&bytes);
        assert!(listed <= most, "{listed} of {most}");
    }
}

#[test]
fn the_room_in_the_nodes_of_small_maps_is_charged() {
    let maps = vec![BTreeMap::from([(0_u8, 0_u8)]); 80_000];
    let bytes = encode(&maps).unwrap();
    let most = (16 << 20) / (11 * size_of::<Large>());
    let values = read_before_refusal::<Vec<BTreeMap<u8, Counted<Large>>>>(&bytes);
    assert!(values <= most, "{values} of {most}");
    let keys = read_before_refusal::<Vec<BTreeMap<Counted<Large>, u8>>>(&bytes);
    assert!(keys <= most, "{keys} of {most}");
}

#[test]
fn elements_without_memory_are_refused_before_the_first() {
    #[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
    struct Empty;

    for count in [1 << 20, 1 << 28, 1 << 40, 1 << 58, u64::MAX] {
        let bytes = claim(count, 0);
        assert_eq!(read_before_refusal::<Vec<Counted<()>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<Vec<Counted<Empty>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<HashSet<Counted<()>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<HashSet<Counted<Empty>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<BTreeSet<Counted<()>>>(&bytes), 0);
        assert_eq!(
            read_before_refusal::<BTreeMap<Counted<()>, Counted<()>>>(&bytes),
            0
        );
    }
}

#[test]
fn elements_without_bytes_are_charged_for_their_time() {
    #[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
    struct Marker {
        #[serde(skip)]
        _cache: u8,
    }

    let bytes = claim(1 << 20, 0);
    assert_eq!(read_before_refusal::<HashSet<Counted<Marker>>>(&bytes), 0);
}

#[test]
fn lengths_that_are_lies_are_refused_before_the_first_element() {
    for count in [1 << 28, 1 << 40, 1 << 58, u64::MAX] {
        let bytes = claim(count, 0);
        assert_eq!(read_before_refusal::<Vec<Counted<u8>>>(&bytes), 0);
        assert_eq!(read_before_refusal::<HashMap<Counted<u64>, u64>>(&bytes), 0);
        assert!(decode::<String>(&bytes, bounds()).is_err());
        assert!(decode::<&str>(&bytes, bounds()).is_err());
        assert!(decode::<&[u8]>(&bytes, bounds()).is_err());
    }
}

/// One level for each byte of the message.
#[derive(Debug, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Tree>),
}

#[derive(Debug, Deserialize)]
struct Optional {
    next: Option<Box<Optional>>,
}

#[derive(Debug, Deserialize)]
struct Newtype(Option<Box<Newtype>>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Map(BTreeMap<u8, Map>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Key(BTreeMap<Key, u8>);

#[derive(Debug, Deserialize)]
struct List(Vec<List>);

#[derive(Debug, Deserialize)]
enum Wide {
    Leaf,
    Tuple(u8, Box<Wide>),
    Struct { next: Box<Wide> },
}

/// Runs on a stack of 256 KiB, which these would overflow long before they end.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 << 10);
    thread.spawn(test).unwrap().join().unwrap();
}

#[track_caller]
fn too_deep<T: DeserializeOwned + Debug>(level: &[u8]) {
    for levels in [65, 44_000, 1 << 20] {
        let error = decode::<T>(&level.repeat(levels), bounds()).unwrap_err();
        assert_eq!(error, DecodeError::TooDeep { limit: 64 });
    }
}

#[test]
fn every_way_of_nesting_ends_at_the_limit() {
    on_a_small_stack(|| {
        too_deep::<Tree>(&[1]);
        too_deep::<Optional>(&[1]);
        too_deep::<Newtype>(&[1]);
        too_deep::<List>(&[1]);
        too_deep::<Map>(&[1, 7]);
        too_deep::<Key>(&[1]);
        too_deep::<Wide>(&[1, 7]);
        too_deep::<Wide>(&[2]);
    });
}

#[test]
fn the_limit_is_exact() {
    on_a_small_stack(|| {
        let tree = |levels: usize| {
            let mut bytes = vec![1; levels - 1];
            bytes.push(0);
            decode::<Tree>(&bytes, bounds())
        };
        assert!(tree(63).is_ok());
        assert!(tree(64).is_ok());
        assert_eq!(tree(65).unwrap_err(), DecodeError::TooDeep { limit: 64 });
    });
}

#[test]
fn levels_beside_one_another_are_not_added_up() {
    let rows = vec![Some((Some(1_u8), [Some(2_u8); 3])); 1000];
    let bytes = encode(&rows).unwrap();
    let bounds = Bounds {
        depth: 5,
        ..bounds()
    };
    assert_eq!(decode(&bytes, bounds), Ok(rows));
}
