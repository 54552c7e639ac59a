//! A stream for each call: the body and its end, both ways. A lost packet delays one call only.

use std::net::IpAddr;

use bytes::Bytes;
use quinn::{Connection, Endpoint, RecvStream, SendStream};

use super::endpoint;
use crate::{echo::Echo, serve::Served};

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    connection: Connection,
    _alive: Endpoint,
}

pub(crate) fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let (endpoint, line) = endpoint::listen(listen)?;
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move { give_all_back(incoming.await?).await });
        }
    });
    Ok(Served::new(line, ()))
}

pub(crate) async fn connect(server: &str) -> anyhow::Result<Client> {
    let (endpoint, connection) = endpoint::connect(server).await?;
    Ok(Client {
        connection,
        _alive: endpoint,
    })
}

impl Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        let (mut send, mut recv) = self.connection.open_bi().await?;
        send.set_priority(priority(&body))?;
        send.write_chunk(body).await?;
        send.finish()?;
        Ok(recv.read_to_end(LARGEST).await?.len())
    }
}

async fn give_all_back(connection: Connection) -> anyhow::Result<()> {
    loop {
        let (send, recv) = connection.accept_bi().await?;
        tokio::spawn(give_back(send, recv));
    }
}

async fn give_back(mut send: SendStream, mut recv: RecvStream) -> anyhow::Result<()> {
    let body = Bytes::from(recv.read_to_end(LARGEST).await?);
    send.set_priority(priority(&body))?;
    send.write_chunk(body).await?;
    send.finish()?;
    Ok(())
}

/// Small calls go before large ones, as with fly-rpc.
fn priority(body: &Bytes) -> i32 {
    if body.len() >= LARGE { -1 } else { 0 }
}

/// Bytes from which a body is large.
const LARGE: usize = 64 * 1024;
/// Bytes of the largest body.
const LARGEST: usize = 4 * 1024 * 1024;
