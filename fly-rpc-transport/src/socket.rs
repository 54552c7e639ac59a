//! What carries an endpoint's datagrams: a UDP socket of the operating system, or a host of a
//! simulated network.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use crate::reactor::Drivers;

/// A bound socket.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Udp(UdpSocket),
    #[cfg(feature = "sim")]
    Simulated(Arc<dyn AsyncUdpSocket>),
}

impl Socket {
    #[cfg(feature = "sim")]
    pub(crate) fn simulated(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        Self(Kind::Simulated(socket))
    }

    /// Runs QUIC over this socket, on the current tokio runtime.
    pub(crate) fn serve(
        self,
        config: quinn::EndpointConfig,
        server: quinn::ServerConfig,
    ) -> io::Result<quinn::Endpoint> {
        let runtime = Arc::new(Drivers);
        match self.0 {
            Kind::Udp(socket) => {
                enlarge_buffers(&socket);
                quinn::Endpoint::new(config, Some(server), socket, runtime)
            }
            #[cfg(feature = "sim")]
            Kind::Simulated(socket) => {
                quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)
            }
        }
    }
}

impl From<UdpSocket> for Socket {
    fn from(socket: UdpSocket) -> Self {
        Self(Kind::Udp(socket))
    }
}

/// Takes the socket away from an endpoint whose connections are closing: each of them would hold it
/// for three more probe timeouts (RFC 9000 §10.2), and nothing else could bind its port.
pub(crate) fn let_go(endpoint: &quinn::Endpoint) {
    let nowhere = || {
        // Fails only if the socket in its place has no address, and this one has.
        let _ = endpoint.rebind_abstract(Arc::new(Nowhere));
    };
    // quinn also keeps the socket before the present one.
    nowhere();
    nowhere();
}

/// A socket that hears nothing, and whose datagrams are lost.
#[derive(Debug)]
struct Nowhere;

impl AsyncUdpSocket for Nowhere {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Self)
    }

    fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        _: &mut [io::IoSliceMut<'_>],
        _: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
    }
}

impl UdpPoller for Nowhere {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A burst of large answers overflows the default socket buffers, and what is lost there is sent
/// again a round trip later (1 MB echoes double with 4 MiB). The kernel may grant less; that is its
/// right.
fn enlarge_buffers(socket: &UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
}

const BUFFER: usize = 4 * 1024 * 1024;
