//! Encoded arguments on their way to a node, or back here.

use bytes::{BufMut, Bytes, BytesMut};
use fly_rpc_transport::RequestBody;

/// Encoded arguments.
///
/// Those of a function that takes bytes and nothing else are the caller's own and no copy of them. Their
/// number, which travels in front of them, is apart then.
#[derive(Debug)]
pub(crate) struct Encoded {
    bytes: Bytes,
    is_counted: bool,
}

/// Room for the number of bytes of a byte string, as a varint.
pub(crate) type Count = [u8; 10];

impl Encoded {
    /// A byte string, as postcard writes it: its length, then itself.
    pub(super) fn counted(bytes: Bytes) -> Self {
        Self {
            bytes,
            is_counted: true,
        }
    }

    /// Bytes of all of it.
    pub(crate) fn len(&self) -> usize {
        self.prefix(&mut Count::default()).len() + self.bytes.len()
    }

    /// As it is sent.
    pub(crate) fn body<'a>(&'a self, room: &'a mut Count) -> RequestBody<'a> {
        RequestBody {
            prefix: self.prefix(room),
            rest: &self.bytes,
        }
    }

    /// In one piece, to be decoded here.
    pub(crate) fn joined(self) -> Bytes {
        let mut room = Count::default();
        let prefix = self.prefix(&mut room);
        if prefix.is_empty() {
            return self.bytes;
        }
        let mut joined = BytesMut::with_capacity(prefix.len() + self.bytes.len());
        joined.put_slice(prefix);
        joined.put_slice(&self.bytes);
        joined.freeze()
    }

    fn prefix<'a>(&self, room: &'a mut Count) -> &'a [u8] {
        if !self.is_counted {
            return &[];
        }
        postcard::to_slice(&self.bytes.len(), room)
            .expect("a varint of 64 bits has ten bytes at most")
    }
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            is_counted: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::encode, registry::ByteSlice};

    #[test]
    fn a_byte_string_with_its_length_apart_is_what_postcard_writes() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 100_000] {
            let bytes = Bytes::from(vec![7; size]);
            let written = encode(&ByteSlice(&bytes)).expect("bytes");
            let apart = Encoded::counted(bytes.clone());
            let mut room = Count::default();
            let body = apart.body(&mut room);
            assert_eq!([body.prefix, body.rest].concat(), written, "{size}");
            assert_eq!(body.rest.as_ptr(), bytes.as_ptr(), "no copy");
            assert_eq!(apart.len(), written.len());
            assert_eq!(apart.joined(), written);
            let whole = Encoded::from(written.clone());
            assert_eq!(whole.len(), written.len());
            assert!(whole.body(&mut Count::default()).prefix.is_empty());
            assert_eq!(whole.joined(), written);
        }
    }
}
