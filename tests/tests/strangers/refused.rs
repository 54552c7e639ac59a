//! Each stranger is refused, reaches no frame parser, is named in the log, and is told nothing.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
};

use fly_rpc::{ClusterSecret, Node, NodeBuilder};
use fly_rpc_tests::{
    Log, SOON, gossips,
    stranger::{
        Authority, Dialler, Initial, Leaf, client_hello, dns, member, tls_1_2_client_hello, valid,
    },
};
use quinn::crypto::rustls::QuicServerConfig;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

const CLUSTER: &str = "telling-cluster";
const REGION: &str = "telling-region";
const HOUR: i64 = 60 * 60;

/// A node with nothing special about it.
async fn node(secret: &ClusterSecret) -> Node {
    builder(secret)
        .start()
        .await
        .expect("a sound configuration")
}

fn builder(secret: &ClusterSecret) -> NodeBuilder {
    Node::builder()
        .cluster(CLUSTER)
        .secret(secret.clone())
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .id("telling-node")
        .region(REGION)
        .primary_region(REGION)
        .gossip(gossips())
}

/// What a stranger tries to slip in behind its certificate: the frames of a hello and of a request.
const EARLY: &[u8] = &[5, 0, 0, 0, 16, 1, 2, 1, 1, 3, 0, 0, 0, 1, 1, 0];

/// All refusals of certificates look the same to those who are refused: the alert `certificate_unknown` and one sentence.
const NAMELESS: (u64, &str) = (
    0x100 + 46,
    "invalid peer certificate: Other(OtherError(refused; the log of the node that refused says why))",
);

/// Dials as `stranger`: it must see what is `told`, and the log must name the reason.
async fn refused(node: &Node, log: &Log, stranger: &Dialler, told: (u64, &str), reason: &str) {
    let before = (node.stats(), log.lines("a connection was refused").len());
    let seen = stranger.refused(node.local_addr(), EARLY).await;
    let seen = seen.unwrap_or_else(|error| panic!("{reason}: {error:#}"));
    assert_eq!((seen.code, seen.words.as_str()), told, "{reason}");

    // The stranger hears of it before the task that logs does.
    let named = format!("reason=\"{reason}\"");
    let after = || node.stats().refused > before.0.refused;
    until(after, &format!("{reason}: it is counted")).await;
    let lines = log.lines("a connection was refused");
    assert_eq!(lines.len(), before.1 + 1, "{reason}: {lines:#?}");
    assert!(lines[before.1].contains(&named), "{reason}: {lines:#?}");
    assert!(lines[before.1].contains("127.0.0.1:"), "{lines:#?}");
    let after = node.stats();
    assert_eq!(after.frames_read, before.0.frames_read, "{reason}");
    assert_eq!(after.connections, before.0.connections, "{reason}");
}

/// Lets the node's tasks, which share this thread, run until something is so.
async fn until(condition: impl Fn() -> bool, what: &str) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, wait).await.expect(what);
}

/// Every way to present a certificate that proves no member; each has its own reason, but for those that amount to the
/// same.
#[tokio::test]
async fn whatever_proves_no_member_is_refused_named_in_the_log_and_told_nothing() {
    let secret = ClusterSecret::generate();
    let ours = Authority::of_cluster(&secret, CLUSTER);
    let (below, intermediate) = Authority::unknown("fly-rpc").below("fly-rpc");
    let leaf = |change: fn(&mut rcgen::CertificateParams)| ours.leaf("stranger", change);

    let strangers: Vec<(&str, Leaf)> = vec![
        ("unknown issuer", Leaf::self_signed("stranger")),
        (
            "unknown issuer",
            Authority::of_cluster(&ClusterSecret::generate(), CLUSTER).leaf("stranger", |_| {}),
        ),
        (
            "unknown issuer",
            Authority::of_cluster(&secret, "other-cluster").leaf("stranger", |_| {}),
        ),
        (
            "unknown issuer",
            Authority::unknown("fly-rpc").leaf("stranger", |_| {}),
        ),
        ("expired", leaf(|leaf| valid(leaf, -24 * HOUR, -1))),
        ("not yet valid", leaf(|leaf| valid(leaf, 60, 24 * HOUR))),
        // What a node mints whose clock is two hours fast: it dates its leaf back by one.
        ("not yet valid", leaf(|leaf| valid(leaf, HOUR, 26 * HOUR))),
        (
            "wrong usage",
            leaf(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]),
        ),
        (
            "wrong usage",
            leaf(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ),
        (
            "wrong usage",
            leaf(|leaf| leaf.extended_key_usages = vec![]),
        ),
        (
            "authority as leaf",
            leaf(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        ),
        ("no name", leaf(|leaf| leaf.subject_alt_names = vec![])),
        (
            "several names",
            leaf(|leaf| leaf.subject_alt_names.push(dns("another"))),
        ),
        (
            "several names",
            leaf(|leaf| leaf.subject_alt_names.push(uri("spiffe://cluster/node"))),
        ),
        (
            "wildcard",
            leaf(|leaf| leaf.subject_alt_names = vec![dns("*")]),
        ),
        (
            "not a DNS name",
            leaf(|leaf| {
                leaf.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            }),
        ),
        (
            "not a DNS name",
            leaf(|leaf| leaf.subject_alt_names = vec![uri("spiffe://cluster/node")]),
        ),
        (
            "not a node's name",
            leaf(|leaf| {
                let name = "stranger.example.com".try_into().expect("ASCII");
                leaf.subject_alt_names = vec![SanType::DnsName(name)];
            }),
        ),
        (
            "chain too long",
            below
                .leaf("stranger", |_| {})
                .with(std::iter::repeat_n(intermediate, 100)),
        ),
        ("malformed certificate", {
            let mut leaf = leaf(|_| {});
            leaf.chain[0] = CertificateDer::from(leaf.chain[0][..100].to_vec());
            leaf
        }),
    ];
    for (reason, leaf) in strangers {
        // A node of its own, whose log has had no line of this reason within the last second.
        let (log, _guard) = Log::start();
        let node = node(&secret).await;
        let stranger = Dialler::new(Some(leaf)).expect("a key");
        refused(&node, &log, &stranger, NAMELESS, reason).await;
        assert_eq!(node.stats().refusals.certificate, 1, "{reason}");
    }
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

#[tokio::test]
async fn who_shows_no_certificate_or_speaks_another_protocol_is_refused_by_tls() {
    let secret = ClusterSecret::generate();
    let (log, _guard) = Log::start();
    let node = node(&secret).await;

    let anonymous = Dialler::new(None).expect("nothing to refuse");
    let told = (0x100 + 116, "peer sent no certificates");
    refused(&node, &log, &anonymous, told, "no certificate").await;

    let member = || {
        let leaf = Authority::of_cluster(&secret, CLUSTER).leaf("stranger", |_| {});
        Dialler::new(Some(leaf)).expect("a key")
    };
    let told = (0x100 + 120, "peer doesn't support any known protocol");
    let other = member().offering(&[b"h3", b"fly-rpc/2"]);
    refused(&node, &log, &other, told, "another protocol").await;
    assert_eq!(node.stats().refusals.handshake, 2);

    let (log, _guard) = Log::start();
    let node = self::node(&secret).await;
    let none = member().offering(&[]);
    refused(&node, &log, &none, told, "another protocol").await;
}

/// TLS 1.2 and plaintext do not come out of any QUIC library: the packets are made by hand.
#[tokio::test]
async fn tls_1_2_and_plaintext_are_refused() {
    let secret = ClusterSecret::generate();
    let (log, _guard) = Log::start();
    let node = node(&secret).await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let messages = [
        ("another TLS version", tls_1_2_client_hello()),
        (
            "no agreement",
            b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec(),
        ),
    ];
    for (number, (reason, message)) in messages.into_iter().enumerate() {
        let datagram = Initial::new(message).datagram(number as u64);
        socket.send_to(&datagram, node.local_addr()).expect("sent");
        let named = || !log.lines(&format!("reason=\"{reason}\"")).is_empty();
        until(named, reason).await;
    }
    let stats = node.stats();
    assert_eq!((stats.refusals.handshake, stats.frames_read), (2, 0));
}

/// The packets that these tests make by hand are ones that a node takes.
#[tokio::test]
async fn a_first_packet_made_by_hand_begins_a_handshake() {
    let node = node(&ClusterSecret::generate()).await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await;
    let socket = socket.expect("a free port");
    let datagram = Initial::new(client_hello()).datagram(1);
    let sent = socket.send_to(&datagram, node.local_addr()).await;
    sent.expect("sent");
    let mut answer = [0; 2048];
    let length = tokio::time::timeout(SOON, socket.recv(&mut answer)).await;
    // It answers with a packet of its own handshake, which fills the datagram with its certificate.
    assert!(length.expect("answered").expect("received") >= 1200);
    assert_eq!(answer[0] & 0xf0, 0xc0, "an Initial packet");
    assert_eq!(node.stats().refused, 0);
}

/// Who has the secret can finish the handshake. His hello is read, and must be true of him.
#[tokio::test]
async fn a_member_that_is_not_who_it_says_or_not_who_was_dialled_is_refused_and_named() {
    let secret = ClusterSecret::generate();
    let (log, _guard) = Log::start();
    let node = node(&secret).await;
    let named = |reason: &str| log.lines(&format!("reason=\"{reason}\"")).len();

    let impostor = member(&secret, CLUSTER, "somebody", "somebody-else");
    let error = impostor.dial(node.local_addr(), None).await;
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("does not believe"), "{error}");
    assert!(!error.contains(REGION), "{error}");
    until(|| named("impostor") == 1, "the impostor is named").await;
    let twin = member(&secret, CLUSTER, "telling-node", "telling-node");
    twin.dial(node.local_addr(), None)
        .await
        .expect_err("refused");
    until(|| named("duplicate node id") == 1, "the twin is named").await;
    let stats = node.stats();
    assert_eq!((stats.refusals.hello, stats.connections), (2, 0));

    // The other way round the dialler refuses, before it has sent anything of its own.
    let lost = member(&secret, CLUSTER, "lost", "lost");
    let error = lost.dial(node.local_addr(), Some("another".into())).await;
    let error = error.expect_err("another node").to_string();
    assert!(error.contains("another was dialled"), "{error}");
    until(|| named("the other end refused") == 1, "it is named").await;
    let after = (node.stats().frames_read, lost.stats().frames_read);
    assert_eq!(after, (stats.frames_read, 0));
}

/// A node that dials a stranger names nobody in its first packet, and tells him nothing but that he is refused.
#[tokio::test]
async fn a_stranger_who_is_dialled_learns_neither_a_name_nor_why_he_is_refused() {
    let (log, _guard) = Log::start();
    let leaf = Leaf::self_signed("stranger");
    let key = ring::sign::any_supported_type(&leaf.key).expect("a key");
    let seen = Arc::new(Seen {
        certified: Arc::new(CertifiedKey::new(leaf.chain, key)),
        names: Mutex::default(),
    });
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&seen) as _);
    tls.alpn_protocols = vec![fly_rpc_transport::ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).expect("TLS 1.3");
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let stranger = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into());
    let stranger = stranger.expect("a free port");

    let peer = stranger.local_addr().expect("bound").to_string();
    let node = builder(&ClusterSecret::generate()).peers([peer.clone()]);
    let (node, outcome) = tokio::join!(node.start(), async {
        let incoming = tokio::time::timeout(SOON, stranger.accept()).await;
        incoming.expect("dialled").expect("it lives").await
    });
    let node = node.expect("sound");
    let Err(quinn::ConnectionError::ConnectionClosed(close)) = outcome else {
        panic!("{outcome:?}")
    };
    let words = String::from_utf8_lossy(&close.reason).into_owned();
    assert_eq!((u64::from(close.error_code), words.as_str()), NAMELESS);
    let names = seen.names.lock().expect("no panic").clone();
    assert!(
        !names.is_empty() && names.iter().all(Option::is_none),
        "{names:?}"
    );
    assert_eq!(node.stats().frames_read, 0);
    let warned = || !log.lines("signed by no authority that we trust").is_empty();
    until(warned, "the reason is in the log").await;
}

/// A server's certificate, and the names that diallers asked for.
#[derive(Debug)]
struct Seen {
    certified: Arc<CertifiedKey>,
    names: Mutex<Vec<Option<String>>>,
}

impl ResolvesServerCert for Seen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        self.names.lock().expect("no panic").push(name);
        Some(Arc::clone(&self.certified))
    }
}
