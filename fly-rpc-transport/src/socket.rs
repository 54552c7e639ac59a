//! What carries an endpoint's datagrams: a UDP socket of the operating system, or a host of a
//! simulated network.

use std::{io, net::UdpSocket, sync::Arc};

/// A bound socket.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Udp(UdpSocket),
    #[cfg(feature = "sim")]
    Simulated(Arc<dyn quinn::AsyncUdpSocket>),
}

impl Socket {
    #[cfg(feature = "sim")]
    pub(crate) fn simulated(socket: Arc<dyn quinn::AsyncUdpSocket>) -> Self {
        Self(Kind::Simulated(socket))
    }

    /// Runs QUIC over this socket, on the current tokio runtime.
    pub(crate) fn serve(
        self,
        config: quinn::EndpointConfig,
        server: quinn::ServerConfig,
    ) -> io::Result<quinn::Endpoint> {
        let runtime = Arc::new(quinn::TokioRuntime);
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

/// A burst of large answers overflows the default socket buffers, and what is lost there is sent
/// again a round trip later (1 MB echoes double with 4 MiB). The kernel may grant less; that is its
/// right.
fn enlarge_buffers(socket: &UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
}

const BUFFER: usize = 4 * 1024 * 1024;
