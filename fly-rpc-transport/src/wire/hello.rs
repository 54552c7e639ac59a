//! The hello: who a node is and what it serves (PROTOCOL.md, *Hello*).
//!
//! The first message of every connection must be readable by builds that are years apart, so it is
//! a list of sections, each with a number and a length. A section that is not known is skipped;
//! bytes behind what is known of a section are skipped; nothing is ever decoded as a bare struct.

use std::{
    collections::HashMap,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{Arc, OnceLock},
};

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{Malformed, Reader, View, put_bytes, put_varint};
use crate::name::{NodeId, Region};

/// What a node tells each peer first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Protocol versions that the node speaks, inclusive.
    pub protocol: RangeInclusive<u32>,
    /// The cluster that the node belongs to.
    pub cluster: String,
    /// The node's identity, stable across restarts.
    pub node: NodeId,
    /// Which life of the node this is: microseconds since 1970 at its start. The later one replaces
    /// the earlier.
    pub incarnation: u64,
    /// Where the node runs.
    pub region: Region,
    /// Where the node believes the primary to be.
    pub view: View,
    /// The application's build, for people.
    pub build: String,
    /// Where other nodes can dial it, if it knows.
    pub advertise: Option<SocketAddr>,
    /// A number that grows with each dial of the dialler; 0 from the one who was dialled.
    pub dial: u64,
    /// The largest encoded arguments that the node accepts, in bytes.
    pub message_size: u64,
    /// True if the node is about to stop.
    pub draining: bool,
    /// What the node serves.
    pub catalogue: Arc<Catalogue>,
}

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
        *self.digest.get_or_init(|| {
            let whole: [u8; 32] = Sha256::digest(self.encode()).into();
            let (half, _) = whole.split_first_chunk().expect("32 bytes have 16");
            *half
        })
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
        Ok(Self::new(offers))
    }
}

impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name
    }
}

impl Eq for Catalogue {}

impl Hello {
    pub(crate) fn encode(&self) -> BytesMut {
        let mut sections = Sections(BytesMut::new());
        sections.put(PROTOCOL, |out| {
            put_varint(out, u64::from(*self.protocol.start()));
            put_varint(out, u64::from(*self.protocol.end()));
        });
        sections.put(CLUSTER, |out| out.put_slice(self.cluster.as_bytes()));
        sections.put(NODE, |out| out.put_slice(self.node.as_str().as_bytes()));
        sections.put(INCARNATION, |out| put_varint(out, self.incarnation));
        sections.put(REGION, |out| out.put_slice(self.region.as_str().as_bytes()));
        sections.put(PRIMARY, |out| {
            out.put_slice(self.view.region.as_str().as_bytes())
        });
        sections.put(BUILD, |out| out.put_slice(clip(&self.build).as_bytes()));
        if let Some(address) = self.advertise {
            sections.put(ADVERTISE, |out| {
                out.put_slice(address.to_string().as_bytes())
            });
        }
        sections.put(DIAL, |out| put_varint(out, self.dial));
        sections.put(MESSAGE_SIZE, |out| put_varint(out, self.message_size));
        if self.draining {
            sections.put(DRAINING, |_| ());
        }
        sections.put(CATALOGUE, |out| out.put_slice(&self.catalogue.encode()));
        if self.view.epoch.is_some() {
            sections.put(VIEW, |out| self.view.put_mark(out));
        }
        sections.0
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, HelloError> {
        let mut sections = HashMap::new();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let number = reader.varint()?;
            let section = reader.bytes()?;
            if sections.insert(number, section).is_some() {
                return Err(HelloError::Repeated(number));
            }
        }
        let protocol = {
            let mut range = Reader::new(required(&mut sections, PROTOCOL)?);
            range.varint_u32()?..=range.varint_u32()?
        };
        // Judged before anything else: a hello of another protocol may lack what we require.
        if protocol.end() < PROTOCOL_VERSIONS.start() || protocol.start() > PROTOCOL_VERSIONS.end()
        {
            return Err(HelloError::Protocol { theirs: protocol });
        }
        let number =
            |section: Option<Bytes>| section.map_or(Ok(0), |bytes| Reader::new(bytes).varint());
        Ok(Self {
            protocol,
            cluster: text(required(&mut sections, CLUSTER)?)?,
            node: name(required(&mut sections, NODE)?, "node id")?,
            incarnation: Reader::new(required(&mut sections, INCARNATION)?).varint()?,
            region: name(required(&mut sections, REGION)?, "region")?,
            view: view(&mut sections)?,
            build: sections.remove(&BUILD).map_or(Ok(String::new()), text)?,
            advertise: sections
                .remove(&ADVERTISE)
                .map(text)
                .transpose()?
                .and_then(|text| text.parse().ok()),
            dial: number(sections.remove(&DIAL))?,
            message_size: match sections.remove(&MESSAGE_SIZE) {
                Some(section) => number(Some(section))?,
                // A node that names no limit has none of its own.
                None => u64::MAX,
            },
            draining: sections.contains_key(&DRAINING),
            catalogue: Arc::new(
                sections
                    .remove(&CATALOGUE)
                    .map_or(Ok(Catalogue::default()), Catalogue::decode)?,
            ),
        })
    }
}

/// Why a hello is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelloError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("section {0} came twice")]
    Repeated(u64),
    #[error("section {0} is missing")]
    Missing(u64),
    #[error("it speaks protocol {}–{}, this node {}–{}", theirs.start(), theirs.end(), PROTOCOL_VERSIONS.start(), PROTOCOL_VERSIONS.end())]
    Protocol { theirs: RangeInclusive<u32> },
}

struct Sections(BytesMut);

impl Sections {
    fn put(&mut self, number: u64, write: impl FnOnce(&mut BytesMut)) {
        let mut section = BytesMut::new();
        write(&mut section);
        put_varint(&mut self.0, number);
        put_bytes(&mut self.0, &section);
    }
}

/// The region came first into the world: builds without epochs say it alone.
fn view(sections: &mut HashMap<u64, Bytes>) -> Result<View, HelloError> {
    let region = name(required(sections, PRIMARY)?, "primary region")?;
    let mark = sections.remove(&VIEW);
    let mark = mark
        .map(|mark| View::read_mark(&mut Reader::new(mark)))
        .transpose()?;
    Ok(View {
        region,
        epoch: mark.map(|(epoch, _)| epoch),
        vouched: mark.is_some_and(|(_, vouched)| vouched),
    })
}

fn required(sections: &mut HashMap<u64, Bytes>, number: u64) -> Result<Bytes, HelloError> {
    sections.remove(&number).ok_or(HelloError::Missing(number))
}

fn text(bytes: Bytes) -> Result<String, Malformed> {
    std::str::from_utf8(&bytes)
        .map(str::to_owned)
        .map_err(|_| Malformed("text: not UTF-8"))
}

fn name<T: std::str::FromStr>(bytes: Bytes, what: &'static str) -> Result<T, Malformed> {
    text(bytes)?.parse().map_err(|_| Malformed(what))
}

/// Long texts for people are cut, on a character boundary: they inform, nothing depends on them.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The protocol versions that this build speaks. ALPN names the major one; within it a hello may
/// widen the range.
pub const PROTOCOL_VERSIONS: RangeInclusive<u32> = 1..=1;

const PROTOCOL: u64 = 1;
const CLUSTER: u64 = 2;
const NODE: u64 = 3;
const INCARNATION: u64 = 4;
const REGION: u64 = 5;
const PRIMARY: u64 = 6;
const BUILD: u64 = 7;
const ADVERTISE: u64 = 8;
const DIAL: u64 = 9;
const MESSAGE_SIZE: u64 = 10;
const DRAINING: u64 = 11;
const CATALOGUE: u64 = 12;
const VIEW: u64 = 14;
/// Bytes of a function's name, as the attribute allows them.
const NAME: usize = 128;
/// Bytes of a text for people, such as a contract: more would be read by nobody.
const TEXT: usize = 2048;
