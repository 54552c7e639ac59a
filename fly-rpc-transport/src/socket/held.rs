//! A socket of which it is known when nobody holds it any more.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use crate::watch;

/// Another socket, and a sign that is given once that is closed: fields are dropped in their order.
#[derive(Debug)]
pub(super) struct Held {
    socket: Arc<dyn AsyncUdpSocket>,
    closed: watch::Sender<()>,
}

impl Held {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        Self {
            socket,
            closed: watch::Sender::default(),
        }
    }

    /// Tells, by being [`Gone`](watch::Gone), that the socket is closed.
    pub(super) fn closed(&self) -> watch::Receiver<()> {
        self.closed.subscribe()
    }
}

impl AsyncUdpSocket for Held {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller {
            inner: Arc::clone(&self.socket).create_io_poller(),
            _held: self,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, buffers, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// Waits for the other socket, and lets go of it before it lets go of this one.
struct Poller {
    inner: Pin<Box<dyn UdpPoller>>,
    _held: Arc<Held>,
}

impl UdpPoller for Poller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_writable(cx)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
