//! The one thing that every peer does, and the way to do it without a virtual call in between.

use bytes::Bytes;

use anyhow::{bail, ensure};

use crate::{
    fly, irpc,
    peer::{Payload, Peer},
    quic::{mux, streams},
    tarpc, tonic, udp,
};

/// A connected client: cheap to clone, shared by all callers.
pub trait Echo: Clone + Send + Sync + 'static {
    /// Sends `body`, waits until it is back; the length of what came back.
    ///
    /// # Errors
    /// The framework's.
    fn echo(&self, body: Bytes) -> impl Future<Output = anyhow::Result<usize>> + Send;

    /// Asks, in a few bytes, for an answer of this size; the length of what came. Only fly-rpc serves
    /// it: the size of an answer is what its choice of a lane cannot know.
    ///
    /// # Errors
    /// The framework's, or that it serves no such thing.
    fn fetch(&self, _size: usize) -> impl Future<Output = anyhow::Result<usize>> + Send {
        async { bail!("it serves echoes only") }
    }
}

/// What is done with a client, whichever it is: a generic closure.
pub trait Visit: Send {
    /// What it is done for.
    type Output: Send;

    /// Does it. The connection ends with the returned future.
    ///
    /// # Errors
    /// Whatever goes wrong meanwhile.
    fn visit<C: Echo>(self, client: C)
    -> impl Future<Output = anyhow::Result<Self::Output>> + Send;
}

/// Connects to what [`serve`](crate::serve()) printed and runs `visit` with the client.
///
/// # Errors
/// If it cannot connect, if the peer has no such client, and whatever `visit` gives.
pub async fn connect<V: Visit>(
    peer: Peer,
    payload: Payload,
    server: &str,
    visit: V,
) -> anyhow::Result<V::Output> {
    ensure!(
        payload == Payload::Bytes || peer.encodes(),
        "{peer} sends bytes as they are"
    );
    match peer {
        Peer::FlyRpc => visit.visit(fly::connect(server, payload).await?).await,
        Peer::Tarpc => visit.visit(tarpc::connect(server, payload).await?).await,
        Peer::TarpcTls => {
            visit
                .visit(tarpc::connect_tls(server, payload).await?)
                .await
        }
        Peer::Tonic => visit.visit(tonic::connect(server).await?).await,
        Peer::Irpc => visit.visit(irpc::connect(server, payload).await?).await,
        Peer::QuicMux => visit.visit(mux::connect(server).await?).await,
        Peer::QuicStreams => visit.visit(streams::connect(server).await?).await,
        Peer::Udp => visit.visit(udp::connect(server).await?).await,
        Peer::Erpc => bail!("Erlang has a client of its own"),
    }
}
