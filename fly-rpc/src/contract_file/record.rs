//! One function as the file has it: what is compared, and what tells that nobody wrote over it.

use std::hash::Hasher;

use crate::{contract::Fingerprint, fnv::Fnv};

/// What the file says of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) version: u32,
    /// The contract for people, laid out. It begins with the identity.
    pub(super) contract: Vec<String>,
    pub(super) mark: Mark,
    /// Where it is served, in the selector spelling.
    pub(super) pin: Option<String>,
    pub(super) idempotent: bool,
    /// The code does not have it any more.
    pub(super) retired: bool,
    /// What somebody wrote above it, each line with its `#`.
    pub(super) remarks: Vec<String>,
}

/// A fingerprint, and the way in which it was taken: those of different ways cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) scheme: u32,
    pub(super) fingerprint: Fingerprint,
}

/// A function of this program, as it is compared with its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) version: u32,
    /// Where it stands in the source.
    pub(super) place: String,
    /// Laid out.
    pub(super) contract: Vec<String>,
    pub(super) mark: Mark,
    pub(super) pin: Option<String>,
    pub(super) idempotent: bool,
}

impl Record {
    /// `name@version`.
    pub(super) fn identity(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What goes with the contract and its fingerprint into the file. A check that does not fit shows that one of them
    /// was edited, also where there is no function any more to compare them with.
    ///
    /// It covers nothing else: pins follow the code anyway, and taking back `idempotent` by hand is allowed.
    pub(super) fn check(&self) -> u64 {
        let mut hash = Fnv::default();
        for line in &self.contract {
            hash.write(line.as_bytes());
            hash.write(b"\n");
        }
        hash.write(&self.mark.scheme.to_le_bytes());
        hash.write(self.mark.fingerprint.as_bytes());
        hash.finish()
    }
}

impl Function {
    /// `name@version`.
    pub(super) fn identity(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Its record, as long as it is there.
    pub(super) fn record(&self, remarks: Vec<String>) -> Record {
        Record {
            name: self.name.clone(),
            version: self.version,
            contract: self.contract.clone(),
            mark: self.mark,
            pin: self.pin.clone(),
            idempotent: self.idempotent,
            retired: false,
            remarks,
        }
    }
}
