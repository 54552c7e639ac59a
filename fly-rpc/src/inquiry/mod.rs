//! What a node tells of itself when a member asks: the contract of a function, its own state, and whom it knows.
//!
//! These are functions that every node answers beside the registered ones, under names with a `/` in them, which the
//! attribute allows to nobody. They are in no catalogue. Questions and answers are numbered sections, never a bare
//! struct: the two ends may be builds that are years apart (PROTOCOL.md, *Inquiries*). Nothing of it is a secret.

mod answer;
mod contract;
mod known;
mod sections;
mod status;

#[cfg(any(test, feature = "cli"))]
pub(crate) use self::{contract::Told, known::Known, status::Status};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// For the contract of a function.
    Contract,
    /// For the node's own state.
    Status,
    /// For the nodes that it knows.
    Known,
}

impl Question {
    const ALL: [Self; 3] = [Self::Contract, Self::Status, Self::Known];

    /// The question of this name, whatever its version.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|question| question.name() == name)
    }

    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contract => "fly_rpc/contract",
            Self::Status => "fly_rpc/status",
            Self::Known => "fly_rpc/known",
        }
    }
}

/// The version of all of them. New sections raise nothing.
pub(crate) const VERSION: u32 = 1;

/// The fingerprint that stands in their requests, for which nobody looks.
#[cfg(any(test, feature = "cli"))]
pub(crate) const FINGERPRINT: [u8; 16] = [0; 16];
