//! What a node takes from the machine that it runs on: a socket, chance, and the time of day. A
//! simulated host gives all three to the nodes that run on it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::SystemTime,
};

#[cfg(feature = "sim")]
use fly_rpc_transport::sim::Host;
use fly_rpc_transport::{Randomness, Socket};

/// Where a node runs.
#[derive(Clone, Debug, Default)]
pub(super) enum Platform {
    /// On this machine.
    #[default]
    Machine,
    /// On a host of a simulated network.
    #[cfg(feature = "sim")]
    Simulated(Host),
}

impl Platform {
    /// True if the process has one node, which everything in it means.
    pub(super) fn has_one_node(&self) -> bool {
        matches!(self, Self::Machine)
    }

    /// The address to bind if none was asked for.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Machine => None,
            #[cfg(feature = "sim")]
            Self::Simulated(host) => Some(host.address()),
        }
    }

    pub(super) fn bind(&self, address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Self::Machine => {
                let socket = UdpSocket::bind(address)?;
                let bound = socket.local_addr()?;
                Ok((socket.into(), bound))
            }
            #[cfg(feature = "sim")]
            Self::Simulated(host) => Ok((host.bind(address)?, address)),
        }
    }

    pub(super) fn randomness(&self) -> Randomness {
        match self {
            Self::Machine => Randomness::unforeseeable(),
            #[cfg(feature = "sim")]
            Self::Simulated(host) => host.randomness(),
        }
    }

    /// What the clock on the wall says, in microseconds since 1970.
    pub(super) fn time_of_day(&self) -> u64 {
        let now = match self {
            Self::Machine => SystemTime::now(),
            #[cfg(feature = "sim")]
            Self::Simulated(host) => host.time_of_day(),
        };
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
    }
}
