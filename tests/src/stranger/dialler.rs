//! A dialler that accepts everybody and presents what it likes.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use quinn::{ClientConfig, ConnectionError, crypto::rustls::QuicClientConfig};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::authority::Leaf;

/// Dials without asking who answers.
#[derive(Debug)]
pub struct Dialler {
    endpoint: quinn::Endpoint,
    config: rustls::ClientConfig,
}

/// All that a stranger learns from a node that refuses it.
#[derive(Debug)]
pub struct Seen {
    /// The error code of QUIC, in which the alert of TLS is 0x100 and more.
    pub code: u64,
    /// The words beside it.
    pub words: String,
}

impl Dialler {
    /// A dialler that presents `leaf`, or nothing. Must be made on a runtime.
    ///
    /// # Errors
    /// What TLS says of the leaf's key.
    pub fn new(leaf: Option<Leaf>) -> anyhow::Result<Self> {
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Careless));
        let mut config = match leaf {
            // Not the method for honest certificates, which looks at what it is given.
            Some(leaf) => {
                let key = ring::sign::any_supported_type(&leaf.key)?;
                let certified = CertifiedKey::new(leaf.chain, key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![fly_rpc_transport::ALPN.to_vec()];
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into())?;
        Ok(Self { endpoint, config })
    }

    /// Offers these protocols instead.
    pub fn offering(mut self, protocols: &[&[u8]]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// Asks to be resumed, and to send early.
    pub fn eager(mut self) -> Self {
        self.config.enable_early_data = true;
        self
    }

    /// Begins to dial.
    ///
    /// # Errors
    /// What QUIC says of the configuration.
    pub fn connect(&self, address: SocketAddr) -> anyhow::Result<quinn::Connecting> {
        let crypto = QuicClientConfig::try_from(self.config.clone())?;
        let config = ClientConfig::new(Arc::new(crypto));
        Ok(self
            .endpoint
            .connect_with(config, address, "stranger.invalid")?)
    }

    /// Dials, sends `early` on a stream as soon as it can, and returns how it was refused.
    ///
    /// # Errors
    /// If it was not.
    pub async fn refused(&self, address: SocketAddr, early: &[u8]) -> anyhow::Result<Seen> {
        let refused = async {
            // TLS 1.3 lets a dialler send before its own certificate was looked at.
            let error = match self.connect(address)?.await {
                Ok(connection) => {
                    if let Ok((mut send, _recv)) = connection.open_bi().await {
                        let _ = send.write_all(early).await;
                        let _ = send.finish();
                    }
                    connection.closed().await
                }
                Err(error) => error,
            };
            match error {
                ConnectionError::ConnectionClosed(close) => Ok(Seen {
                    code: close.error_code.into(),
                    words: String::from_utf8_lossy(&close.reason).into_owned(),
                }),
                other => Err(other).context("it was not refused by TLS"),
            }
        };
        tokio::time::timeout(crate::SOON, refused)
            .await
            .context("it was not refused")?
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Takes every certificate.
#[derive(Debug)]
struct Careless;

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
