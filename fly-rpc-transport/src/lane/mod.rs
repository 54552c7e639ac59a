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
mod strain;

pub(crate) use caller::NotSent;
pub use caller::{Abandoned, CallLost, PendingCall};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use caller::{Answers, CallerLane};
pub(crate) use server::serve_lane;
pub(crate) use set::LaneSet;
