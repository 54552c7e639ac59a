//! First packets that open no connection, made predictable.
//!
//! A packet for a connection that is gone looks like the first one of a new connection. quinn takes
//! its header protection off with the wrong key, and then drops it or not by what two bits happen to
//! be; one in four is looked at, and refused where all are refused. Keys follow from no seed, so a
//! simulation drops the other quarter too: none of them can be decrypted.

use std::sync::Arc;

use bytes::BytesMut;
use quinn::{
    ConnectionId,
    crypto::{HeaderKey, Keys, PacketKey, ServerConfig, Session, UnsupportedVersion},
};

/// A server whose stray packets are all dropped at their header.
pub(crate) struct WithoutStrays(pub(crate) Arc<dyn ServerConfig>);

impl ServerConfig for WithoutStrays {
    fn initial_keys(&self, version: u32, cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        let mut keys = self.0.initial_keys(version, cid)?;
        let packet = self.0.initial_keys(version, cid)?.packet.remote;
        let header = keys.header.remote;
        keys.header.remote = Box::new(Trial { header, packet });
        Ok(keys)
    }

    fn retry_tag(&self, version: u32, cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.0.retry_tag(version, cid, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &quinn_proto::transport_parameters::TransportParameters,
    ) -> Box<dyn Session> {
        Arc::clone(&self.0).start_session(version, params)
    }
}

/// Takes the protection off a header, and marks it as broken if its packet cannot be decrypted.
struct Trial {
    header: Box<dyn HeaderKey>,
    packet: Box<dyn PacketKey>,
}

impl HeaderKey for Trial {
    fn decrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.header.decrypt(number_at, packet);
        let end = number_at + 1 + usize::from(packet[0] & NUMBER_LENGTH);
        // A first packet's number is small: what is left out of it are zeros.
        let number = packet[number_at..end]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mut payload = BytesMut::from(&packet[end..]);
        if self
            .packet
            .decrypt(number, &packet[..end], &mut payload)
            .is_err()
        {
            packet[0] |= RESERVED;
        }
    }

    fn encrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.header.encrypt(number_at, packet);
    }

    fn sample_size(&self) -> usize {
        self.header.sample_size()
    }
}

/// The bits of a long header's first byte that are the length of its packet number, less one, and
/// those that must be zero (RFC 9000 §17.2).
const NUMBER_LENGTH: u8 = 0x03;
const RESERVED: u8 = 0x0c;
