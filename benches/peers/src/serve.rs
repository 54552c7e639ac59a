//! The serving end of any peer, as a process runs it: one line, then service until its input ends.

use std::{any::Any, fmt, net::IpAddr};

use anyhow::bail;
use tokio::io;

use crate::{
    erpc, fly, irpc,
    peer::Peer,
    quic::{mux, streams},
    tarpc, tonic, udp,
};

/// A server that runs: what a client needs to find it, and what must be kept so that it goes on.
pub(crate) struct Served {
    line: String,
    kept: Box<dyn Any + Send>,
}

impl Served {
    /// It runs in tasks of the current runtime, for as long as that and `kept` exist.
    pub(crate) fn new(line: impl fmt::Display, kept: impl Send + 'static) -> Self {
        Self {
            line: line.to_string(),
            kept: Box::new(kept),
        }
    }

    /// What a client needs.
    #[cfg(test)]
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("line", &self.line).finish()
    }
}

/// Serves `peer` on a free port of `listen` until standard input ends. Prints one line that a client
/// needs: address, certificate or secret.
///
/// # Errors
/// If it cannot start, in a sentence that says why.
pub async fn serve(peer: Peer, listen: IpAddr) -> anyhow::Result<()> {
    let served = start(peer, listen).await?;
    println!("{}", served.line);
    io::copy(&mut io::stdin(), &mut io::sink()).await?;
    drop(served.kept);
    Ok(())
}

pub(crate) async fn start(peer: Peer, listen: IpAddr) -> anyhow::Result<Served> {
    if let Some(reason) = peer.missing() {
        bail!(reason);
    }
    match peer {
        Peer::FlyRpc => fly::serve(listen).await,
        Peer::Tarpc => tarpc::serve(listen).await,
        Peer::TarpcTls => tarpc::serve_tls(listen).await,
        Peer::Tonic => tonic::serve(listen).await,
        Peer::Irpc => irpc::serve(listen),
        Peer::QuicMux => mux::serve(listen),
        Peer::QuicStreams => streams::serve(listen),
        Peer::Udp => udp::serve(listen).await,
        Peer::Erpc => erpc::serve(listen).await,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use tokio::{task::JoinSet, time::timeout};

    use super::*;
    use crate::{
        echo::{Echo, Visit, connect},
        peer::Payload,
    };

    /// Makes calls of every size, many at a time.
    struct Calls {
        peer: Peer,
    }

    impl Visit for Calls {
        type Output = ();

        async fn visit<C: Echo>(self, client: C) -> anyhow::Result<()> {
            let (sizes, in_flight): (&[usize], _) = match self.peer {
                Peer::Udp => (&[1, 64], 1),
                _ => (&[0, 1, 64, 8 * 1024, 1_000_000], 20),
            };
            for &size in sizes {
                let mut callers = JoinSet::new();
                for _ in 0..in_flight {
                    let client = client.clone();
                    callers.spawn(async move { client.echo(vec![7; size].into()).await });
                }
                while let Some(length) = callers.join_next().await {
                    assert_eq!(length??, size, "{}", self.peer);
                }
            }
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_peer_gives_back_what_it_is_sent() -> anyhow::Result<()> {
        for peer in Peer::ALL.into_iter().filter(|peer| *peer != Peer::Erpc) {
            let served = start(peer, Ipv4Addr::LOCALHOST.into()).await?;
            let plain = peer.encodes().then_some(Payload::Plain);
            for payload in [Some(Payload::Bytes), plain].into_iter().flatten() {
                let calls = connect(peer, payload, &served.line, Calls { peer });
                timeout(Duration::from_secs(30), calls).await??;
            }
        }
        Ok(())
    }
}
