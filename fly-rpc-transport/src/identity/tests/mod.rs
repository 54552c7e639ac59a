//! What an identity promises, shown in real handshakes: QUIC's TLS, both ends in memory, no sockets
//! and no waiting.

mod certificates;
mod handshake;
mod membership;
mod own_pki;
mod pki;
mod protocol;
