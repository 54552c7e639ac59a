//! The hello: who a node is and what it serves (PROTOCOL.md, *Hello*).
//!
//! The first message of every connection must be readable by builds that are years apart, so it is
//! a list of sections, each with a number and a length. A section that is not known is skipped;
//! bytes behind what is known of a section are skipped; nothing is ever decoded as a bare struct.

use std::{collections::HashMap, net::SocketAddr, ops::RangeInclusive, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};

use super::{Catalogue, Malformed, Reader, View, catalogue::clip, put_bytes, put_varint};
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
    /// True if it only looks and calls: nobody calls it, dials it, or counts on it.
    pub observer: bool,
    /// What the node serves.
    pub catalogue: Arc<Catalogue>,
}

/// A hello as it travels: with the sender's catalogue, or, to who knows it, with its digest alone
/// (PROTOCOL.md, *Catalogues by digest*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// What it says. If the catalogue is left out, this one has none.
    pub(crate) hello: Hello,
    /// Digests of catalogues that the sender knows, its own first. None from a build that knows
    /// nothing of digests.
    pub(crate) known: Vec<[u8; 16]>,
    /// True if the catalogue is left out: it is the first of `known`.
    pub(crate) leaves_out: bool,
    /// True if the sender does not know the catalogue that it was told the digest of, and waits for it.
    pub(crate) asks: bool,
    /// The incarnation and the region that the sender takes the receiver's to be, if it does not wait
    /// for the receiver's hello before it calls (PROTOCOL.md, *Calls behind the hello*).
    pub(crate) takes_for: Option<(u64, Region)>,
}

impl Greeting {
    pub(crate) fn encode(&self) -> BytesMut {
        let mut sections = Sections(BytesMut::new());
        self.hello.put(&mut sections, !self.leaves_out);
        if !self.known.is_empty() {
            sections.put(KNOWN, |out| out.put_slice(self.known.as_flattened()));
        }
        if self.asks {
            sections.put(ASKS, |_| ());
        }
        if let Some((incarnation, region)) = &self.takes_for {
            sections.put(TAKES_FOR, |out| {
                put_varint(out, *incarnation);
                put_bytes(out, region.as_str().as_bytes());
            });
        }
        if self.hello.observer {
            sections.put(OBSERVER, |_| ());
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
        let mut hello = Hello::take(&mut sections)?;
        let catalogue = sections.remove(&CATALOGUE);
        let known = sections.remove(&KNOWN).unwrap_or_default();
        // What is shorter than a digest, at the end, is none.
        let known: Vec<[u8; 16]> = known.as_chunks().0.iter().copied().take(DIGESTS).collect();
        let leaves_out = catalogue.is_none() && !known.is_empty();
        if let Some(catalogue) = catalogue {
            hello.catalogue = Arc::new(Catalogue::decode(catalogue)?);
        }
        Ok(Self {
            hello,
            known,
            leaves_out,
            asks: sections.contains_key(&ASKS),
            takes_for: sections.remove(&TAKES_FOR).map(taken_for).transpose()?,
        })
    }
}

/// As a build says it that knows nothing of digests.
impl From<Hello> for Greeting {
    fn from(hello: Hello) -> Self {
        Self {
            hello,
            known: Vec::new(),
            leaves_out: false,
            asks: false,
            takes_for: None,
        }
    }
}

impl Hello {
    /// In the order of their numbers.
    fn put(&self, sections: &mut Sections, is_whole: bool) {
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
        if is_whole {
            sections.put(CATALOGUE, |out| out.put_slice(&self.catalogue.encode()));
        }
        if self.view.epoch.is_some() {
            sections.put(VIEW, |out| self.view.put_mark(out));
        }
    }

    /// Everything but the catalogue.
    fn take(sections: &mut HashMap<u64, Bytes>) -> Result<Self, HelloError> {
        let protocol = {
            let mut range = Reader::new(required(sections, PROTOCOL)?);
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
            cluster: text(required(sections, CLUSTER)?)?,
            node: name(required(sections, NODE)?, "node id")?,
            incarnation: Reader::new(required(sections, INCARNATION)?).varint()?,
            region: name(required(sections, REGION)?, "region")?,
            view: view(sections)?,
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
            observer: sections.contains_key(&OBSERVER),
            catalogue: Arc::default(),
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

fn taken_for(section: Bytes) -> Result<(u64, Region), Malformed> {
    let mut section = Reader::new(section);
    Ok((section.varint()?, name(section.bytes()?, "region")?))
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
const KNOWN: u64 = 15;
const ASKS: u64 = 16;
const TAKES_FOR: u64 = 17;
const OBSERVER: u64 = 18;
/// Digests of one hello that are looked at. Builds in one cluster are a few; a dialler names as many.
pub(crate) const DIGESTS: usize = 8;
