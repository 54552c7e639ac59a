//! A long link of either kind, and where the processes at its ends find each other.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command},
};

use anyhow::{Context, bail};
use bench_peers::Peer;

#[cfg(target_os = "linux")]
use crate::tun::{Side, TunLink};
use crate::{fate::Conditions, process::Server, relay::Relay};

/// How packets are kept for as long as the link is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Two network namespaces joined by TUN devices: for every peer. Needs Linux and root.
    Tun,
    /// A relay of datagrams: for peers over QUIC.
    Relay,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tun => "two network namespaces joined through TUN devices",
            Self::Relay => "a relay of UDP datagrams over loopback",
        })
    }
}

/// A peer's server at the far end of a link of its own.
#[derive(Debug)]
pub(crate) struct Served {
    // In this order: the process ends before its network does.
    server: Server,
    link: Link,
}

#[derive(Debug)]
enum Link {
    #[cfg(target_os = "linux")]
    Tun(TunLink),
    Relay(Relay),
}

impl Served {
    pub(crate) fn start(
        kind: Kind,
        peer: Peer,
        conditions: Conditions,
        seed: u64,
    ) -> anyhow::Result<Self> {
        match kind {
            #[cfg(target_os = "linux")]
            Kind::Tun => {
                let link = TunLink::open(conditions, seed)?;
                let listen = IpAddr::V4(Side::Server.address());
                let server =
                    Server::start(peer, listen, &|command| link.spawn(Side::Server, command))?;
                Ok(Self {
                    server,
                    link: Link::Tun(link),
                })
            }
            #[cfg(not(target_os = "linux"))]
            Kind::Tun => bail!("network namespaces are Linux's"),
            Kind::Relay => {
                let listen = IpAddr::V4(Ipv4Addr::LOCALHOST);
                let mut server = Server::start(peer, listen, &|command| command.spawn())?;
                let (relay, line) = relayed(&server.line, conditions, seed)?;
                server.line = line;
                Ok(Self {
                    server,
                    link: Link::Relay(relay),
                })
            }
        }
    }

    /// What a client needs to know.
    pub(crate) fn line(&self) -> &str {
        &self.server.line
    }

    /// Starts a client's process at the near end.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        match &self.link {
            #[cfg(target_os = "linux")]
            Link::Tun(link) => link.spawn(Side::Caller, command),
            Link::Relay(_) => command.spawn(),
        }
    }

    /// Fails if the link itself had no room for a packet.
    pub(crate) fn check(&self) -> anyhow::Result<String> {
        let [there, back] = match &self.link {
            #[cfg(target_os = "linux")]
            Link::Tun(link) => link.tallies(),
            Link::Relay(relay) => relay.tallies(),
        };
        if there.overflown() + back.overflown() > 0 {
            bail!("the link dropped packets of itself: there {there}; back {back}");
        }
        Ok(format!("there {there}; back {back}"))
    }
}

/// A relay to the address in what a server says, and the same line with the relay's address.
fn relayed(line: &str, conditions: Conditions, seed: u64) -> anyhow::Result<(Relay, String)> {
    let address = line
        .split_whitespace()
        .find_map(|word| word.parse::<SocketAddr>().ok())
        .context("the server says no address")?;
    let relay = Relay::open(address, conditions, seed)?;
    let words = line.split_whitespace().map(|word| match word.parse() {
        Ok(this) if address == this => relay.address().to_string(),
        _ => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    Ok((relay, line))
}
