//! First packets of QUIC, made by hand: as many as a flood needs, and with whatever first message of TLS.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, Side,
    crypto::ring,
    pki_types::ServerName,
    quic::{ClientConnection, Suite, Version},
};

/// Makes Initial packets (RFC 9000 §17.2.2) that all carry one message, each to begin a connection of its own.
#[derive(Debug)]
pub struct Initial {
    message: Vec<u8>,
}

impl Initial {
    /// Packets that carry `message`.
    pub fn new(message: Vec<u8>) -> Self {
        Self { message }
    }

    /// A datagram of 1200 bytes that begins the connection of this number.
    ///
    /// # Panics
    /// If the message is too long for one packet.
    pub fn datagram(&self, number: u64) -> Vec<u8> {
        let id = [number.to_be_bytes(), *b"stranger"].concat();
        let keys = suite().keys(&id, Side::Client, Version::V1);

        // Long header, Initial, a packet number of 4 bytes; version 1; the ids, ours empty; no token.
        let mut packet = vec![0xc3, 0, 0, 0, 1, 16];
        packet.extend(&id);
        packet.extend([0, 0]);
        let length = SIZE - packet.len() - 2;
        packet.extend(varint(length));
        let number_at = packet.len();
        packet.extend([0; 4]);
        let header = packet.len();

        // CRYPTO at offset 0 (RFC 9000 §19.6), then padding.
        packet.extend([0x06, 0]);
        packet.extend(varint(self.message.len()));
        packet.extend(&self.message);
        assert!(packet.len() <= SIZE - TAG, "the message is too long");
        packet.resize(SIZE - TAG, 0);

        let (head, payload) = packet.split_at_mut(header);
        let sealed = keys.local.packet.encrypt_in_place(0, head, payload);
        let tag = sealed.expect("a short packet");
        packet.extend(tag.as_ref());
        let sample = packet[number_at + 4..][..keys.local.header.sample_len()].to_vec();
        let (first, rest) = packet.split_first_mut().expect("not empty");
        let number = &mut rest[number_at - 1..][..4];
        let protected = keys.local.header.encrypt_in_place(&sample, first, number);
        protected.expect("a sample of that length");
        packet
    }
}

fn suite() -> Suite {
    ring::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(|suite| suite.quic_suite())
        .expect("the suite of Initial packets")
}

/// The first message of an honest dialler, which then says no more.
pub fn client_hello() -> Vec<u8> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![fly_rpc_transport::ALPN.to_vec()];
    config.enable_sni = false;
    let name = ServerName::try_from("stranger.invalid").expect("a name");
    // initial_source_connection_id: empty (RFC 9000 §18.2).
    let parameters = vec![0x0f, 0];
    let mut connection =
        ClientConnection::new(Arc::new(config), Version::V1, name, parameters).expect("sound");
    let mut message = Vec::new();
    connection.write_hs(&mut message);
    message
}

/// A first message without supported_versions, which is what TLS 1.2 sends (RFC 8446 §4.2.1).
pub fn tls_1_2_client_hello() -> Vec<u8> {
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]); // random
    hello.push(0); // no session
    hello.extend([0, 2, 0xc0, 0x2b, 1, 0]); // one cipher suite, no compression
    let extensions = [
        [0, 10, 0, 4, 0, 2, 0, 23].as_slice(), // supported_groups: secp256r1
        &[0, 13, 0, 4, 0, 2, 4, 3],            // signature_algorithms: ecdsa_secp256r1_sha256
        &[0, 16, 0, 12, 0, 10, 9],             // ALPN
        b"fly-rpc/1",
    ]
    .concat();
    hello.extend(
        u16::try_from(extensions.len())
            .expect("short")
            .to_be_bytes(),
    );
    hello.extend(extensions);
    let length = u32::try_from(hello.len()).expect("short").to_be_bytes();
    [&[1], &length[1..], &hello].concat()
}

/// A number below 2^14 in two bytes (RFC 9000 §16).
fn varint(number: usize) -> [u8; 2] {
    let number = u16::try_from(number).expect("short");
    (number | 0x4000).to_be_bytes()
}

/// Bytes of a datagram that begins a connection, at least (RFC 9000 §14.1).
const SIZE: usize = 1200;
/// Bytes of an AEAD tag.
const TAG: usize = 16;
