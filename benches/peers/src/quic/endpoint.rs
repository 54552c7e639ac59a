//! The two ends of a bare QUIC connection: fly-rpc's TLS, socket buffers and windows.

use std::{net::IpAddr, sync::Arc, time::Duration};

use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use crate::{
    certificate::{self, Certified, NAME, of_line, to_hex},
    socket,
};

/// An endpoint that accepts, and the line by which [`connect`] finds it.
pub(super) fn listen(listen: IpAddr) -> anyhow::Result<(Endpoint, String)> {
    let certified = Certified::generate()?;
    let certificate = to_hex(&certified.certificate);
    let crypto = QuicServerConfig::try_from(certified.server(ALPN)?)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport()))
        .migration(false);
    let endpoint = open(listen, Some(config))?;
    let line = format!("{} {certificate}", endpoint.local_addr()?);
    Ok((endpoint, line))
}

/// A connection to the server with this line; it lives as long as the endpoint does.
pub(super) async fn connect(server: &str) -> anyhow::Result<(Endpoint, Connection)> {
    let (address, certificate) = of_line(server)?;
    let crypto = certificate::client(&certificate, ALPN)?;
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(crypto)?));
    config.transport_config(Arc::new(transport()));
    let endpoint = open(socket::towards(address)?, None)?;
    let connection = endpoint.connect_with(config, address, NAME)?.await?;
    Ok((endpoint, connection))
}

fn open(ip: IpAddr, server: Option<ServerConfig>) -> anyhow::Result<Endpoint> {
    let socket = socket::datagrams(ip)?;
    let runtime = Arc::new(TokioRuntime);
    Ok(Endpoint::new(
        EndpointConfig::default(),
        server,
        socket,
        runtime,
    )?)
}

/// fly-rpc's windows, but for the one stream that all calls share: it has the whole connection's.
fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(4096))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(WINDOW.into())
        .initial_rtt(Duration::from_millis(100))
        .keep_alive_interval(Some(Duration::from_secs(5)));
    config
}

const ALPN: &[u8] = b"echo";
/// Bytes in flight on a connection.
const WINDOW: u32 = 16 * 1024 * 1024;
