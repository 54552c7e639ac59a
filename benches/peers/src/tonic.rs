//! tonic: gRPC over HTTP/2 and TLS. The service is what its code generator writes, by hand, and bytes
//! are the whole message, as in its example of a codec of one's own: no `protoc`, and no cost of
//! protobuf either.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{BoxFuture, Service, http, http::uri::PathAndQuery},
    server::{self, NamedService},
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
        server::TcpIncoming,
    },
};

use crate::{
    certificate::{NAME, of_line, to_hex},
    echo::Echo,
    serve::Served,
};

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client(Channel);

pub(crate) async fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = certified.cert.pem();
    let identity = Identity::from_pem(&certificate, certified.signing_key.serialize_pem());
    let listener = TcpListener::bind((listen, 0)).await?;
    let line = format!(
        "{} {}",
        listener.local_addr()?,
        to_hex(certificate.as_bytes())
    );
    let service = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .add_service(GiveBack)
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(service);
    Ok(Served::new(line, ()))
}

pub(crate) async fn connect(server: &str) -> anyhow::Result<Client> {
    let (address, certificate) = of_line(server)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(certificate))
        .domain_name(NAME);
    let channel = Endpoint::from_shared(format!("https://{address}"))?
        .tls_config(tls)?
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .connect()
        .await?;
    Ok(Client(channel))
}

impl Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        let mut client = client::Grpc::new(self.0.clone());
        client.ready().await?;
        let path = PathAndQuery::from_static("/bench.Echo/Echo");
        let answer = client.unary(Request::new(body), path, Plain).await?;
        Ok(answer.into_inner().len())
    }
}

/// The service, as `tonic-build` would write it.
#[derive(Clone)]
struct GiveBack;

impl NamedService for GiveBack {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for GiveBack {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(server::Grpc::new(Plain).unary(Method, request).await) })
    }
}

/// Its one method.
struct Method;

impl Service<Request<Bytes>> for Method {
    type Response = Response<Bytes>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(body.len());
        buffer.put(body);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Bytes in flight, on a stream and on the connection: as for the bare QUIC connections.
const WINDOW: u32 = 16 * 1024 * 1024;
