//! A function's arguments and values as bytes, with the function's name in the log when one cannot
//! travel.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec,
    error::RpcError,
    fence::{discard, fence},
    node::Node,
    registry::{Function, Spec},
};

/// The arguments as bytes; they have done their work then.
pub(crate) fn encode<F: Function>(args: F::Args<'_>) -> Result<Bytes, RpcError> {
    let encoded = to_bytes(&args, &F::SPEC, "the arguments");
    discard(args);
    encoded.ok_or(RpcError::Encode)
}

/// A function's value from an answer.
pub(crate) fn decode<F: Function>(answer: &Bytes, node: &Node) -> Result<F::Output, RpcError> {
    codec::whole(answer)
        .or_else(|| from_bytes(answer, &F::SPEC, node))
        .ok_or(RpcError::BadResponse)
}

/// A value there and back, as if it had come from elsewhere.
pub(crate) fn through_the_codec<F: Function>(
    value: F::Output,
    node: &Node,
) -> Result<F::Output, RpcError> {
    let encoded = to_bytes(&value, &F::SPEC, "an answer");
    discard(value);
    decode::<F>(&encoded.ok_or(RpcError::BadResponse)?, node)
}

fn to_bytes<T: Serialize>(value: &T, spec: &Spec, what: &'static str) -> Option<Bytes> {
    encoded(spec, what, || codec::encode(value))
}

/// What `encode` gives; `None` if it fails or panics, which is then in the log.
pub(crate) fn encoded<T>(
    spec: &Spec,
    what: &'static str,
    encode: impl FnOnce() -> Result<T, codec::EncodeError>,
) -> Option<T> {
    match fence(encode) {
        Ok(Ok(encoded)) => return Some(encoded),
        Ok(Err(error)) => {
            tracing::error!(function = spec.name, version = spec.version, %error, "{what} cannot be encoded")
        }
        Err(panicked) => tracing::error!(
            function = spec.name,
            version = spec.version,
            panic = panicked.message(),
            "encoding {what} panicked"
        ),
    }
    None
}

/// `None` if it cannot be decoded, which is then in the log.
fn from_bytes<T: DeserializeOwned>(answer: &[u8], spec: &Spec, node: &Node) -> Option<T> {
    match fence(|| codec::decode(answer, (&node.inner().limits).into())) {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => {
            tracing::error!(function = spec.name, version = spec.version, %error, "an answer cannot be decoded")
        }
        Err(panicked) => tracing::error!(
            function = spec.name,
            version = spec.version,
            panic = panicked.message(),
            "decoding an answer panicked"
        ),
    }
    None
}
