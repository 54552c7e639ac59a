//! Arguments and values as bytes: postcard, and nothing but what the contract says.
//!
//! The only place where values are encoded and decoded. Bytes behind a value are an error here, as
//! they are a sign that the other side encoded something else.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// Encodes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> postcard::Result<Bytes> {
    let mut out = BytesMut::with_capacity(CAPACITY);
    encode_into(value, &mut out)?;
    Ok(out.freeze())
}

/// Encodes a value behind what is already there.
pub(crate) fn encode_into<T: Serialize>(value: &T, out: &mut BytesMut) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Appender(out))
}

/// Decodes a value from all of `bytes`.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> postcard::Result<T> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(postcard::Error::DeserializeBadEncoding)
    }
}

struct Appender<'a>(&'a mut BytesMut);

impl postcard::ser_flavors::Flavor for Appender<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.put_u8(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.put_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Most arguments fit without growing.
const CAPACITY: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back() {
        let value = (7_u64, "text".to_owned(), Some(vec![1_u8, 2]));
        let bytes = encode(&value).expect("encodable");
        assert_eq!(decode::<(u64, String, Option<Vec<u8>>)>(&bytes), Ok(value));
    }

    #[test]
    fn bytes_behind_a_value_are_refused() {
        let mut bytes = encode(&1_u8).expect("encodable").to_vec();
        bytes.push(0);
        assert!(decode::<u8>(&bytes).is_err());
    }

    #[test]
    fn every_prefix_of_a_value_is_refused() {
        let bytes = encode(&("text", 300_u32, [Some(1_u8), None])).expect("encodable");
        for cut in 0..bytes.len() {
            assert!(decode::<(String, u32, [Option<u8>; 2])>(&bytes[..cut]).is_err());
        }
    }
}
