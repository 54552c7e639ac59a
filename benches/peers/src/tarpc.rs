//! tarpc with its bincode transport, over TCP in the clear or over TLS, as its examples `readme` and
//! `tls_over_tcp` have it. Its limits are raised so that no call of a benchmark waits for them.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use tarpc::{
    client, context,
    server::{self, Channel},
    tokio_serde::formats::Bincode,
    tokio_util::codec::length_delimited::LengthDelimitedCodec,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};

use crate::{
    certificate::{self, Certified, NAME, of_line, to_hex},
    echo,
    peer::Payload,
    serve::Served,
};

#[tarpc::service]
trait Echo {
    async fn echo(body: Bytes) -> Bytes;
    async fn echo_plain(body: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct GiveBack;

impl Echo for GiveBack {
    async fn echo(self, _: context::Context, body: Bytes) -> Bytes {
        body
    }

    async fn echo_plain(self, _: context::Context, body: Vec<u8>) -> Vec<u8> {
        body
    }
}

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    client: EchoClient,
    payload: Payload,
}

pub(crate) async fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let listener = TcpListener::bind((listen, 0)).await?;
    let line = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            tokio::spawn(give_back(stream));
        }
        anyhow::Ok(())
    });
    Ok(Served::new(line, ()))
}

pub(crate) async fn serve_tls(listen: IpAddr) -> anyhow::Result<Served> {
    let certified = Certified::generate()?;
    let certificate = to_hex(&certified.certificate);
    let acceptor = TlsAcceptor::from(Arc::new(certified.server(ALPN)?));
    let listener = TcpListener::bind((listen, 0)).await?;
    let line = format!("{} {certificate}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            let accept = acceptor.accept(stream);
            tokio::spawn(async move {
                give_back(accept.await?).await;
                anyhow::Ok(())
            });
        }
        anyhow::Ok(())
    });
    Ok(Served::new(line, ()))
}

pub(crate) async fn connect(server: &str, payload: Payload) -> anyhow::Result<Client> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(Client::new(stream, payload))
}

pub(crate) async fn connect_tls(server: &str, payload: Payload) -> anyhow::Result<Client> {
    let (address, certificate) = of_line(server)?;
    let config = certificate::client(&certificate, ALPN)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(NAME)?, stream)
        .await?;
    Ok(Client::new(stream, payload))
}

impl Client {
    fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static, payload: Payload) -> Self {
        let framed = LengthDelimitedCodec::builder().new_framed(stream);
        let transport = tarpc::serde_transport::new(framed, Bincode::default());
        let mut config = client::Config::default();
        config.max_in_flight_requests = IN_FLIGHT;
        config.pending_request_buffer = IN_FLIGHT;
        let client = EchoClient::new(config, transport).spawn();
        Self { client, payload }
    }
}

impl echo::Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        let context = context::current();
        Ok(match self.payload {
            Payload::Bytes => self.client.echo(context, body).await?.len(),
            Payload::Plain => self.client.echo_plain(context, body.into()).await?.len(),
        })
    }
}

async fn give_back(stream: impl AsyncRead + AsyncWrite + Send + 'static) {
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let transport = tarpc::serde_transport::new(framed, Bincode::default());
    let config = server::Config {
        pending_response_buffer: IN_FLIGHT,
    };
    server::BaseChannel::new(config, transport)
        .execute(GiveBack.serve())
        .for_each(|answer| async {
            tokio::spawn(answer);
        })
        .await;
}

const ALPN: &[u8] = b"tarpc";
/// Calls in flight: more than any benchmark makes.
const IN_FLIGHT: usize = 4096;
