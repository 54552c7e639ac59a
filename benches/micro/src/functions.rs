//! The function that every benchmark calls: it gives back what it was given.

use fly_rpc::region_rpc;
use serde_bytes::ByteBuf;

/// The least that a function with an argument and a value can do: one copy.
/// Under a name of its own: `report` is linked with others that echo.
#[region_rpc(name = "bench_micro_echo")]
pub async fn echo(body: &[u8]) -> ByteBuf {
    ByteBuf::from(body)
}

/// A body of this many bytes, not all alike.
pub fn payload(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}
