//! What a node serves: its functions' identities, with fingerprints and contracts (PROTOCOL.md, *Hello*).
//!
//! Equal catalogues are equal bytes, so the digest of the bytes tells catalogues apart.

use std::{collections::HashMap, sync::OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{Malformed, Reader, put_bytes, put_varint};

/// One function that a node serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The function's name.
    pub name: String,
    /// The function's version.
    pub version: u32,
    /// Fingerprint of its contract.
    pub fingerprint: [u8; 16],
    /// The contract for people.
    pub contract: String,
}

/// Everything that a node serves, by name and version.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    by_name: HashMap<String, Vec<Offer>>,
    digest: OnceLock<[u8; 16]>,
}

impl Catalogue {
    /// A catalogue of these offers. Of two with one identity the first counts.
    pub fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
        let mut by_name: HashMap<String, Vec<Offer>> = HashMap::new();
        for offer in offers {
            by_name.entry(offer.name.clone()).or_default().push(offer);
        }
        for versions in by_name.values_mut() {
            // Stable: the first of equals stays first, and is the one that stays.
            versions.sort_by_key(|offer| offer.version);
            versions.dedup_by_key(|offer| offer.version);
        }
        Self {
            by_name,
            digest: OnceLock::new(),
        }
    }

    /// What tells catalogues apart: the first half of the SHA-256 of what travels of this one.
    pub fn digest(&self) -> [u8; 16] {
        *self.digest.get_or_init(|| digest(&self.encode()))
    }

    /// The offer with this identity.
    pub fn find(&self, name: &str, version: u32) -> Option<&Offer> {
        let versions = self.by_name.get(name)?;
        versions
            .binary_search_by_key(&version, |offer| offer.version)
            .ok()
            .map(|place| &versions[place])
    }

    /// All versions of one name, ascending.
    pub fn versions(&self, name: &str) -> &[Offer] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// All offers, in no order.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.by_name.values().flatten()
    }

    /// The number of offers.
    pub fn len(&self) -> usize {
        self.by_name.values().map(Vec::len).sum()
    }

    /// True if nothing is served.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Offers one after another, each with its own length so that later fields can be skipped;
    /// sorted, so that equal catalogues are equal bytes.
    pub(crate) fn encode(&self) -> BytesMut {
        let mut offers: Vec<&Offer> = self.offers().collect();
        offers.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
        let mut out = BytesMut::new();
        let mut record = BytesMut::new();
        for offer in offers {
            record.clear();
            put_bytes(&mut record, offer.name.as_bytes());
            put_varint(&mut record, u64::from(offer.version));
            record.put_slice(&offer.fingerprint);
            put_bytes(&mut record, clip(&offer.contract).as_bytes());
            put_bytes(&mut out, &record);
        }
        out
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        // Of the bytes that came: those of a newer build hold more than is read of them.
        let digest = digest(&bytes);
        let mut reader = Reader::new(bytes);
        let mut offers = Vec::new();
        while !reader.is_empty() {
            let mut record = Reader::new(reader.bytes()?);
            let name = record.text()?;
            if name.is_empty() || name.len() > NAME {
                return Err(Malformed("function name: not 1 to 128 bytes"));
            }
            offers.push(Offer {
                name,
                version: record.varint_u32()?,
                fingerprint: record.array()?,
                contract: record.text()?,
            });
        }
        Ok(Self {
            digest: digest.into(),
            ..Self::new(offers)
        })
    }
}

impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name
    }
}

impl Eq for Catalogue {}

fn digest(bytes: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    let (half, _) = whole.split_first_chunk().expect("32 bytes have 16");
    *half
}

/// Long texts for people are cut, on a character boundary: they inform, nothing depends on them.
pub(super) fn clip(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Bytes of a function's name, as the attribute allows them.
const NAME: usize = 128;
/// Bytes of a text for people, such as a contract: more would be read by nobody.
const TEXT: usize = 2048;
