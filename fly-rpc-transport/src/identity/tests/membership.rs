//! What the cluster secret proves, and how it and the leaves that come from it are replaced.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::Side;
use rustls::pki_types::UnixTime;

use crate::identity::{
    CertificateRefused, ClusterSecret, Identity, IdentityError, KeptReason, Life, PeerVerifier,
};
use crate::name::NodeId;
use crate::tls::{client_config, quic_client_config, quic_server_config, server_config};

use super::handshake::{At, meet, shake_hands};
use super::pki::Pki;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn member(secret: &ClusterSecret, node: &str) -> Identity {
    Identity::from_secret(secret.clone(), None, "shop", &NodeId::from(node)).unwrap()
}

fn rotating(current: &ClusterSecret, previous: &ClusterSecret) -> Identity {
    let previous = Some(previous.clone());
    Identity::from_secret(current.clone(), previous, "shop", &NodeId::from("rotating")).unwrap()
}

/// Neither of the two can reach the other.
fn apart(one: &Identity, two: &Identity) {
    for (client, server) in [(one, two), (two, one)] {
        let failed = meet(client, server).unwrap_err();
        assert_eq!(failed.reason(), &CertificateRefused::UnknownIssuer);
    }
}

/// Neither of the two accepts the other, in either role.
fn strangers(one: &Identity, two: &Identity) {
    apart(one, two);
    for (client, server) in [(one, two), (two, one)] {
        // A client that does not care whom it talks to.
        let mut careless = client_config(server, None);
        careless.client_auth_cert_resolver = client_config(client, None).client_auth_cert_resolver;
        let failed = shake_hands(careless, server_config(server)).unwrap_err();
        assert_eq!(failed.by, Side::Server);
        assert_eq!(failed.reason(), &CertificateRefused::UnknownIssuer);
    }
}

#[test]
fn members_of_one_cluster_know_each_other_by_name() {
    let secret = ClusterSecret::generate();
    let introduced = meet(&member(&secret, "one"), &member(&secret, "two")).unwrap();
    assert_eq!(introduced.client_saw, NodeId::from("two"));
    assert_eq!(introduced.server_saw, NodeId::from("one"));
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    #[derive(Debug)]
    struct Nobody;
    impl rustls::client::ResolvesClientCert for Nobody {
        fn resolve(
            &self,
            _: &[&[u8]],
            _: &[rustls::SignatureScheme],
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }
        fn has_certs(&self) -> bool {
            false
        }
    }
    let identity = member(&ClusterSecret::generate(), "one");
    let mut anonymous = client_config(&identity, None);
    anonymous.client_auth_cert_resolver = Arc::new(Nobody);
    let failed = shake_hands(anonymous, server_config(&identity)).unwrap_err();
    assert_eq!(failed.by, Side::Server);
    assert_eq!(failed.error, rustls::Error::NoCertificatesPresented);
}

#[test]
fn strangers_are_refused_whatever_they_present() {
    let secret = ClusterSecret::generate();
    let ours = member(&secret, "one");
    let other_secret = member(&ClusterSecret::generate(), "two");
    let other_cluster = Identity::from_secret(secret, None, "other", &NodeId::from("two")).unwrap();
    let other_pki = Pki::new("root").identity("two");
    let same_authority_name = Pki::new("fly-rpc").identity("two");
    for stranger in [other_secret, other_cluster, other_pki, same_authority_name] {
        strangers(&ours, &stranger);
    }
}

#[test]
fn a_member_that_was_not_dialled_is_refused() {
    let secret = ClusterSecret::generate();
    let (one, two) = (member(&secret, "one"), member(&secret, "two"));
    let dial = |node| {
        shake_hands(
            client_config(&one, Some(NodeId::from(node))),
            server_config(&two),
        )
    };

    assert_eq!(dial("two").unwrap().client_saw, NodeId::from("two"));
    let failed = dial("three").unwrap_err();
    assert_eq!(failed.by, Side::Client);
    let expected = CertificateRefused::WrongNode {
        dialled: NodeId::from("three"),
        presented: NodeId::from("two"),
    };
    assert_eq!(failed.reason(), &expected);
}

#[test]
fn the_reason_of_a_dial_is_kept_for_its_error() {
    let ours = member(&ClusterSecret::generate(), "ours");
    let theirs = member(&ClusterSecret::generate(), "theirs");
    let refusal = KeptReason::default();
    let verifier = PeerVerifier::new(ours.clone(), None, refusal.clone());
    let mut client = client_config(&ours, None);
    client
        .dangerous()
        .set_certificate_verifier(Arc::new(verifier));

    assert_eq!(refusal.reason(), None);
    shake_hands(client, server_config(&theirs)).unwrap_err();
    assert_eq!(refusal.reason(), Some(&CertificateRefused::UnknownIssuer));
}

#[test]
fn rotation_has_a_way_from_the_old_secret_to_the_new_one() {
    let (old, new) = (ClusterSecret::generate(), ClusterSecret::generate());
    let before = member(&old, "before");
    let accepts_new = rotating(&old, &new);
    let presents_new = rotating(&new, &old);
    let after = member(&new, "after");

    // Each step and the next one run side by side during a roll-out, and either end may dial.
    for (step, next) in [
        (&before, &accepts_new),
        (&accepts_new, &presents_new),
        (&presents_new, &after),
    ] {
        meet(step, next).unwrap();
        meet(next, step).unwrap();
    }
    // The second secret is accepted, not presented; and a dropped one is neither.
    apart(&accepts_new, &after);
    apart(&before, &presents_new);
    strangers(&before, &after);
}

#[test]
fn a_renewed_leaf_is_used_by_the_next_handshake() {
    let start = SystemTime::now();
    let secret = ClusterSecret::generate();
    let node = NodeId::from("node");
    let identity = Identity::from_secret_at(secret.clone(), None, "shop", &node, start).unwrap();
    let due = identity.renew_at().unwrap();
    assert_eq!(due, start + 16 * HOUR);

    let late = start + 24 * HOUR + Duration::from_secs(1);
    let peer = Identity::from_secret_at(secret, None, "shop", &NodeId::from("peer"), late).unwrap();
    // One configuration for the whole life of the process.
    let server = server_config(&identity);
    let dial = || {
        let mut client = client_config(&peer, Some(node.clone()));
        client.time_provider = Arc::new(At(unix(late)));
        let mut server = server.clone();
        server.time_provider = Arc::new(At(unix(late)));
        shake_hands(client, server)
    };
    let failed = dial().unwrap_err();
    assert_eq!(failed.reason(), &CertificateRefused::Expired { seconds: 1 });

    assert_eq!(identity.renew(late).unwrap(), Some(late + 16 * HOUR));
    dial().unwrap();
}

#[test]
fn a_leaf_is_renewed_when_due_and_not_before() {
    let start = SystemTime::now();
    let secret = ClusterSecret::generate();
    let identity =
        Identity::from_secret_at(secret, None, "shop", &NodeId::from("node"), start).unwrap();
    let clone = identity.clone();
    let due = start + 16 * HOUR;
    let moment = Duration::from_secs(1);

    assert_eq!(identity.renew(due - moment).unwrap(), Some(due));
    assert_eq!(identity.renew(due).unwrap(), Some(due + 16 * HOUR));
    assert_eq!(clone.renew_at(), Some(due + 16 * HOUR));

    // A clock that was set back would make the leaf one of the future.
    let set_back = start - 10 * HOUR;
    assert_eq!(
        identity.renew(set_back).unwrap(),
        Some(set_back + 16 * HOUR)
    );
}

fn life(incarnation: u64) -> Life {
    Life {
        incarnation,
        region: "hkg".into(),
    }
}

/// What `reader` takes from the certificate that `identity` presents.
fn read(reader: &Identity, identity: &Identity) -> Option<Life> {
    let certified = Arc::clone(&identity.material().certified);
    reader.life_of(&identity.node_id(), &certified.cert)
}

#[test]
fn a_certificate_says_to_members_which_life_it_is_of_also_when_it_is_renewed() {
    let secret = ClusterSecret::generate();
    let (one, two) = (member(&secret, "one"), member(&secret, "two"));
    assert_eq!(read(&two, &one), None);
    one.live(Some(life(7))).unwrap();
    assert_eq!(read(&two, &one), Some(life(7)));
    meet(&one, &two).unwrap();
    one.renew(one.renew_at().unwrap()).unwrap();
    assert_eq!(read(&two, &one), Some(life(7)));
    one.live(Some(life(8))).unwrap();
    assert_eq!(read(&two, &one), Some(life(8)));
    one.live(None).unwrap();
    assert_eq!(read(&two, &one), None);
}

#[test]
fn a_life_is_read_under_either_secret_and_by_nobody_else() {
    let (old, new) = (ClusterSecret::generate(), ClusterSecret::generate());
    let one = member(&old, "one");
    one.live(Some(life(7))).unwrap();
    assert_eq!(read(&rotating(&new, &old), &one), Some(life(7)));
    assert_eq!(read(&member(&new, "two"), &one), None);
    let elsewhere = Identity::from_secret(old, None, "shop2", &NodeId::from("two"));
    assert_eq!(read(&elsewhere.unwrap(), &one), None);
    assert_eq!(read(&Pki::new("root").identity("two"), &one), None);
}

#[test]
fn a_certificate_of_one_s_own_says_no_life_and_is_left_as_it_is() {
    let (one, two) = (Pki::new("root"), member(&ClusterSecret::generate(), "two"));
    let one = one.identity("one");
    let before = one.material();
    one.live(Some(life(7))).unwrap();
    assert!(Arc::ptr_eq(&before, &one.material()));
    assert_eq!(read(&two, &one), None);
}

#[test]
fn a_leaf_that_is_reminted_keeps_the_times_that_it_had() {
    let minted = SystemTime::now() - 30 * HOUR;
    let secret = ClusterSecret::generate();
    let one = Identity::from_secret_at(secret, None, "shop", &NodeId::from("one"), minted);
    let one = one.unwrap();
    let due = one.renew_at();
    one.live(Some(life(7))).unwrap();
    assert_eq!(one.renew_at(), due);
}

#[test]
fn clocks_may_differ_by_an_hour_and_not_by_two() {
    let now = SystemTime::now();
    let secret = ClusterSecret::generate();
    let ours = member(&secret, "ours");
    let ahead = |skew| {
        Identity::from_secret_at(
            secret.clone(),
            None,
            "shop",
            &NodeId::from("ahead"),
            now + skew,
        )
    };

    meet(&ours, &ahead(HOUR - Duration::from_secs(60)).unwrap()).unwrap();
    let failed = meet(&ours, &ahead(2 * HOUR).unwrap()).unwrap_err();
    assert!(
        matches!(
            failed.reason(),
            CertificateRefused::NotYetValid {
                seconds: 3500..=3600
            }
        ),
        "{failed:?}"
    );
}

#[test]
fn a_malformed_node_id_gets_no_certificate() {
    for node in ["", "a b", "-a", "a.b"] {
        let result =
            Identity::from_secret(ClusterSecret::generate(), None, "shop", &NodeId::from(node));
        assert!(matches!(result, Err(IdentityError::NodeId(_))), "{node:?}");
    }
}

#[test]
fn an_identity_of_a_secret_takes_no_files() {
    let identity = member(&ClusterSecret::generate(), "node");
    assert!(matches!(
        identity.reload(),
        Err(IdentityError::NotFromFiles)
    ));
    let replaced = identity.replace_pem(b"", b"", b"");
    assert!(matches!(replaced, Err(IdentityError::NotFromPem)));
}

#[test]
fn debug_of_everything_that_holds_a_secret_shows_none_of_it() {
    let secret = ClusterSecret::generate();
    let previous = ClusterSecret::generate();
    let identity = rotating(&secret, &previous);
    let failed = meet(&identity, &member(&ClusterSecret::generate(), "two")).unwrap_err();

    let shown: [&dyn Debug; 6] = [
        &secret,
        &identity,
        &*identity.material(),
        &server_config(&identity),
        &client_config(&identity, None),
        &failed,
    ];
    let key = secret.derive("cluster authority", "shop", 1);
    for value in shown {
        let text = format!("{value:?} {value:#?}");
        for hidden in [
            secret.reveal().to_string(),
            previous.reveal().to_string(),
            hex(&key[..]),
            format!("{key:?}"),
        ] {
            assert!(!text.contains(&hidden), "{text}");
        }
    }
    assert_eq!(
        format!("{identity:?}"),
        "Identity { node: rotating, source: \"cluster secret\", .. }"
    );
}

#[test]
fn quic_takes_the_configurations() {
    let identity = member(&ClusterSecret::generate(), "node");
    let (_server, refusal) = quic_server_config(&identity);
    assert_eq!(refusal.reason(), None);
    let (_client, refusal) = quic_client_config(&identity, None);
    assert_eq!(refusal.reason(), None);
}

fn unix(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
