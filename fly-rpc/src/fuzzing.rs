//! What the fuzz target `decode` of `fuzz/` runs, and ordinary tests beside it: bytes that nobody
//! vouches for, decoded as types that hold everything that serde knows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    net::IpAddr,
    num::NonZeroU16,
    rc::Rc,
    time::Duration,
};

use fly_rpc_transport::Limits;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use crate::membership::fuzzing::gossip;
use crate::{
    codec::{self, Bounds},
    registry::ByteSlice,
};

/// Which type, then its bytes.
///
/// # Panics
///
/// If a value is decoded that postcard decodes otherwise, or that comes back as another one.
pub fn decode(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 12 {
        0 => value::<Everything>(bytes),
        1 => value::<Tree>(bytes),
        2 => value::<Vec<Option<[u64; 32]>>>(bytes),
        3 => value::<Vec<Box<Option<[u64; 32]>>>>(bytes),
        4 => value::<HashSet<()>>(bytes),
        5 => value::<Vec<BTreeMap<u8, Vec<String>>>>(bytes),
        6 => value::<HashMap<String, Vec<Rc<Chain>>>>(bytes),
        7 => value::<(VecDeque<Unit>, BTreeSet<Vec<u8>>)>(bytes),
        8 => value::<Vec<Chain>>(bytes),
        9 => value::<BTreeMap<Box<Tree>, [Option<Kind>; 3]>>(bytes),
        10 => value::<Vec<(u16, i128, Option<Box<str>>)>>(bytes),
        _ => borrowed(bytes),
    }
}

/// A value as a node decodes it that was told nothing else. `None` if it is refused.
pub fn bounded<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    codec::decode(bytes, Bounds::from(&Limits::default())).ok()
}

fn value<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let value: T = match codec::decode(bytes, BOUNDS) {
        Ok(value) => value,
        Err(error) => return assert!(error.to_string().len() < 512, "{error}"),
    };
    let written = codec::encode(&value).expect("what was decoded can be encoded");
    let plain: T = postcard::from_bytes(bytes).expect("postcard is less strict");
    same(&written, &codec::encode(&plain).expect("as above"));
    let again: T = codec::decode(&written, BOUNDS).expect("what was encoded can be decoded");
    same(&written, &codec::encode(&again).expect("as above"));
}

fn borrowed(bytes: &[u8]) {
    type Lent<'a> = (&'a str, ByteSlice<'a>);
    if let Ok(value) = codec::decode::<Lent<'_>>(bytes, BOUNDS) {
        let written = codec::encode(&value).expect("text and bytes");
        let again: Lent<'_> = codec::decode(&written, BOUNDS).expect("what was encoded");
        assert_eq!((value.0, value.1.0), (again.0, again.1.0));
    }
}

/// Hashed collections have no order, so of those that hold some only the size is compared.
fn same(left: &[u8], right: &[u8]) {
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(left), sorted(right));
}

/// Every kind of value in serde's data model that postcard has.
#[derive(Serialize, Deserialize)]
struct Everything {
    unit: (),
    marker: Unit,
    flag: bool,
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    floats: (f32, f64),
    letter: char,
    text: String,
    boxed: Box<str>,
    bytes: Vec<u8>,
    maybe: Option<Option<u32>>,
    newtype: Wrapped<Wrapped<u64>>,
    kinds: Vec<Kind>,
    array: [u16; 5],
    map: BTreeMap<String, Tree>,
    hashed: HashMap<u32, Option<u8>>,
    set: HashSet<NonZeroU16>,
    address: IpAddr,
    elapsed: Duration,
    #[serde(skip)]
    _cache: [u64; 4],
    result: Result<u8, String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Unit;

#[derive(Serialize, Deserialize)]
struct Wrapped<T>(T);

#[derive(Serialize, Deserialize)]
enum Kind {
    Plain,
    New(Wrapped<i32>),
    Tuple(u8, String),
    Named { id: u64, tree: Tree },
    Boxed(Box<Self>),
}

/// No larger than a pointer, and recursive.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Self>),
}

#[derive(Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Self>>,
    branches: Vec<Self>,
}

/// Small, so that little is enough to reach them.
const BOUNDS: Bounds = Bounds {
    depth: 64,
    memory: 1 << 20,
};

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::decode;

    #[test]
    fn every_input_that_fuzzing_kept_is_harmless() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decode");
        let inputs = fs::read_dir(corpus).expect("a corpus");
        let run =
            inputs.map(|input| decode(&fs::read(input.expect("a file").path()).expect("readable")));
        assert_ne!(run.count(), 0);
    }
}
