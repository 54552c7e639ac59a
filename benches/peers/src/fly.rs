//! fly-rpc: two nodes of a cluster with a secret, which work on any address. Everything that it does
//! for a call is on: deadline, contract, permits, telemetry, certificates both ways.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use bytes::Bytes;
use fly_rpc::{ClusterSecret, Limits, Node, region_rpc};
use tokio::runtime::Handle;

use crate::{echo::Echo, peer::Payload, serve::Served, socket};

/// A calling node. It is shut down when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    caller: Arc<Caller>,
    payload: Payload,
}

/// The process keeps its first node as the default one, and it would look for its server for ever.
#[derive(Debug)]
struct Caller(Node);

impl Drop for Caller {
    fn drop(&mut self) {
        let node = self.0.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { node.shutdown().await });
        }
    }
}

#[region_rpc(@primary)]
async fn echo(body: Bytes) -> Bytes {
    body
}

#[region_rpc(@primary)]
async fn echo_plain(body: Vec<u8>) -> Vec<u8> {
    body
}

/// A large answer to a small request.
#[region_rpc(@primary)]
async fn produce(size: u32) -> Bytes {
    vec![7; size as usize].into()
}

pub(crate) async fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let secret = ClusterSecret::generate();
    let node = Node::builder()
        .cluster(CLUSTER)
        .region(PRIMARY)
        .primary_region(PRIMARY)
        .secret(secret.clone())
        .bind(SocketAddr::new(listen, 0))
        .limits(limits())
        .start()
        .await?;
    let line = format!("{} {}", node.local_addr(), *secret.reveal());
    Ok(Served::new(line, node))
}

/// A node that sees the server.
pub(crate) async fn connect(server: &str, payload: Payload) -> anyhow::Result<Client> {
    let (address, secret) = server.split_once(' ').context("an address and a secret")?;
    let ip = socket::towards(address.parse()?)?;
    let node = Node::builder()
        .cluster(CLUSTER)
        .region("caller")
        .primary_region(PRIMARY)
        .secret(secret.parse()?)
        .bind(SocketAddr::new(ip, 0))
        .peers([address])
        .limits(limits())
        .start()
        .await?;
    let caller = Arc::new(Caller(node));
    Ok(Client { caller, payload })
}

impl Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        Ok(match self.payload {
            Payload::Bytes => echo_on_primary(body).via(&self.caller.0).await?.len(),
            Payload::Plain => {
                let body = body.into();
                echo_plain_on_primary(body).via(&self.caller.0).await?.len()
            }
        })
    }

    async fn fetch(&self, size: usize) -> anyhow::Result<usize> {
        let size = u32::try_from(size)?;
        Ok(produce_on_primary(size).via(&self.caller.0).await?.len())
    }
}

/// One peer may have as many calls in flight as any benchmark makes. The default of 256 is for
/// machines that serve many.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.handlers_per_peer = limits.handlers;
    limits
}

const CLUSTER: &str = "bench";
const PRIMARY: &str = "primary";
