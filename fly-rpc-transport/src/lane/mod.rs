//! Lanes: bidirectional streams that carry many calls.
//!
//! The node that opens a lane sends requests on it and reads the answers ([`caller`]); the other
//! end reads requests and writes answers ([`server`]). Both ends write through an [`outbox`].

mod awaited;
mod caller;
mod calls;
mod chunks;
mod outbox;
mod pace;
mod policy;
mod server;
mod set;
mod strain;
mod turns;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use awaited::Awaited;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use caller::Answers;
pub use caller::{Abandoned, CallLost, PendingCall};
pub(crate) use caller::{CallerLane, NotSent};
pub(crate) use policy::is_far;
pub(crate) use server::serve_lane;
pub(crate) use set::LaneSet;
pub(crate) use turns::Turns;
