//! The differences between the code and what was recorded: those that the file follows, and those that it does not.

use super::record::{Function, Record};

/// A difference that the file follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    Added {
        identity: String,
        place: String,
    },
    Retired {
        identity: String,
        line: usize,
    },
    Revived {
        identity: String,
        line: usize,
    },
    Pinned {
        identity: String,
        line: usize,
        from: Option<String>,
        to: Option<String>,
    },
    Idempotent {
        identity: String,
        line: usize,
    },
    /// The same contract, laid out or hashed as another version of fly-rpc does it.
    Respelled {
        identity: String,
        line: usize,
    },
    Sorted {
        identity: String,
        line: usize,
    },
    /// Functions come or go, and another test wrote the file.
    OtherTest {
        line: usize,
        recorded: String,
        asserting: String,
    },
}

/// A difference that the file does not follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The same identity with another contract.
    Changed {
        line: usize,
        next: u32,
        recorded: Record,
        function: Box<Function>,
    },
    /// It was idempotent.
    Withdrawn {
        line: usize,
        next: u32,
        function: Box<Function>,
    },
    /// The fingerprints were taken in different ways, and the texts differ.
    Undecided {
        line: usize,
        recorded: Record,
        function: Box<Function>,
    },
    /// The fingerprint is of a fly-rpc to come.
    Newer {
        line: usize,
        identity: String,
        scheme: u32,
        known: u32,
    },
    /// Somebody wrote into the entry.
    Edited { identity: String, edit: Edit },
}

/// What does not fit in an edited entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// This line of the contract, which the code has otherwise.
    Line {
        line: usize,
        found: String,
        expected: String,
    },
    /// The fingerprint, since the contract is that of the code.
    Fingerprint { line: usize },
    /// The check alone.
    Check { line: usize },
    /// Something in these lines.
    Somewhere { first: usize, last: usize },
}
