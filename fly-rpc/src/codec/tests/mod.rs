//! What comes back, what is refused, and how a refusal reads.

use super::{Bounds, DecodeError, EncodeError, decode, encode};

mod bombs;
mod bytes;
mod charges;
mod decoding;
mod encoding;
mod memory;

/// The bounds of a node that was told nothing else.
fn bounds() -> Bounds {
    Bounds::from(&fly_rpc_transport::Limits::default())
}
