//! quinn's view of a host: a socket that is always ready to send.

use std::{
    fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{EcnCodepoint, RecvMeta, Transmit},
};

use super::{host::Host, inbox::Inbox};

/// The socket of one life of a host.
pub(super) struct SimulatedSocket {
    host: Host,
    number: u64,
    address: SocketAddr,
    inbox: Arc<Inbox>,
}

impl SimulatedSocket {
    pub(super) fn new(host: Host, number: u64, address: SocketAddr, inbox: Arc<Inbox>) -> Self {
        Self {
            host,
            number,
            address,
            inbox,
        }
    }
}

impl AsyncUdpSocket for SimulatedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysReady)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        let ecn = transmit.ecn.map(|codepoint| codepoint as u8);
        for bytes in transmit.contents.chunks(size.max(1)) {
            let network = self.host.network();
            network.send(
                self.host.number(),
                self.number,
                transmit.destination,
                ecn,
                bytes,
            );
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // One that was torn away hears nothing any more.
        if !self
            .host
            .network()
            .is_current(self.host.number(), self.number)
        {
            return Poll::Pending;
        }
        let mut filled = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let Poll::Ready(datagram) = self.inbox.poll(cx) else {
                break;
            };
            let length = datagram.bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram.bytes[..length]);
            *meta = RecvMeta {
                addr: datagram.from,
                len: length,
                stride: length,
                ecn: datagram.ecn.and_then(EcnCodepoint::from_bits),
                dst_ip: Some(self.address.ip()),
            };
            filled += 1;
        }
        if filled == 0 {
            Poll::Pending
        } else {
            Poll::Ready(Ok(filled))
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl Drop for SimulatedSocket {
    fn drop(&mut self) {
        self.host.network().release(self.host.number(), self.number);
    }
}

impl fmt::Debug for SimulatedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimulatedSocket")
            .field(&self.address)
            .finish()
    }
}

/// The network takes whatever it is given.
#[derive(Debug)]
struct AlwaysReady;

impl UdpPoller for AlwaysReady {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
