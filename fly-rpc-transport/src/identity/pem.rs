//! An identity from one's own PKI: three PEM texts, checked as a peer would check them.
//!
//! A certificate that every peer will refuse is found here, at start or at a reload that then keeps
//! the old one, and not one failed connection at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::KeyUsage;
use zeroize::{Zeroize, Zeroizing};

use super::error::IdentityError;
use super::material::Material;
use super::refused::CertificateRefused;
use super::verify::{algorithms, verify_chain};

/// Where the three PEM texts are.
#[derive(Debug)]
pub(super) struct PemFiles {
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
    pub(super) roots: PathBuf,
}

impl PemFiles {
    /// Reads the files as they are now.
    pub(super) fn load(&self, now: SystemTime) -> Result<Material, IdentityError> {
        let chain = read(&self.chain)?;
        let key = Zeroizing::new(read(&self.key)?);
        let roots = read(&self.roots)?;
        load(&chain, &key, &roots, now)
    }
}

/// Reads and checks the three texts: `chain` with the leaf first, its private `key`, and the
/// trusted `roots`.
pub(super) fn load(
    chain: &[u8],
    key: &[u8],
    roots: &[u8],
    now: SystemTime,
) -> Result<Material, IdentityError> {
    let chain = certificates(chain).ok_or(IdentityError::NoChain)?;
    let roots = trust_anchors(&certificates(roots).ok_or(IdentityError::NoRoots)?)?;

    let mut key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::NoKey)?;
    let signing = any_supported_type(&key);
    key.zeroize();
    let certified = CertifiedKey::new(chain, signing.map_err(|_| IdentityError::KeyKind)?);
    certified.keys_match().map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => IdentityError::KeyMismatch,
        _ => CertificateRefused::Malformed.into(),
    })?;

    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(UnixTime::since_unix_epoch)
        .map_err(|_| IdentityError::Clock)?;
    let (leaf, intermediates) = certified
        .cert
        .split_first()
        .ok_or(CertificateRefused::Missing)?;
    let check = |usage| verify_chain(&roots, leaf, intermediates, now, usage, &algorithms());
    check(KeyUsage::client_auth())?;
    let node = check(KeyUsage::server_auth())?;

    Ok(Material {
        node,
        certified: Arc::new(certified),
        roots,
        renewal: None,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|source| IdentityError::Read {
        path: path.to_owned(),
        source,
    })
}

/// All certificates of a PEM text, if there are any and each can be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|certificates| !certificates.is_empty())
}

fn trust_anchors(roots: &[CertificateDer<'_>]) -> Result<Vec<TrustAnchor<'static>>, IdentityError> {
    (1..)
        .zip(roots)
        .map(|(number, root)| {
            webpki::anchor_from_trusted_cert(root)
                .map(|anchor| anchor.to_owned())
                .map_err(|_| IdentityError::Root { number })
        })
        .collect()
}
