//! 128 bits that stand for a contract.

use std::fmt;

use sha2::{Digest, Sha256};

/// The fingerprint of a function's argument and return types, as serde and so the wire sees them.
///
/// Two builds whose fingerprints of a function are equal read each other's bytes. It does not change with the compiler, the
/// module a type lives in, or another type of the same form (`&str` for `String`, `VecDeque` for `Vec`), and does with
/// everything that moves or renames a byte: kinds, names, order, nesting.
///
/// It is the first half of SHA-256, which is enough against accidents; it is no protection against somebody who makes
/// types collide on purpose, and a member of the cluster gains nothing by doing so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Its bytes, borrowed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The hash of a tree, as `tree.rs` writes it.
    pub(crate) fn of(tree: &[u8]) -> Self {
        let digest = Sha256::digest(tree);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
