//! A member of the cluster: what a node says of itself, as it travels from node to node.
//!
//! A node alone writes its own record. Each change of it is a new *revision*; each start of the node is
//! a new *life*, and of two records the later one counts. A record is passed on by builds that are
//! years apart, so it has a length, and what a build does not know of it is passed on with the rest.

use std::{
    cmp::Ordering,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use bytes::BufMut;
use fly_rpc_transport::{NodeId, Region};
use sha2::{Digest, Sha256};

/// What a node says of itself. Cloning is a reference count. Two records of the same life and revision
/// are the same: a node never says two things in one revision.
#[derive(Clone)]
pub(crate) struct Member(Arc<Record>);

struct Record {
    facts: Facts,
    key: Key,
}

/// Stands for a node's name where many are compared: 128 bits of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    fn of(node: &NodeId) -> Self {
        let hash = Sha256::digest(node.as_str());
        let (half, _) = hash.split_first_chunk().expect("a SHA-256 has 32 bytes");
        Self(u128::from_le_bytes(*half))
    }
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) node: NodeId,
    /// Microseconds since 1970 at its start.
    pub(crate) life: u64,
    /// Grows with each change.
    pub(crate) revision: u32,
    /// Where it can be dialled, if it knows.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) region: Region,
    /// Where it believes the primary to be.
    pub(crate) primary: Region,
    /// The digest of its catalogue.
    pub(crate) catalogue: [u8; DIGEST],
    /// True if it takes no new calls.
    pub(crate) draining: bool,
    /// What builds say beyond, this one a byte of bits and newer ones more.
    pub(crate) rest: Box<[u8]>,
}

impl Facts {
    /// What this build says beyond. `is_exact` as in [`is_exact`](Self::is_exact).
    pub(crate) fn rest(is_exact: bool) -> Box<[u8]> {
        [if is_exact { EXACT } else { 0 }].into()
    }

    /// True if its hello has this life as its incarnation, and calls may come behind the hello of who
    /// dials it. Builds that do not know of that say nothing, and who had to go beyond its own life to be
    /// believed says that it did.
    pub(crate) fn is_exact(&self) -> bool {
        self.rest.first().is_some_and(|bits| bits & EXACT != 0)
    }
}

impl Member {
    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(crate) fn node(&self) -> &NodeId {
        &self.facts().node
    }

    pub(crate) fn key(&self) -> Key {
        self.0.key
    }

    /// The next revision, with this changed.
    pub(crate) fn revised(&self, change: impl FnOnce(&mut Facts)) -> Self {
        let mut facts = self.facts().clone();
        facts.revision = facts.revision.saturating_add(1);
        change(&mut facts);
        facts.into()
    }

    /// Which of two records of one node is the later.
    pub(crate) fn age(&self, other: &Self) -> Ordering {
        let key = |member: &Self| (member.facts().life, member.facts().revision);
        key(self).cmp(&key(other))
    }

    /// Writes the whole record: a length of two bytes, then what [`Facts`] has in its order.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u16_le(0);
        let Facts {
            node,
            life,
            revision,
            address,
            region,
            primary,
            catalogue,
            draining,
            rest,
        } = self.facts();
        put_text(out, node.as_str());
        out.put_u64_le(*life);
        out.put_u32_le(*revision);
        let family = address.map_or(0, |address| if address.is_ipv4() { IPV4 } else { IPV6 });
        out.put_u8(family | if *draining { DRAINING } else { 0 });
        if let Some(address) = address {
            match address.ip() {
                IpAddr::V4(ip) => out.put_slice(&ip.octets()),
                IpAddr::V6(ip) => out.put_slice(&ip.octets()),
            }
            out.put_u16_le(address.port());
        }
        put_text(out, region.as_str());
        put_text(out, primary.as_str());
        out.put_slice(catalogue);
        out.put_slice(rest);
        let length =
            u16::try_from(out.len() - start - 2).expect("names are short, and so is the rest");
        out[start..start + 2].copy_from_slice(&length.to_le_bytes());
    }

    /// Reads a record from the front of `bytes`.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<Self, Unreadable> {
        let length = usize::from(u16::from_le_bytes(array(bytes)?));
        let record = &mut take(bytes, length)?;
        let node = name(record)?;
        let life = u64::from_le_bytes(array(record)?);
        let revision = u32::from_le_bytes(array(record)?);
        let [flags] = array(record)?;
        let address = match flags & (IPV4 | IPV6) {
            0 => None,
            IPV4 => Some(IpAddr::from(array::<4>(record)?)),
            IPV6 => Some(IpAddr::from(array::<16>(record)?)),
            _ => return Err(Unreadable("an address of two families")),
        };
        let address = match address {
            Some(ip) => Some(SocketAddr::new(ip, u16::from_le_bytes(array(record)?))),
            None => None,
        };
        let (region, primary, catalogue) = (name(record)?, name(record)?, array(record)?);
        if record.len() > REST {
            return Err(Unreadable("a record that is too long"));
        }
        Ok(Facts {
            node,
            life,
            revision,
            address,
            region,
            primary,
            catalogue,
            draining: flags & DRAINING != 0,
            rest: (*record).into(),
        }
        .into())
    }

    /// Writes which record is meant, for those who have it.
    pub(crate) fn encode_reference(&self, out: &mut Vec<u8>) {
        put_text(out, self.node().as_str());
        out.put_u64_le(self.facts().life);
        out.put_u32_le(self.facts().revision);
    }

    /// Reads which record is meant. It equals that record, and says nothing else.
    pub(crate) fn decode_reference(bytes: &mut &[u8]) -> Result<Self, Unreadable> {
        Ok(Facts {
            node: name(bytes)?,
            life: u64::from_le_bytes(array(bytes)?),
            revision: u32::from_le_bytes(array(bytes)?),
            address: None,
            region: Region::from(""),
            primary: Region::from(""),
            catalogue: [0; DIGEST],
            draining: false,
            rest: Box::default(),
        }
        .into())
    }
}

impl From<Facts> for Member {
    fn from(facts: Facts) -> Self {
        let key = Key::of(&facts.node);
        Self(Arc::new(Record { facts, key }))
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.age(other).is_eq() && self.key() == other.key())
    }
}

impl Eq for Member {}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts {
            node,
            life,
            revision,
            ..
        } = self.facts();
        write!(f, "{node}/{life}/{revision}")
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gossip cannot be read: {0}")]
pub(crate) struct Unreadable(pub(crate) &'static str);

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Names are checked before a node starts, and when a record is read.
    let length = u8::try_from(text.len()).expect("a name has at most 63 bytes");
    out.put_u8(length);
    out.put_slice(text.as_bytes());
}

/// The next `length` bytes.
pub(super) fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unreadable> {
    let (taken, rest) = bytes
        .split_at_checked(length)
        .ok_or(Unreadable("it ends early"))?;
    *bytes = rest;
    Ok(taken)
}

/// The next `N` bytes.
pub(super) fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Unreadable> {
    let (array, rest) = bytes
        .split_first_chunk()
        .ok_or(Unreadable("it ends early"))?;
    *bytes = rest;
    Ok(*array)
}

fn name<T: FromStr>(bytes: &mut &[u8]) -> Result<T, Unreadable> {
    let [length] = array(bytes)?;
    let text = str::from_utf8(take(bytes, length.into())?);
    let text = text.map_err(|_| Unreadable("a name that is not UTF-8"))?;
    text.parse()
        .map_err(|_| Unreadable("a name that no node and no region can have"))
}

/// Bytes of a catalogue's digest.
pub(crate) const DIGEST: usize = 16;
/// Bytes that newer builds may add to a record. A packet holds a dozen records, which must stay small.
const REST: usize = 64;
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const DRAINING: u8 = 4;
/// Of the bits beyond.
const EXACT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn member(address: Option<&str>) -> Member {
        Facts {
            node: "e784079b449483".into(),
            life: 1_700_000_000_000_000,
            revision: 3,
            address: address.map(|address| address.parse().expect("sound")),
            region: "syd".into(),
            primary: "hkg".into(),
            catalogue: [9; DIGEST],
            draining: true,
            rest: [1, 2, 3].into(),
        }
        .into()
    }

    fn encoded(member: &Member) -> Vec<u8> {
        let mut bytes = Vec::new();
        member.encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_record_comes_back_with_what_newer_builds_say() {
        for address in [None, Some("10.0.0.1:7411"), Some("[fdaa::3]:7411")] {
            let bytes = encoded(&member(address));
            let rest = &mut bytes.as_slice();
            let back = Member::decode(rest).expect("whole");
            assert_eq!(back.facts(), member(address).facts());
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_reference_equals_its_record() {
        let mut bytes = Vec::new();
        member(None).encode_reference(&mut bytes);
        let back = Member::decode_reference(&mut bytes.as_slice()).expect("whole");
        assert_eq!(back, member(None));
        assert_ne!(back, member(None).revised(|_| ()));
    }

    #[test]
    fn a_record_that_is_cut_or_damaged_is_another_record_or_an_error() {
        let whole = encoded(&member(Some("[fdaa::3]:7411")));
        for cut in 0..whole.len() {
            assert!(Member::decode(&mut &whole[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Member::decode(&mut flipped.as_slice()) {
                // Then it can be passed on, and says the same to the next one.
                let again = encoded(&other);
                let next = Member::decode(&mut again.as_slice()).expect("it was readable");
                assert_eq!(next.facts(), other.facts());
            }
        }
    }

    #[test]
    fn names_that_nobody_can_have_are_refused() {
        let mut facts = member(None).facts().clone();
        facts.node = "Not a name!".into();
        assert!(Member::decode(&mut encoded(&facts.clone().into()).as_slice()).is_err());
        (facts.node, facts.rest) = ("n".into(), [0; REST + 1].into());
        assert!(Member::decode(&mut encoded(&facts.into()).as_slice()).is_err());
    }

    #[test]
    fn the_later_life_and_in_one_life_the_later_revision_counts() {
        let (first, second) = (member(None), member(None).revised(|_| ()));
        let restarted = first.revised(|facts| (facts.life, facts.revision) = (facts.life + 1, 0));
        assert!(second.age(&first).is_gt() && restarted.age(&second).is_gt());
    }
}
