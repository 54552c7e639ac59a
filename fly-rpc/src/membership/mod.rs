//! Membership by gossip: who is in the cluster, where, and what has become of them.
//!
//! Everything here travels over connections whose both ends have proved that they belong to the
//! cluster. What a node sees directly counts more than what it hears.

mod chance;
mod driver;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gossiper;
mod member;
#[cfg(any(test, feature = "bench"))]
pub mod model;
mod neighbours;
mod packet;
mod roster;
mod spread;
mod swim;

pub(crate) use driver::{Membership, gossip};
pub(crate) use member::Facts;
pub(crate) use neighbours::MESH;
pub(crate) use roster::{Known, Roster};

#[cfg(test)]
mod tests;
