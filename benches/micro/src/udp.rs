//! The bare UDP ping-pong: two datagrams through the same kernel, runtime and processes. No call
//! over a network can be faster.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::net::UdpSocket;

/// The calling end.
#[derive(Debug)]
pub struct PingPong {
    socket: UdpSocket,
}

impl PingPong {
    /// A socket that talks to `peer` only.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect(peer: SocketAddr) -> io::Result<Self> {
        let socket = bind().await?;
        socket.connect(peer).await?;
        Ok(Self { socket })
    }

    /// Sends `body`, waits until it is back, `calls` times; the time of each.
    ///
    /// # Errors
    /// The operating system's, and an echo of another length.
    pub async fn round(&self, body: &[u8], calls: usize) -> anyhow::Result<Vec<Duration>> {
        let mut samples = Vec::with_capacity(calls);
        let mut buffer = [0; DATAGRAM];
        for _ in 0..calls {
            let start = Instant::now();
            self.socket.send(body).await?;
            let length = self.socket.recv(&mut buffer).await?;
            samples.push(start.elapsed());
            ensure!(length == body.len(), "an echo of {length} bytes");
        }
        Ok(samples)
    }
}

/// The serving end: gives every datagram back.
pub(crate) async fn echo_datagrams(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = [0; DATAGRAM];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..length], from).await?;
    }
}

pub(crate) async fn bind() -> io::Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Bytes of the largest datagram, with room to spare.
const DATAGRAM: usize = 2048;
