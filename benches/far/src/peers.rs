//! Stands in for the crate of peers until it is there.
use std::{fmt, future::Future, net::{IpAddr, SocketAddr}, str::FromStr, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use fly_rpc::{ClusterSecret, Node, Target, region_rpc};
use serde_bytes::ByteBuf;

#[region_rpc]
async fn echo(body: &[u8]) -> ByteBuf {
    ByteBuf::from(body)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer { FlyRpc }
#[derive(Clone, Copy, Debug)]
pub enum Payload { Bytes }
impl Peer { pub const ALL: [Self; 1] = [Self::FlyRpc]; pub fn missing(self) -> Option<String> { None } }
impl fmt::Display for Peer { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad("fly-rpc") } }
impl FromStr for Peer { type Err = anyhow::Error; fn from_str(t: &str) -> anyhow::Result<Self> { if t == "fly-rpc" { Ok(Self::FlyRpc) } else { bail!("no peer {t}") } } }
const SECRET: &str = "9f3c1a7be2d48056c1f0a9d37e5b2468ace013579bdf2468135cb97a86e4d20f";
pub async fn serve(_: Peer, listen: IpAddr) -> anyhow::Result<()> {
    let node = Node::builder().cluster("far").secret(SECRET.parse::<ClusterSecret>()?).region("syd").primary_region("syd").bind(SocketAddr::new(listen, 0)).start().await?;
    println!("{}", node.local_addr());
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    node.shutdown().await;
    Ok(())
}
pub trait Echo: Clone + Send + Sync + 'static { fn echo(&self, body: Bytes) -> impl Future<Output = anyhow::Result<usize>> + Send; }
pub trait Visit { type Output; fn visit<C: Echo>(self, client: C) -> impl Future<Output = anyhow::Result<Self::Output>> + Send; }
#[derive(Clone)]
struct Client(Node);
impl Echo for Client { async fn echo(&self, body: Bytes) -> anyhow::Result<usize> { Ok(echo_on_primary(&body).via(&self.0).await?.len()) } }
pub async fn connect<V: Visit>(_: Peer, _: Payload, server: &str, visit: V) -> anyhow::Result<V::Output> {
    let server = server.split(' ').next().context("an address")?;
    let here: IpAddr = if server.starts_with("127") { [127, 0, 0, 1].into() } else { [0, 0, 0, 0].into() };
    let advertise: IpAddr = if server.starts_with("127") { [127, 0, 0, 1].into() } else { [10, 77, 0, 1].into() };
    let node = Node::builder().cluster("far").secret(SECRET.parse::<ClusterSecret>()?).region("lax").primary_region("syd").bind(SocketAddr::new(here, 0)).advertise(SocketAddr::new(advertise, 7411)).peers([server.to_owned()]).start().await?;
    node.wait_for(Target::Primary, Duration::from_secs(10)).await?;
    let out = visit.visit(Client(node.clone())).await;
    node.shutdown().await;
    out
}
