//! Sockets, the same for every peer: large buffers for datagrams, no delay for streams.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// A UDP socket on a free port of `ip`, not blocking, with [`BUFFER`] each way. The kernel may grant
/// less.
pub(crate) fn datagrams(ip: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    let options = socket2::SockRef::from(&socket);
    let _ = options.set_recv_buffer_size(BUFFER);
    let _ = options.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The address from which this machine reaches `server`. Sends nothing.
pub(crate) fn towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// Bytes of a UDP socket's buffers: what fly-rpc asks for. The default of 208 KiB drops packets of
/// large echoes.
const BUFFER: usize = 4 * 1024 * 1024;
