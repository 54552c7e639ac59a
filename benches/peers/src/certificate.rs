//! A certificate made for the run, in hexadecimal on the server's line, and TLS as fly-rpc has it:
//! version 1.3 only, ring, no session taken up again.
//!
//! fly-rpc also asks for the client's certificate; what that costs is paid once per connection.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    version::TLS13,
};

/// The name that every server goes by, whatever its address.
pub(crate) const NAME: &str = "localhost";

/// A certificate for [`NAME`], and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Certified {
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let key = certified.signing_key.serialize_der();
        Ok(Self {
            certificate: certified.cert.der().clone(),
            key: key.try_into().map_err(anyhow::Error::msg)?,
        })
    }

    /// TLS of the serving end.
    pub(crate) fn server(self, alpn: &[u8]) -> anyhow::Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate], self.key)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.max_early_data_size = 0;
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// TLS of the calling end, which trusts this one certificate.
pub(crate) fn client(certificate: &[u8], alpn: &[u8]) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// One provider for all, whatever the process's default is.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Two digits a byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address and the certificate on a server's line.
pub(crate) fn of_line(line: &str) -> anyhow::Result<(SocketAddr, Vec<u8>)> {
    let parts = line.split_once(' ');
    let (address, certificate) = parts.context("an address and a certificate")?;
    Ok((address.parse()?, from_hex(certificate)?))
}

/// The reverse of [`to_hex`].
pub(crate) fn from_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| anyhow::Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?);
    let bytes: Option<Vec<u8>> = rest
        .is_empty()
        .then(|| pairs.iter().map(|pair| byte(pair).ok()).collect())
        .flatten();
    bytes.with_context(|| format!("{text:?} is not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_comes_back() -> anyhow::Result<()> {
        assert_eq!(from_hex(&to_hex(&[0, 7, 255]))?, [0, 7, 255]);
        assert!(from_hex("0").is_err());
        assert!(from_hex("zz").is_err());
        Ok(())
    }
}
