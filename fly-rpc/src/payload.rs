//! A function's arguments and values as bytes, with the function's name in the log when one cannot
//! travel.

use bytes::Bytes;

use crate::{codec, error::RpcError, fence::fence, node::Node, registry::Function};

pub(crate) fn encode<F: Function>(args: &F::Args<'_>) -> Result<Bytes, RpcError> {
    match fence(|| codec::encode(args)) {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            tracing::error!(function = F::SPEC.name, version = F::SPEC.version, %error, "the arguments cannot be encoded");
            Err(RpcError::Encode)
        }
        Err(_) => Err(RpcError::Encode),
    }
}

pub(crate) fn decode<F: Function>(answer: &[u8], node: &Node) -> Result<F::Output, RpcError> {
    match fence(|| codec::decode(answer, (&node.inner().limits).into())) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::error!(function = F::SPEC.name, version = F::SPEC.version, %error, "an answer cannot be decoded");
            Err(RpcError::BadResponse)
        }
        Err(_) => Err(RpcError::BadResponse),
    }
}
