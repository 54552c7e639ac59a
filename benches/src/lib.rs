//! What the benchmarks share: the functions that are called, the runtimes they are called on, the
//! process at the other end, and how figures are taken together.
//!
//! The machine under a benchmark is never quiet, so nothing here compares two figures that were
//! taken one after the other: what is compared runs in turns, round by round, and the figure is the
//! median of the rounds beside its spread.

mod functions;
mod peer;
mod quic;
mod rounds;
mod runtime;
mod udp;
mod verdict;

pub use functions::{echo, echo_on, echo_on_primary, echo_on_region, payload};
pub use peer::{Peer, member, serve_if_asked};
pub use quic::BareQuic;
pub use rounds::{Effort, Figure, median_of};
pub use runtime::Runtime;
pub use udp::PingPong;
pub use verdict::Promise;
