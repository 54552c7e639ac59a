//! Who takes part: a peer as it sends bytes, a peer as it sends a plain `Vec<u8>`, and the best of
//! several in a round.

use std::fmt;

use bench_peers::{Payload, Peer};

/// One column of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A peer, with byte strings as byte strings.
    Bytes(Peer),
    /// The same with byte strings as a plain `Vec<u8>`.
    Plain(Peer),
    /// Whichever bare QUIC was better, round by round.
    BestBare,
    /// Whichever framework but fly-rpc was best, round by round.
    BestFramework,
}

impl Side {
    /// fly-rpc, which all others are compared with.
    pub const OURS: Self = Self::Bytes(Peer::FlyRpc);

    /// Who calls for it, and how; nobody for the best of several.
    pub(crate) fn caller(self) -> Option<(Peer, Payload)> {
        match self {
            Self::Bytes(peer) => Some((peer, Payload::Bytes)),
            Self::Plain(peer) => Some((peer, Payload::Plain)),
            Self::BestBare | Self::BestFramework => None,
        }
    }

    /// Among which of these it is the best, if it is.
    pub(crate) fn is_best_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::BestBare, Self::Bytes(peer)) => peer.is_bare() && peer != Peer::Udp,
            (Self::BestFramework, Self::Bytes(peer)) => !peer.is_bare() && peer != Peer::FlyRpc,
            _ => false,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Bytes(peer) => peer.to_string(),
            Self::Plain(peer) => format!("{peer} (Vec<u8>)"),
            Self::BestBare => "best bare QUIC".to_owned(),
            Self::BestFramework => "best framework".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_framework_is_never_fly_rpc_itself() {
        let best = |side: Side| {
            let all = Peer::ALL.into_iter();
            all.filter(|peer| side.is_best_of(Side::Bytes(*peer)))
                .collect::<Vec<_>>()
        };
        assert_eq!(best(Side::BestBare), [Peer::QuicMux, Peer::QuicStreams]);
        assert!(!best(Side::BestFramework).contains(&Peer::FlyRpc));
        assert!(best(Side::BestFramework).contains(&Peer::Erpc));
    }
}
