//! Why a certificate was refused: named for our own log, nameless on the wire.
//!
//! A peer that we refuse learns that it is refused, not why: the alert is always
//! `certificate_unknown`, and the text that QUIC puts beside it into CONNECTION_CLOSE is one fixed
//! sentence. The reason stays here.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::{CertificateError, OtherError};

use crate::name::NodeId;

/// Why a certificate does not prove that its holder is the member that it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateRefused {
    /// The peer presented no certificate.
    #[error("no certificate was presented")]
    Missing,
    /// The certificate is not X.509 as DER has it.
    #[error("the certificate is malformed")]
    Malformed,
    /// The chain has more certificates than any sensible one.
    #[error("the chain has {certificates} certificates, more than {limit}")]
    ChainTooLong {
        /// How many certificates were presented.
        certificates: usize,
        /// How many are taken.
        limit: usize,
    },
    /// The chain ends in none of the roots: another secret, another cluster's name, or self-signed.
    #[error(
        "it is signed by no authority that we trust: another secret, another cluster or another PKI"
    )]
    UnknownIssuer,
    /// The certificate has expired, or the two clocks differ.
    #[error("it expired {seconds} s ago (or a clock is wrong)")]
    Expired {
        /// How long ago, by our clock.
        seconds: u64,
    },
    /// The certificate is not valid yet: the two clocks differ.
    #[error("it is valid only in {seconds} s: a clock is wrong")]
    NotYetValid {
        /// In how long, by our clock.
        seconds: u64,
    },
    /// The certificate's extended key usage is missing, or does not allow both ends of a
    /// connection.
    #[error("its extended key usage does not allow it to be a client and a server")]
    WrongUsage,
    /// The certificate belongs to an authority; what signs others must not speak for itself.
    #[error("it is the certificate of an authority")]
    Authority,
    /// The certificate has no subject alternative name.
    #[error("it has no subject alternative name; one is needed: `<node-id>.fly-rpc.invalid`")]
    NoName,
    /// The certificate has several subject alternative names, of whatever kinds.
    #[error(
        "it has several subject alternative names; exactly one is needed: `<node-id>.fly-rpc.invalid`"
    )]
    SeveralNames,
    /// The one subject alternative name is an address, a URI, a mailbox or another thing than a DNS
    /// name.
    #[error("its name is not a DNS name; one is needed: `<node-id>.fly-rpc.invalid`")]
    NotDnsName,
    /// The one name is a wildcard: it would be every node at once.
    #[error("its name is a wildcard; one node is needed: `<node-id>.fly-rpc.invalid`")]
    Wildcard,
    /// The one DNS name is not a node's name.
    #[error("its name {name:?} is not of the shape `<node-id>.fly-rpc.invalid`, in small letters")]
    NotNodeName {
        /// The name, cut to a length that a log can bear.
        name: String,
    },
    /// A member, but not the one that was dialled.
    #[error("it belongs to node {presented}, and {dialled} was dialled")]
    WrongNode {
        /// Whom we dialled.
        dialled: NodeId,
        /// Who answered.
        presented: NodeId,
    },
    /// Something else is wrong with the chain.
    #[error("the chain is invalid: {reason}")]
    Invalid {
        /// What the verifier says.
        reason: String,
    },
}

impl CertificateRefused {
    /// Its kind in a few words, to be counted and searched for.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Missing => "no certificate",
            Self::Malformed => "malformed certificate",
            Self::ChainTooLong { .. } => "chain too long",
            Self::UnknownIssuer => "unknown issuer",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not yet valid",
            Self::WrongUsage => "wrong usage",
            Self::Authority => "authority as leaf",
            Self::NoName => "no name",
            Self::SeveralNames => "several names",
            Self::NotDnsName => "not a DNS name",
            Self::Wildcard => "wildcard",
            Self::NotNodeName { .. } => "not a node's name",
            Self::WrongNode { .. } => "wrong node",
            Self::Invalid { .. } => "invalid chain",
        }
    }

    /// The reason inside a TLS error of ours, if it is one of a refused certificate.
    pub fn in_error(error: &rustls::Error) -> Option<&Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref::<Nameless>().map(|nameless| &nameless.0)
            }
            _ => None,
        }
    }
}

impl From<CertificateRefused> for rustls::Error {
    fn from(reason: CertificateRefused) -> Self {
        CertificateError::Other(OtherError(Arc::new(Nameless(reason)))).into()
    }
}

/// The reason of one handshake, for its error: quinn keeps only the text of a TLS error, which is
/// the nameless one.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptReason(Arc<OnceLock<CertificateRefused>>);

impl KeptReason {
    /// Why the peer was refused, if its certificate was.
    pub(crate) fn reason(&self) -> Option<&CertificateRefused> {
        self.0.get()
    }

    /// Keeps the first reason; a handshake has no second one.
    pub(super) fn keep(&self, reason: &CertificateRefused) {
        self.0.get_or_init(|| reason.clone());
    }
}

/// Carries the reason through TLS without showing it: quinn sends the text of an error to the peer,
/// and the text that rustls makes of this one is its `Debug`.
struct Nameless(CertificateRefused);

impl fmt::Display for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ON_THE_WIRE)
    }
}

impl fmt::Debug for Nameless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ON_THE_WIRE)
    }
}

impl Error for Nameless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// All that a refused peer is told in words.
const ON_THE_WIRE: &str = "refused; the log of the node that refused says why";

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn a_reason_is_kept_here_and_not_told_to_the_peer() {
        let reason = CertificateRefused::WrongNode {
            dialled: NodeId::from("a"),
            presented: NodeId::from("b"),
        };
        let error = rustls::Error::from(reason.clone());
        let text = format!("invalid peer certificate: Other(OtherError({ON_THE_WIRE}))");
        assert_eq!(error.to_string(), text);
        assert!(!format!("{error:?}").contains("dialled"), "{error:?}");
        assert_eq!(CertificateRefused::in_error(&error), Some(&reason));

        let rustls::Error::InvalidCertificate(certificate) = error else {
            panic!("{error:?}");
        };
        let alert = AlertDescription::from(certificate);
        assert_eq!(alert, AlertDescription::CertificateUnknown);
    }

    #[test]
    fn an_error_of_another_kind_has_no_reason() {
        assert_eq!(
            CertificateRefused::in_error(&rustls::Error::DecryptError),
            None
        );
    }
}
