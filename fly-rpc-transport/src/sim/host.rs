//! One host of a simulated network, on which one node at a time runs.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    network::{Network, Sent, Skew},
    socket::SimulatedSocket,
};
use crate::{randomness::Randomness, socket::Socket};

/// A host. Clones are the same host.
#[derive(Clone)]
pub struct Host {
    network: Network,
    number: usize,
}

impl Host {
    pub(super) fn new(network: Network, number: usize) -> Self {
        Self { network, number }
    }

    /// Where others reach it now.
    pub fn address(&self) -> SocketAddr {
        self.network.address(self.number)
    }

    /// What every node that ever ran here has sent.
    pub fn sent(&self) -> Sent {
        self.network.sent(self.number)
    }

    /// Freezes the host's network, as a stopped machine's: what it sends and what reaches it waits
    /// until [`resume`](Self::resume). Its own timers go on.
    pub fn pause(&self) {
        self.network.pause(self.number);
    }

    /// Lets everything that waited travel, at once.
    pub fn resume(&self) {
        self.network.resume(self.number);
    }

    /// Moves the host to a fresh address, as a NAT or a platform does: what is sent to the old one
    /// is lost. The node on it is not told. Returns the new address.
    pub fn change_address(&self) -> SocketAddr {
        self.network.rebind(self.number)
    }

    /// Takes the network away from whatever runs here, as a crash does: not even a farewell gets
    /// out. Another node may then be started on this host.
    pub fn cut_off(&self) {
        self.network.tear(self.number);
    }

    /// The host's socket.
    ///
    /// # Errors
    /// `AddrNotAvailable` for another address than the host's, `AddrInUse` while another node runs
    /// here.
    pub fn bind(&self, address: SocketAddr) -> io::Result<Socket> {
        if address != self.address() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let (number, inbox) = self
            .network
            .bind(self.number)
            .ok_or(io::ErrorKind::AddrInUse)?;
        let socket = SimulatedSocket::new(self.clone(), number, address, inbox);
        Ok(Socket::simulated(Arc::new(socket)))
    }

    /// A source of random numbers for one node on this host.
    pub fn randomness(&self) -> Randomness {
        Randomness::seeded(self.network.chance().number())
    }

    /// Sets the host's clock wrong: the time of day that nodes which start from now on see. How time
    /// passes is the same everywhere.
    pub fn set_clock(&self, skew: Skew) {
        self.network.skew(self.number, skew);
    }

    /// The time of day here; no two nodes that run here one after another ever read the same.
    pub fn time_of_day(&self) -> SystemTime {
        let lives = Duration::from_micros(self.network.sockets(self.number));
        self.network.time_of_day(self.number) + lives
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.address()).finish()
    }
}
