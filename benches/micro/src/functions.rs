//! The function that every benchmark calls: it gives back what it was given.

use fly_rpc::region_rpc;
use serde_bytes::ByteBuf;

/// The least that a function with an argument and a value can do: one copy.
#[region_rpc]
pub async fn echo(body: &[u8]) -> ByteBuf {
    ByteBuf::from(body)
}

/// A body of this many bytes, not all alike.
pub fn payload(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}
