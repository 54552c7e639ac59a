//! Bare QUIC: one stream between the same two processes, no frames, no tasks, no table of calls. What
//! a call takes beyond this is fly-rpc's own; what this takes beyond bare UDP is quinn's and TLS's.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use rustls::{RootCertStore, pki_types::CertificateDer};

/// The calling end.
#[derive(Debug)]
pub struct BareQuic {
    send: SendStream,
    recv: RecvStream,
    // Dropped last: the stream ends with them.
    _connection: Connection,
    _endpoint: Endpoint,
}

impl BareQuic {
    /// A stream to `peer`, which has `certificate`.
    ///
    /// # Errors
    /// Whatever keeps it from connecting.
    pub async fn connect(
        peer: SocketAddr,
        certificate: CertificateDer<'static>,
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let mut endpoint = Endpoint::client(LOOPBACK)?;
        endpoint.set_default_client_config(ClientConfig::with_root_certificates(Arc::new(roots))?);
        let connection = endpoint.connect(peer, NAME)?.await?;
        let (send, recv) = connection.open_bi().await?;
        Ok(Self {
            send,
            recv,
            _connection: connection,
            _endpoint: endpoint,
        })
    }

    /// Sends `body`, waits until it is back, `calls` times; the time of each.
    ///
    /// # Errors
    /// The connection's.
    pub async fn round(&mut self, body: &[u8], calls: usize) -> anyhow::Result<Vec<Duration>> {
        let mut samples = Vec::with_capacity(calls);
        let mut buffer = vec![0; body.len()];
        for _ in 0..calls {
            let start = Instant::now();
            self.send.write_all(body).await?;
            self.recv.read_exact(&mut buffer).await?;
            samples.push(start.elapsed());
        }
        Ok(samples)
    }
}

/// The serving end: an endpoint, and the certificate that proves it.
pub(crate) fn listen() -> anyhow::Result<(Endpoint, CertificateDer<'static>)> {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = certified.cert.der().clone();
    let key = certified.signing_key.serialize_der();
    let key = key.try_into().map_err(anyhow::Error::msg)?;
    let config = ServerConfig::with_single_cert(vec![certificate.clone()], key)?;
    Ok((Endpoint::server(config, LOOPBACK)?, certificate))
}

/// Gives everything back that comes on the first stream of the first connection.
pub(crate) async fn echo_stream(endpoint: Endpoint) -> anyhow::Result<()> {
    let incoming = endpoint.accept().await.context("the endpoint is open")?;
    let connection = incoming.await?;
    let (mut send, mut recv) = connection.accept_bi().await?;
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await? {
        send.write_all(&chunk.bytes).await?;
    }
    Ok(())
}

const NAME: &str = "bare";
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
