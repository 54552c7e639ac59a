//! 128 bits that stand for a contract.

use std::fmt;

use sha2::{Digest, Sha256};

use super::canonical::{Content, Graph, Label};

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

    /// The hash of a graph whose nodes are numbered from the root: each node's label and the numbers of its parts.
    pub(super) fn of(graph: &Graph) -> Self {
        let mut hash = Canonical(Sha256::new());
        hash.text(DOMAIN);
        hash.count(graph.nodes.len());
        for node in &graph.nodes {
            hash.label(&node.label);
            hash.count(node.parts.len());
            for &part in &node.parts {
                hash.count(part);
            }
        }
        let digest = hash.0.finalize();
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

/// Writes everything with its length in front, so that no two graphs give the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn label(&mut self, label: &Label) {
        let tag = match label {
            Label::Function(_) => "function",
            Label::Leaf(_) => "leaf",
            Label::UnitStruct(_) => "unit struct",
            Label::Newtype(_) => "newtype",
            Label::Option => "option",
            Label::Seq => "seq",
            Label::Map => "map",
            Label::Tuple => "tuple",
            Label::TupleStruct(_) => "tuple struct",
            Label::Struct(..) => "struct",
            Label::Enum(..) => "enum",
            Label::Opaque(_) => "opaque",
        };
        self.text(tag);
        match label {
            Label::Option | Label::Seq | Label::Map | Label::Tuple => {}
            Label::Leaf(name) => self.text(name),
            Label::UnitStruct(name)
            | Label::Newtype(name)
            | Label::TupleStruct(name)
            | Label::Opaque(name) => {
                self.text(name);
            }
            Label::Function(names) => self.texts(names),
            Label::Struct(name, fields) => {
                self.text(name);
                self.texts(fields);
            }
            Label::Enum(name, variants) => {
                self.text(name);
                self.count(variants.len());
                for variant in variants {
                    self.text(&variant.name);
                    self.content(&variant.content);
                    self.count(variant.parts);
                }
            }
        }
    }

    fn content(&mut self, content: &Content) {
        match content {
            Content::Unknown => self.text("unknown"),
            Content::Unit => self.text("unit"),
            Content::Newtype => self.text("newtype"),
            Content::Tuple => self.text("tuple"),
            Content::Struct(fields) => {
                self.text("struct");
                self.texts(fields);
            }
        }
    }
}

/// Names the way of hashing; another way needs another name, or builds would take each other's types for changed ones.
const DOMAIN: &str = "fly-rpc contract 1";

/// The number of that way, for those who keep fingerprints longer than a process lives.
pub(crate) const SCHEME: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_the_number_in_the_domain() {
        assert_eq!(DOMAIN, format!("fly-rpc contract {SCHEME}"));
    }
}
