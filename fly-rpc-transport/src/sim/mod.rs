//! A simulated network: hosts whose datagrams take as long, and get lost as often, as a test says.
//!
//! Everything above the datagrams is real: QUIC, TLS, hello, lanes, and whatever the application
//! does. Under tokio's paused time, on one thread, a run takes no longer than its computing, and the
//! same seed gives the same run: the network draws from the seed, and so does every node on it.

mod conditions;
mod fate;
mod host;
mod inbox;
mod network;
mod path;
mod socket;
mod stray;

pub use conditions::Conditions;
pub use host::Host;
pub(crate) use stray::WithoutStrays;

pub use network::{Network, Sent, Skew, Traffic};
