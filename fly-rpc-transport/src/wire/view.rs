//! A node's view of where the primary is: what the hello says of it, and each change after it
//! (PROTOCOL.md, *Views of the primary*).
//!
//! What a view means, and which of two counts, is known above; here it is bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Malformed, Reader, put_bytes, put_varint};
use crate::name::Region;

/// Where a node sees the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The primary's region.
    pub region: Region,
    /// Which of two views is the newer; 0 as long as nothing was said but a node's own
    /// configuration. `None` from builds that know no epochs.
    pub epoch: Option<u64>,
    /// True if a source of the node's own says the same.
    pub vouched: bool,
}

impl View {
    /// What a node's configuration says.
    pub fn configured(region: impl Into<Region>) -> Self {
        Self {
            region: region.into(),
            epoch: Some(0),
            vouched: false,
        }
    }

    /// The part that builds without epochs do not know; nothing from such a build.
    pub(crate) fn put_mark(&self, out: &mut BytesMut) {
        if let Some(epoch) = self.epoch {
            put_varint(out, epoch);
            out.put_u8(u8::from(self.vouched) * FLAG_VOUCHED);
        }
    }

    /// The same, read. What follows it is a newer peer's.
    pub(crate) fn read_mark(reader: &mut Reader) -> Result<(u64, bool), Malformed> {
        Ok((reader.varint()?, reader.byte()? & FLAG_VOUCHED != 0))
    }

    pub(crate) fn encode(&self) -> BytesMut {
        let mut out = BytesMut::new();
        self.put_mark(&mut out);
        put_bytes(&mut out, self.region.as_str().as_bytes());
        out
    }

    pub(crate) fn decode(body: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (epoch, vouched) = Self::read_mark(&mut reader)?;
        let region = reader.text()?.parse();
        Ok(Self {
            region: region.map_err(|_| Malformed("region"))?,
            epoch: Some(epoch),
            vouched,
        })
    }
}

/// The other flags are skipped: they are a newer peer's.
const FLAG_VOUCHED: u8 = 0b0000_0001;
