//! The cluster secret: the only file that holds its bytes.
//!
//! Whoever knows the secret is a member and can mint a certificate for any name, and any stranger
//! who opens a connection receives a signature that lets him test guesses offline. So a secret that
//! a person made up is no secret here, and no slow hash would make it one: only 32 or more random
//! bytes are taken.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

mod encoding;
mod strength;

/// What makes a process a member of a cluster: at least 32 random bytes, written as base64 or
/// hexadecimal.
///
/// It has no `Display`, its `Debug` shows nothing, and its memory is wiped when the last clone is
/// dropped.
///
/// # Examples
///
/// ```
/// # use fly_rpc_transport::ClusterSecret;
/// let secret = ClusterSecret::generate();
/// let same: ClusterSecret = secret.reveal().parse()?;
/// assert_eq!(format!("{same:?}"), "ClusterSecret(..)");
/// # Ok::<(), fly_rpc_transport::SecretError>(())
/// ```
#[derive(Clone)]
pub struct ClusterSecret(Arc<Zeroizing<Vec<u8>>>);

impl ClusterSecret {
    /// Makes a new secret of 32 random bytes.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new(vec![0; MIN_BYTES]);
        rand::fill(&mut bytes[..]);
        Self(Arc::new(bytes))
    }

    /// The secret as base64, to be stored or handed to a child process. This is the one way to get
    /// it out.
    pub fn reveal(&self) -> Zeroizing<String> {
        encoding::encode_base64(&self.0)
    }

    /// Derives the key of one use: HKDF-SHA256 (RFC 5869), bound to what the key is for, to the
    /// cluster's name and to an epoch.
    ///
    /// Each text is preceded by its length, so that no two triples give one input.
    pub(super) fn derive(&self, purpose: &str, cluster: &str, epoch: u32) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand_multi_info(
                &[
                    &(purpose.len() as u64).to_be_bytes(),
                    purpose.as_bytes(),
                    &(cluster.len() as u64).to_be_bytes(),
                    cluster.as_bytes(),
                    &epoch.to_be_bytes(),
                ],
                &mut key[..],
            )
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        key
    }
}

impl FromStr for ClusterSecret {
    type Err = SecretError;

    /// Reads base64 (standard or URL-safe alphabet, padded or not) or hexadecimal; surrounding
    /// blanks and line breaks, which `openssl` puts into long ones, are skipped.
    ///
    /// # Errors
    ///
    /// What is not such a text, is under 32 bytes, or is visibly not random. The error never quotes
    /// the text.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let decoded = encoding::decode(text.trim()).ok_or(SecretError::NotEncoded)?;
        if decoded.bytes.len() < MIN_BYTES {
            return Err(SecretError::TooShort {
                bytes: decoded.bytes.len(),
            });
        }
        strength::check(&decoded.bytes, &decoded.symbols)?;
        Ok(Self(Arc::new(decoded.bytes)))
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(..)")
    }
}

/// A text is not a cluster secret. No variant carries any part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text is neither base64 nor hexadecimal.
    #[error(
        "the cluster secret is neither base64 nor hexadecimal; make a good one with `{GENERATE}`"
    )]
    NotEncoded,
    /// The secret is too short to withstand guessing.
    #[error(
        "the cluster secret has {bytes} bytes and needs {MIN_BYTES}; make a good one with `{GENERATE}`"
    )]
    TooShort {
        /// How many bytes the text stands for.
        bytes: usize,
    },
    /// The secret is made of a few values.
    #[error(
        "the cluster secret is not random, it uses only a few different values; make a good one with `{GENERATE}`"
    )]
    FewValues,
    /// The secret counts up or down, like `0123…` or `abcd…`.
    #[error(
        "the cluster secret is not random, it is a sequence; make a good one with `{GENERATE}`"
    )]
    Sequence,
    /// The secret is one shorter pattern, repeated.
    #[error(
        "the cluster secret is not random, it repeats one pattern; make a good one with `{GENERATE}`"
    )]
    Repeated,
    /// The secret is text that somebody wrote.
    #[error(
        "the cluster secret is not random, it is text, and text can be guessed; make a good one with `{GENERATE}`"
    )]
    Text,
}

/// The fewest bytes of a secret: 256 bits, the strength of the Ed25519 seed and the SHA-256 that it
/// feeds.
const MIN_BYTES: usize = 32;

/// Keeps keys of this library apart from any others that somebody derives from the same secret.
const SALT: &[u8] = b"fly-rpc/1 cluster secret";

/// The command that every refusal names.
const GENERATE: &str = "openssl rand -base64 32";

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = "cluster authority";

    fn secret(text: &str) -> Result<ClusterSecret, SecretError> {
        text.parse()
    }

    fn fixed() -> ClusterSecret {
        secret("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_secret_reads_the_same_in_every_spelling() {
        let spellings = [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
            "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
            "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg",
            "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
            "  n4bQgYhMfWWaL+qgxVrQ\r\nFaO/TxsrC4Is0V1sFbDwCgg=\n",
        ];
        for spelling in spellings {
            let secret = secret(spelling).unwrap();
            assert_eq!(
                *secret.reveal(),
                "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
            );
        }
    }

    #[test]
    fn generated_secrets_are_accepted_and_differ() {
        let (one, two) = (ClusterSecret::generate(), ClusterSecret::generate());
        assert_ne!(*one.reveal(), *two.reveal());
        assert_eq!(*secret(&one.reveal()).unwrap().reveal(), *one.reveal());
    }

    #[test]
    fn a_weak_secret_is_refused_with_the_command_that_makes_a_good_one() {
        let sixteen_bytes_as_hex = "9f86d081884c7d659a2feaa0c55ad015";
        let too_weak = [
            String::new(),
            "password".into(),
            sixteen_bytes_as_hex.into(),
            "0".repeat(64),
            "ab".repeat(32),
            "A".repeat(44),
            "deadbeef".repeat(8),
            "correct horse battery staple correct horse battery staple".into(),
            "correcthorsebatterystaplecorrecthorsebatterystaple".into(),
        ];
        for text in too_weak {
            let error = secret(&text).unwrap_err().to_string();
            assert!(
                error.contains("openssl rand -base64 32"),
                "{text:?}: {error}"
            );
            assert!(text.is_empty() || !error.contains(&text), "{error}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        assert_eq!(
            format!("{:?} {:#?}", fixed(), fixed()),
            "ClusterSecret(..) ClusterSecret(..)"
        );
        assert_eq!(format!("{:?}", Some(fixed())), "Some(ClusterSecret(..))");
    }

    // Computed independently, with Python's `hmac` and `hashlib`.
    #[test]
    fn derived_keys_are_the_golden_ones() {
        let key = |purpose, cluster, epoch| hex(&fixed().derive(purpose, cluster, epoch)[..]);
        assert_eq!(
            key(CA, "default", 1),
            "96f182f8ca20957548bd1c50022c75980fb93d2e2091b84caa1490f1cca88bcb"
        );
        assert_eq!(
            key("gossip", "shop", 2),
            "5c18e8f16937e7152a4a60fab342f179209898b2e3931be0b0f5ce2816c43976"
        );
    }

    #[test]
    fn changing_any_input_changes_the_key() {
        let base = fixed().derive(CA, "shop", 1);
        let others = [
            ClusterSecret::generate().derive(CA, "shop", 1),
            fixed().derive("gossip", "shop", 1),
            fixed().derive(CA, "shop2", 1),
            fixed().derive(CA, "shop", 2),
            // The boundary between the two texts is part of the input.
            fixed().derive(&format!("{CA}s"), "hop", 1),
            fixed().derive("", &format!("{CA}shop"), 1),
        ];
        for other in others {
            assert_ne!(*base, *other);
        }
    }
}
