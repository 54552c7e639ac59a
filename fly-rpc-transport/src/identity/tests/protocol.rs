//! What does not speak our TLS does not get in, and what does is not told more than it must be.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::quic::{ServerConnection, Version};
use rustls::server::ServerSessionMemoryCache;
use rustls::{Error, HandshakeKind, InvalidMessage, PeerIncompatible, Side};

use crate::identity::{ClusterSecret, Identity};
use crate::name::NodeId;
use crate::tls::{client_config, server_config};

use super::handshake::{Ends, shake_hands};

fn identity() -> Identity {
    Identity::from_secret(
        ClusterSecret::generate(),
        None,
        "shop",
        &NodeId::from("telling-name"),
    )
    .unwrap()
}

/// What the server says to raw bytes.
fn answer(bytes: &[u8]) -> Result<(), Error> {
    let config = Arc::new(server_config(&identity()));
    ServerConnection::new(config, Version::V1, vec![])
        .unwrap()
        .read_hs(bytes)
}

/// The first message of a dialler.
fn client_hello(identity: &Identity) -> Vec<u8> {
    let mut ends = Ends::new(client_config(identity, None), server_config(identity));
    let mut message = Vec::new();
    ends.client.write_hs(&mut message);
    message
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn plaintext_is_refused() {
    let error = answer(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidMessage(_) | Error::InappropriateHandshakeMessage { .. }
        ),
        "{error:?}"
    );
}

#[test]
fn tls_1_2_is_refused() {
    // A ClientHello without supported_versions, which is what TLS 1.2 sends (RFC 8446 §4.2.1).
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
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    let message = [&[1], &length[1..], &hello].concat();

    let error = answer(&message).unwrap_err();
    assert!(
        matches!(
            error,
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                    | PeerIncompatible::Tls13RequiredForQuic
            )
        ),
        "{error:?}"
    );
}

#[test]
fn garbage_is_an_error_and_no_panic() {
    let hello = client_hello(&identity());
    answer(&hello).unwrap();
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 0xff;
        let _ = answer(&changed);
    }
    let too_long = [1, 0xff, 0xff, 0xff];
    assert_eq!(
        answer(&too_long),
        Err(Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge
        ))
    );
}

#[test]
fn an_unknown_protocol_is_refused_by_either_end() {
    let identity = identity();
    for offered in [vec![b"h3".to_vec()], vec![b"fly-rpc/2".to_vec()], vec![]] {
        let mut client = client_config(&identity, None);
        client.alpn_protocols = offered;
        let failed = shake_hands(client, server_config(&identity)).unwrap_err();
        assert_eq!(
            (failed.by, failed.error),
            (Side::Server, Error::NoApplicationProtocol)
        );
    }
    // A server that would speak anything, and therefore names nothing.
    let mut server = server_config(&identity);
    server.alpn_protocols = vec![];
    let failed = shake_hands(client_config(&identity, None), server).unwrap_err();
    assert_eq!(failed.error, Error::NoApplicationProtocol);
}

#[test]
fn nothing_is_early_resumable_or_logged() {
    let identity = identity();
    let (client, server) = (client_config(&identity, None), server_config(&identity));
    assert!(!client.enable_early_data);
    assert_eq!(
        (server.max_early_data_size, server.send_tls13_tickets),
        (0, 0)
    );
    assert!(!server.session_storage.can_cache());
    assert!(!server.ticketer.enabled());
    assert!(!server.send_half_rtt_data);
    assert!(!client.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
    assert!(!server.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
}

#[test]
fn a_session_is_not_resumed_even_if_the_server_would() {
    let identity = identity();
    let client = client_config(&identity, None);
    let mut generous = server_config(&identity);
    generous.session_storage = ServerSessionMemoryCache::new(16);
    generous.send_tls13_tickets = 2;
    for _ in 0..2 {
        let mut ends = Ends::new(client.clone(), generous.clone());
        while ends.turn().unwrap() {}
        for end in [&ends.client, &ends.server] {
            assert_eq!(end.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[test]
fn a_client_hello_names_nobody() {
    let identity = identity();
    let hello = client_hello(&identity);
    assert!(contains(&hello, b"fly-rpc/1"));
    for name in ["telling-name", "shop", "fly-rpc.invalid"] {
        assert!(!contains(&hello, name.as_bytes()), "{name}");
    }
}

#[test]
fn the_constant_server_name_is_one_that_tls_takes() {
    assert!(ServerName::try_from(crate::tls::SERVER_NAME).is_ok());
}
