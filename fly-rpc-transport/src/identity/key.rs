//! An Ed25519 key made from a seed: the one kind of key that is made here, for the authority and
//! for the leaves.
//!
//! A wrapper of its own, because `rcgen`'s key pair keeps a copy of the key's encoding that nobody
//! wipes. Here the encoding lives for one call, in wiped memory; after it the key is inside the
//! crypto provider only.

use std::fmt;
use std::sync::Arc;

use rcgen::{PublicKeyData, SignatureAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

/// A key that signs certificates (for `rcgen`) and handshakes (for `rustls`).
pub(super) struct Ed25519Key {
    signing: Arc<dyn SigningKey>,
    public: Vec<u8>,
}

impl Ed25519Key {
    /// A new key that nobody can derive again.
    pub(super) fn random() -> Result<Self, rustls::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(&mut seed[..]);
        Self::from_seed(&seed)
    }

    /// The key of a seed: always the same one.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Result<Self, rustls::Error> {
        let mut encoded = Zeroizing::new([0; PKCS8_PREFIX.len() + 32]);
        let (prefix, rest) = encoded.split_at_mut(PKCS8_PREFIX.len());
        prefix.copy_from_slice(&PKCS8_PREFIX);
        rest.copy_from_slice(seed);

        let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(&encoded[..]))?;
        let public = match signing.public_key() {
            Some(info) => info.as_ref().iter().copied().skip(SPKI_PREFIX).collect(),
            None => return Err(rustls::InconsistentKeys::Unknown.into()),
        };
        Ok(Self { signing, public })
    }

    /// The key as `rustls` uses it in handshakes.
    pub(super) fn into_signing(self) -> Arc<dyn SigningKey> {
        self.signing
    }
}

impl PublicKeyData for Ed25519Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Ed25519Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signing
            .choose_scheme(&[SignatureScheme::ED25519])
            .and_then(|signer| signer.sign(message).ok())
            .ok_or(rcgen::Error::RemoteKeyError)
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key(..)")
    }
}

/// What precedes the seed in its PKCS #8 encoding (RFC 8410 §7): version 0, the algorithm's
/// identifier, and the headers of the two nested octet strings.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// How many bytes precede the 32 of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410
/// §4).
const SPKI_PREFIX: usize = 12;

#[cfg(test)]
mod tests {
    use rcgen::SigningKey as _;

    use super::*;

    /// RFC 8032 §7.1, test 1: the seed, its public key, and the signature of the empty message.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const SIGNATURE: &str = concat!(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f",
        "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn a_seed_gives_the_key_of_rfc_8032() {
        let key = Ed25519Key::from_seed(&bytes(SEED).try_into().unwrap()).unwrap();
        assert_eq!(key.der_bytes(), bytes(PUBLIC));
        assert_eq!(key.sign(b"").unwrap(), bytes(SIGNATURE));
    }

    #[test]
    fn random_keys_differ() {
        let (one, two) = (Ed25519Key::random().unwrap(), Ed25519Key::random().unwrap());
        assert_ne!(one.der_bytes(), two.der_bytes());
        assert_eq!(format!("{one:?}"), "Ed25519Key(..)");
    }
}
