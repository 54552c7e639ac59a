//! Why a process has no identity, or keeps the one that it had. All of it is this process's own
//! configuration.

use std::io;
use std::path::PathBuf;

use crate::name::{NameError, NodeId};

use super::refused::CertificateRefused;

/// An identity could not be made, reloaded or renewed. If there was one before, it stays in place.
///
/// No variant carries any part of a secret or of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The node id cannot be a name in a certificate.
    #[error(transparent)]
    NodeId(#[from] NameError),
    /// A certificate could not be made. The crypto library says why.
    #[error("could not make a certificate: {source}")]
    Mint {
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The clock shows a time that certificates cannot express.
    #[error(
        "the system clock shows a time before 1970 or after 9999, so no certificate can be dated"
    )]
    Clock,
    /// A file could not be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The chain's text holds no certificate.
    #[error("the certificate chain holds no readable PEM block `CERTIFICATE`")]
    NoChain,
    /// The key's text holds no private key.
    #[error("the private key holds no readable PEM block `PRIVATE KEY`")]
    NoKey,
    /// The roots' text holds no certificate.
    #[error("the list of roots holds no readable PEM block `CERTIFICATE`")]
    NoRoots,
    /// The private key is of a kind that is not supported.
    #[error("the private key is neither ECDSA (P-256, P-384), Ed25519 nor RSA")]
    KeyKind,
    /// The private key and the first certificate of the chain do not belong together.
    #[error(
        "the private key does not belong to the first certificate of the chain (the leaf comes first)"
    )]
    KeyMismatch,
    /// A root is no certificate.
    #[error("root certificate number {number} is malformed")]
    Root {
        /// Its place among the roots, from 1.
        number: usize,
    },
    /// Every peer with the same roots would refuse the certificate.
    #[error("the certificate is of no use: {0}")]
    Refused(#[from] CertificateRefused),
    /// The new certificate names another node; a node keeps its name for as long as it runs.
    #[error("the new certificate belongs to node {found}, and this is node {node}")]
    OtherNode {
        /// This node.
        node: NodeId,
        /// Whom the new certificate names.
        found: NodeId,
    },
    /// There are no files to read again.
    #[error("this identity was not read from files, so there is nothing to reload")]
    NotFromFiles,
    /// An identity made of a cluster secret takes no certificate from outside.
    #[error("this identity comes from the cluster secret and mints its own certificate")]
    NotFromPem,
}
