//! What a member's certificate says beside its name: which life of the node presents it, and where that
//! runs (PROTOCOL.md, *Lives in certificates*).
//!
//! Who dials the node reads it a round trip before the node's hello. It is sealed with a key that is
//! derived from the cluster secret, because any stranger gets to see the certificate. That it is true
//! is no question of the seal: the certificate is signed.

use std::fmt::Write;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::name::{NodeId, Region};

/// One life of a node, which has one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// Microseconds since 1970 at its start.
    pub(crate) incarnation: u64,
    pub(crate) region: Region,
}

/// The key that members of one cluster seal lives with.
pub(super) struct LifeKey(LessSafeKey);

impl LifeKey {
    /// That of a key which is derived for this and nothing else.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key);
        Self(LessSafeKey::new(key.expect("it has the length of a key")))
    }

    /// The life of `node`, sealed, in hexadecimal digits: a nonce, the ciphertext and its tag. `None` if
    /// its region is malformed.
    pub(super) fn seal(&self, node: &NodeId, life: &Life) -> Option<String> {
        // Few are ever sealed with one key, some two a day by each node: chance does not repeat itself.
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce);
        self.seal_with(nonce, node, life)
    }

    fn seal_with(&self, nonce: [u8; NONCE_LEN], node: &NodeId, life: &Life) -> Option<String> {
        let mut text = encode(life)?;
        let (key, about) = (&self.0, Aad::from(node.as_str()));
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, about, &mut text)
            .ok()?;
        Some(hex(&[&nonce[..], &text].concat()))
    }

    /// The life that was sealed for `node`; `None` if this is something else.
    pub(super) fn open(&self, node: &NodeId, sealed: &[u8]) -> Option<Life> {
        let mut sealed = unhex(sealed)?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(node.as_str()), text);
        decode(text.ok()?)
    }
}

/// The incarnation, the length of the region's name and the name, of which only those of more than
/// [`SHORT`] letters are told apart by how long all of it is.
fn encode(life: &Life) -> Option<Vec<u8>> {
    let region = life.region.as_str();
    if !life.region.is_well_formed() {
        return None;
    }
    let room = if region.len() <= SHORT { SHORT } else { LONG };
    let mut text = life.incarnation.to_be_bytes().to_vec();
    text.push(u8::try_from(region.len()).ok()?);
    text.extend_from_slice(region.as_bytes());
    text.resize(NAME + room, 0);
    Some(text)
}

fn decode(text: &[u8]) -> Option<Life> {
    let (incarnation, rest) = text.split_first_chunk()?;
    let (length, rest) = rest.split_first()?;
    let region = str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
    let life = Life {
        incarnation: u64::from_be_bytes(*incarnation),
        region: region.parse().ok()?,
    };
    // There is one way to say it.
    (encode(&life)? == text).then_some(life)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    pairs.iter().map(byte).collect()
}

/// Bytes in front of the region's name.
const NAME: usize = 8 + 1;
/// Letters of a region's name that are sealed without showing how many they are.
const SHORT: usize = 15;
/// Those of the longest.
const LONG: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::authority::life_key;

    fn key(cluster: &str) -> LifeKey {
        let secret = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
        life_key(&secret.parse().unwrap(), cluster)
    }

    fn life(region: &str) -> Life {
        Life {
            incarnation: 1_790_000_000_000_000,
            region: region.into(),
        }
    }

    #[test]
    fn a_life_is_read_by_members_alone() {
        let node = NodeId::from("a");
        for region in ["hkg", "a-region-of-some-length", &"r".repeat(63)] {
            let sealed = key("shop").seal(&node, &life(region)).unwrap();
            let sealed = sealed.as_bytes();
            assert_eq!(key("shop").open(&node, sealed), Some(life(region)));
            assert_eq!(key("shop2").open(&node, sealed), None);
            assert_eq!(key("shop").open(&"b".into(), sealed), None);
        }
    }

    // The example of PROTOCOL.md, computed with Python's `hmac` and RFC 8439 as written there.
    #[test]
    fn a_sealed_life_is_the_golden_one() {
        let sealed = key("guestbook").seal_with(
            std::array::from_fn(|at| at as u8),
            &"148e306f77e389".into(),
            &life("syd"),
        );
        let golden = concat!(
            "000102030405060708090a0b",
            "24e17ffa5e05ac8d649ff4cfb9cc7c95c56d9b35be9fa0eb",
            "70fb3070b005c53cafc16262fa2c0252",
        );
        assert_eq!(sealed.as_deref(), Some(golden));
    }

    #[test]
    fn the_names_of_regions_do_not_show_in_the_length() {
        let length = |region: &str| key("shop").seal(&"a".into(), &life(region)).unwrap().len();
        assert_eq!(length("a"), length(&"r".repeat(SHORT)));
        assert_eq!(length("a"), 2 * (NONCE_LEN + NAME + SHORT + 16));
    }

    #[test]
    fn a_region_that_no_node_has_is_not_sealed() {
        for region in ["", "a b", &"r".repeat(64)] {
            assert_eq!(key("shop").seal(&"a".into(), &life(region)), None);
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_life() {
        let node = NodeId::from("a");
        let sealed = key("shop").seal(&node, &life("hkg")).unwrap();
        for at in 0..sealed.len() {
            assert_eq!(key("shop").open(&node, &sealed.as_bytes()[..at]), None);
            let mut changed = sealed.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(key("shop").open(&node, &changed), None);
        }
        let upper = sealed.to_uppercase();
        assert_eq!(key("shop").open(&node, upper.as_bytes()), None);
        // What a member might seal that is no life.
        let mut padded = encode(&life("hkg")).unwrap();
        *padded.last_mut().unwrap() = 1;
        assert_eq!(decode(&padded), None);
        let mut long = encode(&life("hkg")).unwrap();
        long.resize(NAME + LONG, 0);
        assert_eq!(decode(&long), None);
    }
}
