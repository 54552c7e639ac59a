//! Lanes: bidirectional streams that carry many calls.
//!
//! The node that opens a lane sends requests on it and reads the answers ([`caller`]); the other
//! end reads requests and writes answers ([`server`]). Both ends write through an [`outbox`].

mod caller;
mod calls;
mod outbox;
mod pace;
mod policy;
mod server;
mod set;

pub(crate) use caller::NotSent;
pub use caller::{Abandoned, CallLost, PendingCall};
pub(crate) use server::serve_lane;
pub(crate) use set::LaneSet;
