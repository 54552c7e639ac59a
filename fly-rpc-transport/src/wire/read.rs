//! Reading and writing the primitives of the protocol: unsigned LEB128 varints and length-prefixed
//! byte strings.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes that do not follow PROTOCOL.md. The connection survives it; the message does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Takes a message apart from front to back. Nothing is copied: byte strings are slices of the
/// input.
#[derive(Debug)]
pub(crate) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn into_rest(self) -> Bytes {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        if self.rest.is_empty() {
            return Err(Malformed("message: it ends early"));
        }
        Ok(self.rest.get_u8())
    }

    /// An unsigned LEB128 number. Longer spellings of a number than its shortest are refused: one
    /// value, one encoding.
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("number: more than 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Malformed("number: not its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(Malformed("number: more than 64 bits"))
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("number: more than 32 bits"))
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.rest.len() {
            return Err(Malformed("message: it ends early"));
        }
        Ok(self.rest.split_to(length))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let Some(array) = self.rest.first_chunk().copied() else {
            return Err(Malformed("message: it ends early"));
        };
        self.rest.advance(N);
        Ok(array)
    }

    /// A varint length and that many bytes.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length =
            usize::try_from(self.varint()?).map_err(|_| Malformed("message: it ends early"))?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| Malformed("text: not UTF-8"))
    }
}

pub(crate) fn put_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        // Only the low seven bits are kept, the cast cannot lose more than it should.
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

pub(crate) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<u64, Malformed> {
        Reader::new(Bytes::copy_from_slice(bytes)).varint()
    }

    proptest! {
        #[test]
        fn every_number_comes_back(value: u64) {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            prop_assert_eq!(read(&out), Ok(value));
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert!(read(&[0x80, 0x00]).is_err());
        assert!(read(&[0xff; 11]).is_err());
        assert!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).is_err());
        assert_eq!(
            read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            Ok(u64::MAX)
        );
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_without_allocating_it() {
        let mut reader = Reader::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2]));
        assert!(reader.bytes().is_err());
    }
}
