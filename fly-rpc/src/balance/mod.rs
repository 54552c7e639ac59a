//! What is remembered of the nodes that calls go to, and how two of them compare.
//!
//! A call knows little when it must choose: which nodes offer the function, how far each is, and how
//! many calls of this process they have not answered. The rest is experience, and it is kept here,
//! for each node and beside its connections, which come and go: how slowly it answers ([`latency`]),
//! whether it answers at all ([`breaker`]), and whether something that was asked hangs ([`vitals`]).
//! Of two nodes the better is taken ([`pick`]); regions are ordered by distance, reluctantly
//! ([`nearest`]). [`verdict`] says what of a call's outcome is the node's merit or fault.
//!
//! Pure: the time is a [`Moment`] that comes as an argument, as randomness does. What every call
//! touches is an atomic; locks are taken when a connection is made or a breaker opens.

mod breaker;
pub(crate) mod latency;
mod moment;
mod nearest;
mod nodes;
mod pick;
mod settings;
mod verdict;
mod vitals;
mod window;

#[cfg(test)]
mod cases;
#[cfg(any(test, feature = "bench"))]
pub mod model;

pub(crate) use breaker::{Condition, Ticket};
pub(crate) use moment::Moment;
pub(crate) use nearest::Nearest;
pub(crate) use nodes::{Bond, Nodes};
pub(crate) use pick::{Grade, Pick, Resort, cost, grade, is_fit, two_of};
pub(crate) use settings::Settings;
pub(crate) use verdict::Verdict;
pub(crate) use vitals::{Effect, Vitals};
