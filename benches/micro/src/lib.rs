//! What the small benchmarks share: the functions that are called, and the process at the other end.

mod functions;
mod peer;
mod quic;
mod udp;

pub use functions::{echo, echo_on, echo_on_primary, echo_on_region, payload};
pub use peer::{Peer, member, serve_if_asked};
pub use quic::BareQuic;
pub use udp::PingPong;
