//! The two names of the system: where a node is ([`Region`]) and which one it is ([`NodeId`]).
//!
//! Neither is an enum: a platform opens a region without asking us. Turning text into a name never
//! fails with `from`, so that a call can be written in one line: a malformed name is kept as it was
//! written, and since no node can have it, it matches none. `parse` is strict, for the places where
//! a wrong name is a wrong configuration.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::randomness::Randomness;

/// A region's name, such as `hkg`: a short opaque text of 1 to 63 characters out of `a-z 0-9 - _`.
///
/// Text is trimmed and lower-cased on the way in. Cloning is a reference count.
///
/// # Examples
///
/// ```
/// # use fly_rpc_transport::Region;
/// assert_eq!(Region::from(" HKG "), Region::from("hkg"));
/// assert!(!Region::from("Hong Kong").is_well_formed());
/// assert!("Hong Kong".parse::<Region>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Arc<str>);

impl Region {
    /// Whether a node can be in this region at all. A malformed region is kept as text and matches
    /// no node.
    pub fn is_well_formed(&self) -> bool {
        is_name(&self.0)
    }
}

/// A node's name: like a [`Region`], and it begins and ends with a letter or a digit, because it is
/// a label of the one DNS name in the node's certificate.
///
/// Text is trimmed and lower-cased on the way in. Cloning is a reference count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// A name that no other node has: 56 random bits as 14 hexadecimal digits, the shape of a Fly
    /// machine id.
    pub fn random() -> Self {
        Self::drawn(&Randomness::unforeseeable())
    }

    /// As [`random`](Self::random), drawn from a source of the caller's.
    pub fn drawn(randomness: &Randomness) -> Self {
        Self(format!("{:014x}", randomness.number() >> 8).into())
    }

    /// Whether a node can have this name at all. A malformed name is kept as text and matches no
    /// node.
    pub fn is_well_formed(&self) -> bool {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        is_name(&self.0) && edge(self.0.as_bytes().first()) && edge(self.0.as_bytes().last())
    }
}

/// A text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is not a region's name.
    #[error("{text:?} is not a region: it takes 1 to 63 characters out of `a-z 0-9 - _`")]
    Region {
        /// The text, trimmed and lower-cased.
        text: Arc<str>,
    },
    /// The text is not a node's name.
    #[error(
        "{text:?} is not a node id: it takes 1 to 63 characters out of `a-z 0-9 - _`, and begins and ends \
         with a letter or a digit"
    )]
    NodeId {
        /// The text, trimmed and lower-cased.
        text: Arc<str>,
    },
}

/// What both kinds of name have in common; they stay two types so that one is never taken for the
/// other.
macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.trim().to_ascii_lowercase().into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<&Self> for $name {
            fn from(name: &Self) -> Self {
                name.clone()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let name = Self::from(text);
                if name.is_well_formed() {
                    Ok(name)
                } else {
                    Err(NameError::$name { text: name.0 })
                }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_name!(Region);
text_name!(NodeId);

/// The alphabet and the length that both kinds of name share.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// The longest name, in bytes: a label of a DNS name takes no more (RFC 1035 §2.3.4).
const MAX_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_lower_cased() {
        assert_eq!(Region::from(" HKG\n").as_str(), "hkg");
        assert_eq!(NodeId::from(&String::from("Node-1")).as_str(), "node-1");
        assert_eq!("SYD".parse(), Ok(Region::from("syd")));
    }

    #[test]
    fn a_malformed_name_is_kept_as_text_and_equals_no_well_formed_one() {
        for text in ["", "  ", "hong kong", "hkg!", "é", &"a".repeat(64)] {
            let region = Region::from(text);
            assert!(!region.is_well_formed(), "{text:?}");
            assert_ne!(region, Region::from("hkg"));
            assert!(text.parse::<Region>().is_err(), "{text:?}");
            assert!(text.parse::<NodeId>().is_err(), "{text:?}");
        }
        assert!(Region::from(&*"a".repeat(63)).is_well_formed());
    }

    #[test]
    fn a_node_id_begins_and_ends_as_a_dns_label() {
        for text in ["-a", "a-", "_a", "a_", "-", "_"] {
            assert!(Region::from(text).is_well_formed(), "{text}");
            assert!(!NodeId::from(text).is_well_formed(), "{text}");
        }
        for text in ["a", "7", "a-b_c", "4d891234b21a68"] {
            assert!(NodeId::from(text).is_well_formed(), "{text}");
        }
    }

    #[test]
    fn an_error_says_the_rule() {
        let error = "a b".parse::<Region>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"a b\" is not a region: it takes 1 to 63 characters out of `a-z 0-9 - _`"
        );
        let error = "-a".parse::<NodeId>().unwrap_err().to_string();
        assert!(error.contains("begins and ends with a letter or a digit"));
    }

    #[test]
    fn random_node_ids_are_well_formed_and_differ() {
        let (one, two) = (NodeId::random(), NodeId::random());
        assert!(one.is_well_formed());
        assert_eq!(one.as_str().len(), 14);
        assert_ne!(one, two);
    }

    #[test]
    fn debug_is_the_text() {
        assert_eq!(
            format!("{:?} {:>4}", Region::from("hkg"), NodeId::from("n")),
            "hkg    n"
        );
    }
}
