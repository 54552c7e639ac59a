//! TLS as this protocol has it: one version, one set of choices, nothing to configure.
//!
//! Everything is set here explicitly, because each default is somebody else's: the process-wide
//! crypto provider is the application's, quinn's own constructors turn 0-RTT on, and rustls resumes
//! sessions, which would let a peer back in without asking whether its certificate is still good.

use std::sync::{Arc, LazyLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use crate::identity::{Identity, KeptReason, PeerVerifier, Presented};
use crate::name::NodeId;

/// The protocol that both ends must name in ALPN (RFC 7301). The number is raised when old and new
/// cannot talk.
pub const ALPN: &[u8] = b"fly-rpc/1";

/// The server name that a dialler passes to quinn, which wants one. It is the same for all and is
/// never sent; whom we reached is read from the certificate.
pub(crate) const SERVER_NAME: &str = "fly-rpc.invalid";

/// The accepting side: a client certificate is mandatory, from any member.
#[cfg(test)]
pub(crate) fn server_config(identity: &Identity) -> ServerConfig {
    reporting_server_config(identity, KeptReason::default())
}

fn reporting_server_config(identity: &Identity, refusal: KeptReason) -> ServerConfig {
    let verifier = PeerVerifier::new(identity.clone(), None, refusal);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the ring provider has cipher suites of TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(Presented(identity.clone())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // What is sent early can be replayed by whoever recorded it (RFC 9001 §9.2).
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// The dialling side: the peer must be a member, and the one that was `expected`, if that is known.
#[cfg(test)]
pub(crate) fn client_config(identity: &Identity, expected: Option<NodeId>) -> ClientConfig {
    reporting_client_config(identity, expected, KeptReason::default())
}

/// The accepting side for quinn, for one connection; and where to find afterwards why the peer was
/// refused, if it was, since quinn's own error says only that.
pub(crate) fn quic_server_config(identity: &Identity) -> (Arc<QuicServerConfig>, KeptReason) {
    let refusal = KeptReason::default();
    let config = QuicServerConfig::try_from(reporting_server_config(identity, refusal.clone()));
    let config = config.expect("the ring provider has the cipher suite of QUIC's initial packets");
    (Arc::new(config), refusal)
}

/// The dialling side for quinn, for one dial; and where to find the reason afterwards.
pub(crate) fn quic_client_config(
    identity: &Identity,
    expected: Option<NodeId>,
) -> (Arc<QuicClientConfig>, KeptReason) {
    let refusal = KeptReason::default();
    let config =
        QuicClientConfig::try_from(reporting_client_config(identity, expected, refusal.clone()));
    let config = config.expect("the ring provider has the cipher suite of QUIC's initial packets");
    (Arc::new(config), refusal)
}

fn reporting_client_config(
    identity: &Identity,
    expected: Option<NodeId>,
    refusal: KeptReason,
) -> ClientConfig {
    let verifier = PeerVerifier::new(identity.clone(), expected, refusal);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the ring provider has cipher suites of TLS 1.3")
        // "Dangerous" is any verifier of one's own. Ours checks all that the standard one does but
        // the host name, in place of which it checks the node's.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(Presented(identity.clone())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = false;
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    config
}

/// The one crypto provider; never the process's default, which the application may have set to
/// another.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}
