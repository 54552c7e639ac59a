//! quinn's configuration, every bound set by hand.
//!
//! quinn's own constructors allow 0-RTT, which can be replayed (RFC 9001 §9.2), and leave the
//! connection window open; here nothing is left to a default that a peer could use against us.

use std::{net::IpAddr, sync::Arc, time::Duration};

use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig,
    VarInt,
};

use crate::{
    congestion::Congestion,
    identity::{Identity, KeptReason},
    limits::Limits,
    name::NodeId,
    randomness::Randomness,
    tls,
};

/// What the endpoint accepts with.
pub(crate) fn server(identity: &Identity, limits: &Limits) -> ServerConfig {
    let (crypto, _) = tls::quic_server_config(identity);
    let mut config = ServerConfig::with_crypto(crypto);
    config
        .transport_config(Arc::new(transport(limits, Role::Server, Path::Network)))
        // Nodes have addresses that last; a moving peer is either a NAT rebinding, answered by a
        // fresh dial, or an attack.
        .migration(false)
        .max_incoming(limits.incoming)
        .incoming_buffer_size(limits.incoming_buffer)
        .incoming_buffer_size_total(limits.incoming_buffers);
    config
}

/// The same, and what it does with stray packets follows from the seed if there is one.
#[cfg(feature = "sim")]
pub(crate) fn predictable(mut server: ServerConfig, randomness: &Randomness) -> ServerConfig {
    if randomness.is_seeded() {
        server.crypto = Arc::new(crate::sim::WithoutStrays(server.crypto));
    }
    server
}

/// The same for one connection, from `peer`; and where its reason is found if it is refused.
pub(crate) fn server_of_one(
    server: &ServerConfig,
    identity: &Identity,
    limits: &Limits,
    peer: IpAddr,
) -> (Arc<ServerConfig>, KeptReason) {
    let (crypto, refusal) = tls::quic_server_config(identity);
    let mut config = server.clone();
    config.crypto = crypto;
    if let path @ Path::Machine = Path::to(peer) {
        config.transport_config(Arc::new(transport(limits, Role::Server, path)));
    }
    (Arc::new(config), refusal)
}

/// What a dial of `peer` is made with, where `expected` is, or whoever is there; and where its
/// reason is found if it is refused.
pub(crate) fn client(
    identity: &Identity,
    expected: Option<NodeId>,
    limits: &Limits,
    peer: IpAddr,
) -> (ClientConfig, KeptReason) {
    let (crypto, refusal) = tls::quic_client_config(identity, expected);
    let mut config = ClientConfig::new(crypto);
    config.transport_config(Arc::new(transport(limits, Role::Client, Path::to(peer))));
    (config, refusal)
}

/// What the socket itself is run with.
pub(crate) fn endpoint(randomness: &Randomness) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config
        .max_udp_payload_size(MACHINE_PACKET)
        .expect("QUIC's least is 1 200 bytes");
    if randomness.is_seeded() {
        let mut seed = [0; 32];
        for part in seed.as_chunks_mut::<8>().0 {
            *part = randomness.number().to_le_bytes();
        }
        config.rng_seed(Some(seed));
    }
    config
}

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

/// What lies between the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// Networks, whose packets are those of Ethernet at most.
    Network,
    /// Nothing but the loopback interface.
    Machine,
}

impl Path {
    fn to(peer: IpAddr) -> Self {
        match peer.to_canonical().is_loopback() {
            true => Self::Machine,
            false => Self::Network,
        }
    }
}

fn transport(limits: &Limits, role: Role, path: Path) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(streams(limits.lanes.min(FIRST_LANES)))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS)
        .stream_receive_window(VarInt::from_u32(limits.lane_receive_window))
        .receive_window(VarInt::from_u32(limits.connection_receive_window))
        .send_window(limits.send_window)
        .congestion_controller_factory(Arc::new(Congestion::default()))
        .initial_rtt(INITIAL_ROUND_TRIP)
        .max_idle_timeout(IdleTimeout::try_from(limits.idle_timeout).ok())
        .keep_alive_interval((role == Role::Client).then_some(limits.keep_alive));
    let mut discovery = MtuDiscoveryConfig::default();
    match path {
        Path::Machine => discovery.upper_bound(MACHINE_PACKET),
        Path::Network => discovery.minimum_change(PACKET_STEP),
    };
    config.mtu_discovery_config(Some(discovery));
    config
}

/// The streams of a peer that may have so many lanes: the control stream is one of the dialler's.
pub(crate) fn streams(lanes: u32) -> VarInt {
    VarInt::from_u32(lanes.saturating_add(1))
}

/// Lanes that a peer may have before it has opened one. quinn keeps two places for each stream that it
/// allows: 256 take 21 KiB of every connection, and most connections are idle.
pub(crate) const FIRST_LANES: u32 = 24;

/// Bytes of datagrams that wait to be read, or sent, on one connection; of more the oldest are
/// dropped. They are gossip, of which a sound node sends a few in a second.
const DATAGRAMS: usize = 32 * 1024;

/// Assumed until it is measured. The standard's 333 ms (RFC 9002 §6.2.2) makes a dial that meets a
/// restarting node wait a second for its second try; a needless retransmission on a longer path
/// costs one packet.
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Bytes of the smallest step in the search for the largest packet between two machines. Each try is a
/// packet of that size, and quinn's own step of 20 takes five of them each way, 7 kB, which is more than
/// all else that a connection needs that was made to ask one question; this one takes two, and finds
/// at least 95 % of what there is.
const PACKET_STEP: u16 = 64;

/// Bytes of the largest packet between two processes of one machine, if the loopback interface lets it
/// pass. What a packet costs hardly depends on its size: 1 MB echoes take 0.6 of the processor's time
/// that they take with the 1 452 bytes of Ethernet. Ten of them are handed to the kernel at a time,
/// and may not exceed a datagram's 65 507 bytes together.
const MACHINE_PACKET: u16 = 6_500;
