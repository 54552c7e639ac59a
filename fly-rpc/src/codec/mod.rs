//! Arguments and values as bytes: postcard, and nothing but what the contract says.
//!
//! The only place where values are encoded and decoded. Both directions are stricter than postcard
//! itself. What would be misread is refused when it is *encoded* (`encode.rs`), where the mistake
//! was made and nothing has left yet. What a peer sent is *decoded* within [`Bounds`]
//! (`decode.rs`): a limit on its bytes alone would let 256 KiB become 200 MB, five bytes take
//! hours, and 44 kB overflow the stack.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use self::{decode::Decoder, encode::Encoder};

mod decode;
mod encode;
mod encoded;
mod error;
mod whole;

pub(crate) use self::{
    decode::Bounds,
    encoded::{Count, Encoded},
    error::{DecodeError, EncodeError},
    whole::{arguments_in, bytes_in, is_bytes, whole},
};

/// Encodes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    let mut encoder = Encoder::new(&mut out);
    value.serialize(&mut encoder)?;
    Ok(encoder.take())
}

/// Encodes a value behind what is already there. After an error, part of the value may be
/// there too.
pub(crate) fn encode_into<T: Serialize>(value: &T, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out);
    value.serialize(&mut encoder)?;
    encoder.finish();
    Ok(())
}

/// Decodes a value from all of `bytes`.
pub(crate) fn decode<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    bounds: Bounds,
) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes, bounds, size_of::<T>());
    let value = T::deserialize(&mut decoder);
    decoder.finish(value)
}

#[cfg(test)]
mod tests;
