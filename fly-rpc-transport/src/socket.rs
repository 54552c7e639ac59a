//! What carries an endpoint's datagrams: a UDP socket of the operating system, or a host of a
//! simulated network.

mod held;
mod nowhere;

use std::{io, net::UdpSocket, sync::Arc};

#[cfg(feature = "sim")]
use quinn::AsyncUdpSocket;
use quinn::Runtime;

use self::{held::Held, nowhere::Nowhere};
use crate::{reactor::Drivers, watch};

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

    /// Runs QUIC over this socket, on the current tokio runtime. What is returned with it is
    /// [`Gone`](watch::Gone) once the socket is closed.
    pub(crate) fn serve(
        self,
        config: quinn::EndpointConfig,
        server: quinn::ServerConfig,
    ) -> io::Result<(quinn::Endpoint, watch::Receiver<()>)> {
        let socket = match self.0 {
            Kind::Udp(socket) => {
                enlarge_buffers(&socket);
                Drivers.wrap_udp_socket(socket)?
            }
            #[cfg(feature = "sim")]
            Kind::Simulated(socket) => socket,
        };
        let held = Held::new(socket);
        let closed = held.closed();
        let (socket, runtime) = (Arc::new(held), Arc::new(Drivers));
        let quinn =
            quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)?;
        Ok((quinn, closed))
    }
}

impl From<UdpSocket> for Socket {
    fn from(socket: UdpSocket) -> Self {
        Self(Kind::Udp(socket))
    }
}

/// Takes the socket away from an endpoint whose connections are closing: each of them would hold it
/// for three more probe timeouts (RFC 9000 §10.2), and nothing else could bind its port. They do so
/// one by one, when they are polled next.
pub(crate) fn let_go(endpoint: &quinn::Endpoint) {
    let nowhere = || {
        // Fails only if the socket in its place has no address, and this one has.
        let _ = endpoint.rebind_abstract(Arc::new(Nowhere));
    };
    // quinn also keeps the socket before the present one.
    nowhere();
    nowhere();
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
