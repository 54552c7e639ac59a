//! Who is let in: hello, cluster, protocol, identity, and those who say nothing.

use std::time::Duration;

use super::fixture::{CLUSTER, Fixture, frame, hello, refused, soon, until};
use crate::{CloseCode, ClusterSecret, DialError, Identity, control::hello_frame};

fn code(error: &DialError) -> CloseCode {
    match error {
        DialError::Refused { code, .. } => *code,
        other => panic!("not refused by hello: {other}"),
    }
}

#[tokio::test]
async fn two_nodes_introduce_themselves() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let link = a
        .dial(b.local_addr(), Some("b".into()))
        .await
        .expect("welcome");
    assert_eq!((link.node().as_str(), link.region().as_str()), ("b", "syd"));
    until(&b, |b| b.links().len() == 1).await;
    assert_eq!(b.links()[0].node().as_str(), "a");
}

#[tokio::test]
async fn a_node_with_another_secret_is_a_stranger() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let (stranger, _) = Fixture::new().endpoint("b");
    let error = refused(stranger.dial(a.local_addr(), None).await);
    assert!(matches!(error, DialError::Certificate { .. }), "{error}");
    assert!(a.links().is_empty());
}

#[tokio::test]
async fn a_node_of_another_cluster_is_a_stranger_even_with_the_same_secret() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let other =
        Identity::from_secret(fixture.secret.clone(), None, "other", &"b".into()).expect("sound");
    let (stranger, _) = fixture.endpoint_with(
        crate::Hello {
            cluster: "other".into(),
            ..hello("b")
        },
        other,
    );
    assert!(matches!(
        refused(stranger.dial(a.local_addr(), None).await),
        DialError::Certificate { .. }
    ));
    // With a certificate of one's own PKI, which knows no clusters, the hello tells.
    let (liar, _) = fixture.endpoint_with(
        crate::Hello {
            cluster: "other".into(),
            ..hello("c")
        },
        fixture.identity("c"),
    );
    assert_eq!(
        code(&refused(liar.dial(a.local_addr(), None).await)),
        CloseCode::Cluster
    );
}

#[tokio::test]
async fn during_a_rotation_old_and_new_secrets_are_both_members() {
    let fixture = Fixture::new();
    let new = ClusterSecret::generate();
    let both = Identity::from_secret(
        new.clone(),
        Some(fixture.secret.clone()),
        CLUSTER,
        &"n".into(),
    )
    .expect("sound");
    let old_and_next =
        Identity::from_secret(fixture.secret.clone(), Some(new), CLUSTER, &"o".into())
            .expect("sound");
    let (rotated, _) = fixture.endpoint_with(hello("n"), both);
    let (next, _) = fixture.endpoint_with(hello("o"), old_and_next);
    let (old, _) = fixture.endpoint("old");
    soon(next.dial(rotated.local_addr(), None))
        .await
        .expect("each accepts what the other presents");
    soon(old.dial(next.local_addr(), None))
        .await
        .expect("the same secret");
    assert!(matches!(
        refused(old.dial(rotated.local_addr(), None).await),
        DialError::Certificate { .. }
    ));
}

#[tokio::test]
async fn another_node_than_the_one_dialled_is_refused() {
    let fixture = Fixture::new();
    let ((a, _), (b, _)) = (fixture.endpoint("a"), fixture.endpoint("b"));
    let error = refused(a.dial(b.local_addr(), Some("c".into())).await);
    assert!(matches!(error, DialError::Certificate { .. }), "{error}");
}

#[tokio::test]
async fn a_node_that_calls_itself_other_than_its_certificate_is_refused() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let (liar, _) = fixture.endpoint_with(hello("c"), fixture.identity("b"));
    assert_eq!(
        code(&refused(liar.dial(a.local_addr(), None).await)),
        CloseCode::Impostor
    );
}

#[tokio::test]
async fn a_node_that_reaches_itself_notices() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let error = refused(a.dial(a.local_addr(), None).await);
    assert!(error.is_itself(), "{error}");
    assert!(a.links().is_empty());
}

#[tokio::test]
async fn a_second_node_with_the_same_id_is_told() {
    let fixture = Fixture::new();
    let ((first, _), (second, _)) = (fixture.endpoint("a"), fixture.endpoint("a"));
    assert_eq!(
        code(&refused(second.dial(first.local_addr(), None).await)),
        CloseCode::Duplicate
    );
}

#[tokio::test]
async fn a_protocol_without_a_version_in_common_is_named() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let (newer, _) = fixture.endpoint_with(
        crate::Hello {
            protocol: 7..=9,
            ..hello("b")
        },
        fixture.identity("b"),
    );
    let error = refused(newer.dial(a.local_addr(), None).await);
    assert_eq!(code(&error), CloseCode::Protocol);
    assert!(error.to_string().contains("protocol"), "{error}");
}

#[tokio::test]
async fn another_alpn_is_refused_by_tls() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    let mut config = crate::tls::client_config(&fixture.identity("b"), None);
    config.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).expect("TLS 1.3");
    let client = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a free port");
    let config = quinn::ClientConfig::new(std::sync::Arc::new(crypto));
    let error = client
        .connect_with(config, a.local_addr(), "x")
        .expect("dialled")
        .await
        .expect_err("refused");
    assert!(
        matches!(error, quinn::ConnectionError::ConnectionClosed(_)),
        "{error}"
    );
}

#[tokio::test]
async fn a_member_that_says_nothing_is_cut_off() {
    let mut fixture = Fixture::new();
    fixture.limits.hello_timeout = Duration::from_millis(50);
    let (a, _) = fixture.endpoint("a");
    let silent = fixture.raw("b", &a).await;
    assert_eq!(silent.closed().await, CloseCode::HelloTimeout as u64);
    let half = fixture.raw("c", &a).await;
    let _streams = half.say(&hello_frame(&hello("c").into())[..40]).await;
    assert_eq!(half.closed().await, CloseCode::HelloTimeout as u64);
    assert!(a.links().is_empty());
}

#[tokio::test]
async fn a_first_message_that_is_no_hello_is_refused() {
    let fixture = Fixture::new();
    let (a, _) = fixture.endpoint("a");
    for bytes in [
        frame(1, b"a request"),
        frame(16, b"\xff\xff not sections"),
        frame(16, b""),
        vec![0; 8],
        vec![0xff; 8],
    ] {
        let raw = fixture.raw("b", &a).await;
        let _streams = raw.say(&bytes).await;
        assert_eq!(raw.closed().await, CloseCode::BadHello as u64, "{bytes:?}");
    }
    let (b, _) = fixture.endpoint("b");
    b.dial(a.local_addr(), None)
        .await
        .expect("honest nodes are still welcome");
}
