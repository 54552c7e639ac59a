//! Who may talk to us: the check of a peer's certificate, the same for both ends of a connection.
//!
//! Both verifiers only ever add to what TLS checks, and nothing can configure them: no feature,
//! variable or method makes one lenient. In order: the chain ends in a root of ours, every
//! certificate in it is within its time, the leaf is made for both ends and is no authority, it has
//! exactly one name, and the name is the one that was dialled. Names come last, so that a reason
//! quotes only what a member wrote.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, PeerIncompatible, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use crate::name::NodeId;

use super::Identity;
use super::certificate::Extensions;
use super::refused::{CertificateRefused, KeptReason};

/// Verifies peers against the roots that the identity trusts at that moment.
#[derive(Debug)]
pub(crate) struct PeerVerifier {
    identity: Identity,
    expected: Option<NodeId>,
    refusal: KeptReason,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    /// For one handshake: the peer must be `expected`, if that is known, and why it is refused is
    /// kept in `refusal`.
    pub(crate) fn new(identity: Identity, expected: Option<NodeId>, refusal: KeptReason) -> Self {
        Self {
            identity,
            expected,
            refusal,
            algorithms: algorithms(),
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), rustls::Error> {
        let roots = &self.identity.material().roots;
        verify_chain(roots, leaf, intermediates, now, usage, &self.algorithms)
            .and_then(|presented| match &self.expected {
                Some(dialled) if *dialled != presented => Err(CertificateRefused::WrongNode {
                    dialled: dialled.clone(),
                    presented,
                }),
                _ => Ok(()),
            })
            .map_err(|reason| {
                self.refusal.keep(&reason);
                reason.into()
            })
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _constant_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(end_entity, intermediates, now, KeyUsage::server_auth())?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    /// None: a stranger is not told who our authorities are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(end_entity, intermediates, now, KeyUsage::client_auth())?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

/// Verifies a chain for one end of a connection, and gives the node that it belongs to.
pub(super) fn verify_chain(
    roots: &[TrustAnchor<'_>],
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<NodeId, CertificateRefused> {
    if intermediates.len() > MAX_INTERMEDIATES {
        return Err(CertificateRefused::ChainTooLong {
            certificates: intermediates.len() + 1,
            limit: MAX_INTERMEDIATES + 1,
        });
    }
    EndEntityCert::try_from(leaf)
        .and_then(|parsed| {
            parsed
                .verify_for_usage(algorithms.all, roots, intermediates, now, usage, None, None)
                .map(drop)
        })
        .map_err(reason)?;

    let extensions = Extensions::of(leaf)?;
    if !extensions.has_extended_key_usage {
        return Err(CertificateRefused::WrongUsage);
    }
    extensions.node_id()
}

/// What certificates and handshakes may be signed with: all that the ring provider knows.
pub(super) fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

/// Translates what `webpki` says.
fn reason(error: webpki::Error) -> CertificateRefused {
    match error {
        // All authorities that are derived from a secret have one name, so those of other clusters,
        // and whoever takes that name, are told apart by the signature: another key, or a key of
        // another kind.
        webpki::Error::UnknownIssuer
        | webpki::Error::InvalidSignatureForPublicKey
        | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            CertificateRefused::UnknownIssuer
        }
        webpki::Error::CertExpired { time, not_after } => CertificateRefused::Expired {
            seconds: time.as_secs().saturating_sub(not_after.as_secs()),
        },
        webpki::Error::CertNotValidYet { time, not_before } => CertificateRefused::NotYetValid {
            seconds: not_before.as_secs().saturating_sub(time.as_secs()),
        },
        webpki::Error::CaUsedAsEndEntity => CertificateRefused::Authority,
        webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => {
            CertificateRefused::WrongUsage
        }
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => {
            CertificateRefused::Malformed
        }
        // Its own text quotes the certificate, byte by byte, and a stranger wrote that.
        webpki::Error::UnsupportedSignatureAlgorithmContext(_) => CertificateRefused::Invalid {
            reason: "its signature is of an unknown kind".to_owned(),
        },
        other => CertificateRefused::Invalid {
            reason: other.to_string().chars().take(SHOWN_REASON).collect(),
        },
    }
}

/// How many characters of what `webpki` says are shown: more than any error of its own takes.
const SHOWN_REASON: usize = 100;

/// The most certificates between a leaf and a root, which is also the longest path that `webpki`
/// builds. Finding a path among many certificates is the costly part, and a stranger chooses them.
const MAX_INTERMEDIATES: usize = 6;
