//! What is measured: the frameworks by name, and how byte strings travel.

use std::{env, fmt, str::FromStr};

use anyhow::bail;

/// A framework under test, or a bare transport beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Two nodes of one cluster: QUIC, TLS 1.3 both ways.
    FlyRpc,
    /// tarpc with bincode, over TCP in the clear.
    Tarpc,
    /// The same over TLS 1.3.
    TarpcTls,
    /// tonic: gRPC over HTTP/2 and TLS 1.3.
    Tonic,
    /// irpc: a QUIC stream for each call.
    Irpc,
    /// Bare quinn, one stream for all calls. Not a framework: the limit of this design.
    QuicMux,
    /// Bare quinn, a stream for each call.
    QuicStreams,
    /// A bare datagram each way. One call at a time.
    Udp,
    /// Erlang's `erpc`, in the clear. Driven by [`Erlang`](crate::Erlang), not by
    /// [`connect`](crate::connect).
    Erpc,
}

impl Peer {
    /// All of them, fly-rpc first.
    pub const ALL: [Self; 9] = [
        Self::FlyRpc,
        Self::Tarpc,
        Self::TarpcTls,
        Self::Tonic,
        Self::Irpc,
        Self::QuicMux,
        Self::QuicStreams,
        Self::Udp,
        Self::Erpc,
    ];

    /// Why it cannot run on this machine, if it cannot.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Erpc if !is_on_path("erl") => Some("no `erl` on the PATH".to_owned()),
            _ => None,
        }
    }

    /// True if it encodes values, and [`Payload`] therefore makes a difference to it.
    pub fn encodes(self) -> bool {
        matches!(
            self,
            Self::FlyRpc | Self::Tarpc | Self::TarpcTls | Self::Irpc
        )
    }

    /// True if it is a transport without any framework around it.
    pub fn is_bare(self) -> bool {
        matches!(self, Self::QuicMux | Self::QuicStreams | Self::Udp)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FlyRpc => "fly-rpc",
            Self::Tarpc => "tarpc",
            Self::TarpcTls => "tarpc-tls",
            Self::Tonic => "tonic",
            Self::Irpc => "irpc",
            Self::QuicMux => "quic-mux",
            Self::QuicStreams => "quic-streams",
            Self::Udp => "udp",
            Self::Erpc => "erpc",
        })
    }
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.iter().find(|peer| peer.to_string() == text) {
            Some(peer) => Ok(*peer),
            None => bail!("no peer is called {text:?}"),
        }
    }
}

/// How byte strings travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Payload {
    /// As one byte string: what a user who knows serde writes.
    Bytes,
    /// Element by element as a plain `Vec<u8>`: what everybody writes first.
    Plain,
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_found_by_its_name() {
        for peer in Peer::ALL {
            assert_eq!(peer.to_string().parse::<Peer>().ok(), Some(peer));
        }
        assert!("grpc".parse::<Peer>().is_err());
    }
}
