//! What we show of ourselves: the certificate of the moment, so that renewal needs no new
//! configuration.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Identity;

/// Presents an identity's current certificate, whoever asks: there is one.
#[derive(Debug)]
pub(crate) struct Presented(pub(crate) Identity);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material().certified))
    }
}

impl ResolvesClientCert for Presented {
    fn resolve(
        &self,
        _root_hints: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
