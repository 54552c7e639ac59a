//! A bare datagram each way, through the same kernel, runtime and processes: no call over a network
//! can be faster. Nothing tells two calls apart, so one at a time is made.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use tokio::net::UdpSocket;

use crate::{echo::Echo, serve::Served, socket};

/// The calling end.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<UdpSocket>);

pub(crate) async fn serve(listen: IpAddr) -> anyhow::Result<Served> {
    let socket = UdpSocket::from_std(socket::datagrams(listen)?)?;
    let address = socket.local_addr()?;
    tokio::spawn(give_back(socket));
    Ok(Served::new(address, ()))
}

pub(crate) async fn connect(server: &str) -> anyhow::Result<Client> {
    let server: SocketAddr = server.parse()?;
    let socket = UdpSocket::from_std(socket::datagrams(socket::towards(server)?)?)?;
    socket.connect(server).await?;
    Ok(Client(Arc::new(socket)))
}

impl Echo for Client {
    async fn echo(&self, body: Bytes) -> anyhow::Result<usize> {
        let mut buffer = [0; DATAGRAM];
        self.0.send(&body).await?;
        Ok(self.0.recv(&mut buffer).await?)
    }
}

async fn give_back(socket: UdpSocket) -> anyhow::Result<()> {
    let mut buffer = [0; DATAGRAM];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..length], from).await?;
    }
}

/// Bytes of the largest datagram, with room to spare.
const DATAGRAM: usize = 2048;
