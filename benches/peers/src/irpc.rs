//! irpc: a QUIC stream for each call, on noq, set up with its own functions but for the socket's
//! buffers and the number of streams, which is 100 by default.

use std::{net::IpAddr, sync::Arc};

use anyhow::Context;
use bytes::Bytes;
use irpc::{
    WithChannels,
    channel::oneshot,
    rpc::{Handler, RemoteService, listen},
    rpc_requests,
    util::{configure_client, configure_server},
};
use noq::{Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use serde::{Deserialize, Serialize};

use crate::{
    certificate::{NAME, of_line, to_hex},
    echo,
    peer::Payload,
    serve::Served,
    socket,
};

#[derive(Debug, Serialize, Deserialize)]
struct Echo(Bytes);

#[derive(Debug, Serialize, Deserialize)]
struct EchoPlain(Vec<u8>);

#[rpc_requests(message = Message, no_spans)]
#[derive(Debug, Serialize, Deserialize)]
enum Protocol {
    #[rpc(tx = oneshot::Sender<Bytes>)]
    Echo(Echo),
    #[rpc(tx = oneshot::Sender<Vec<u8>>)]
    EchoPlain(EchoPlain),
}

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    client: irpc::Client<Protocol>,
    payload: Payload,
    _alive: (Endpoint, Connection),
}

pub(crate) fn serve(ip: IpAddr) -> anyhow::Result<Served> {
    let (mut config, certificate) = configure_server()?;
    Arc::get_mut(&mut config.transport)
        .context("nobody else has it yet")?
        .max_concurrent_bidi_streams(STREAMS.into());
    let endpoint = open(ip, Some(config))?;
    let line = format!("{} {}", endpoint.local_addr()?, to_hex(&certificate));
    tokio::spawn(listen(endpoint, handler()));
    Ok(Served::new(line, ()))
}

pub(crate) async fn connect(server: &str, payload: Payload) -> anyhow::Result<Client> {
    let (address, certificate) = of_line(server)?;
    let config = configure_client(&[&certificate])?;
    let endpoint = open(socket::towards(address)?, None)?;
    let connection = endpoint.connect_with(config, address, NAME)?.await?;
    Ok(Client {
        client: irpc::Client::boxed(connection.clone()),
        payload,
        _alive: (endpoint, connection),
    })
}

impl echo::Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        Ok(match self.payload {
            Payload::Bytes => self.client.rpc(Echo(body)).await?.len(),
            Payload::Plain => self.client.rpc(EchoPlain(body.into())).await?.len(),
        })
    }
}

/// Answers in a task for each call: in place, a large answer would hold up the next request.
fn handler() -> Handler<Protocol> {
    Arc::new(|request, recv, send| {
        Box::pin(async move {
            tokio::spawn(async move {
                match Protocol::with_remote_channels(request, recv, send) {
                    Message::Echo(WithChannels { inner, tx, .. }) => tx.send(inner.0).await,
                    Message::EchoPlain(WithChannels { inner, tx, .. }) => tx.send(inner.0).await,
                }
            });
            Ok(())
        })
    })
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

/// Streams at one time: more than any benchmark has calls in flight.
const STREAMS: u32 = 4096;
