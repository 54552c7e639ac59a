//! Which certificates of a trusted authority are refused, in both directions, and under which name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls::Side;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::KeyUsage;

use crate::identity::verify::{algorithms, verify_chain};
use crate::identity::{CertificateRefused, Identity, IdentityError};
use crate::tls::{client_config, server_config};

use super::handshake::{At, meet, shake_hands};
use super::pki::{Leaf, Pki, dns, valid};

/// Presents `leaf` to a member as a server and as a client: the reason, which must be the same.
fn refused(
    pki: &Pki,
    leaf: &Leaf,
    intermediates: &[CertificateDer<'static>],
) -> CertificateRefused {
    let member = pki.identity("member");
    // One moment for both handshakes, since some reasons count seconds.
    let clock = Arc::new(At(UnixTime::now()));

    let mut bad_server = server_config(&member);
    let mut client = client_config(&member, None);
    client.time_provider = clock.clone();
    bad_server.cert_resolver = leaf.presented(intermediates);
    let by_client = shake_hands(client, bad_server).unwrap_err();
    assert_eq!(by_client.by, Side::Client);

    let mut bad_client = client_config(&member, None);
    let mut server = server_config(&member);
    server.time_provider = clock;
    bad_client.client_auth_cert_resolver = leaf.presented(intermediates);
    let by_server = shake_hands(bad_client, server).unwrap_err();
    assert_eq!(by_server.by, Side::Server);

    assert_eq!(by_client.reason(), by_server.reason());
    by_client.reason().clone()
}

/// The reason why peers refuse such a leaf, after checking that `from_pem` refuses it for the same
/// one.
fn refused_leaf(change: impl FnOnce(&mut CertificateParams)) -> CertificateRefused {
    let pki = Pki::new("root");
    let leaf = pki.leaf(change);
    let reason = refused(&pki, &leaf, &[]);
    match Identity::from_pem(leaf.chain(), &leaf.key(), pki.root()) {
        Err(IdentityError::Refused(own)) => assert_eq!(
            std::mem::discriminant(&own),
            std::mem::discriminant(&reason),
            "{own} / {reason}"
        ),
        other => panic!("{other:?}"),
    }
    reason
}

#[test]
fn a_good_leaf_is_accepted() {
    let pki = Pki::new("root");
    let (one, two) = (pki.identity("one"), pki.identity("two"));
    let introduced = meet(&one, &two).unwrap();
    assert_eq!(introduced.client_saw, two.node_id());
    assert_eq!(introduced.server_saw, one.node_id());
}

#[test]
fn an_expired_leaf_is_refused() {
    let reason = refused_leaf(|params| valid(params, -7200, -60));
    assert!(
        matches!(reason, CertificateRefused::Expired { seconds: 60..120 }),
        "{reason}"
    );
}

#[test]
fn a_leaf_that_is_not_valid_yet_is_refused() {
    let reason = refused_leaf(|params| valid(params, 60, 7200));
    assert!(
        matches!(reason, CertificateRefused::NotYetValid { seconds: 1..=60 }),
        "{reason}"
    );
}

#[test]
fn a_leaf_of_another_usage_is_refused() {
    let code_signing = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    };
    let none = |params: &mut CertificateParams| params.extended_key_usages = vec![];
    assert_eq!(refused_leaf(code_signing), CertificateRefused::WrongUsage);
    assert_eq!(refused_leaf(none), CertificateRefused::WrongUsage);
}

#[test]
fn a_leaf_of_half_the_usage_is_refused_for_the_other_half() {
    for (half, by) in [
        (ExtendedKeyUsagePurpose::ServerAuth, Side::Server),
        (ExtendedKeyUsagePurpose::ClientAuth, Side::Client),
    ] {
        let pki = Pki::new("root");
        let member = pki.identity("member");
        let leaf = pki.leaf(|params| params.extended_key_usages = vec![half]);
        let own = Identity::from_pem(leaf.chain(), &leaf.key(), pki.root());
        assert!(
            matches!(
                own,
                Err(IdentityError::Refused(CertificateRefused::WrongUsage))
            ),
            "{own:?}"
        );
        let mut client = client_config(&member, None);
        let mut server = server_config(&member);
        match by {
            Side::Server => client.client_auth_cert_resolver = leaf.presented(&[]),
            Side::Client => server.cert_resolver = leaf.presented(&[]),
        }
        let failed = shake_hands(client, server).unwrap_err();
        assert_eq!(
            (failed.by, failed.reason()),
            (by, &CertificateRefused::WrongUsage)
        );
    }
}

#[test]
fn an_authority_is_refused_as_a_leaf() {
    let reason = refused_leaf(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(reason, CertificateRefused::Authority);
}

#[test]
fn a_leaf_without_a_name_is_refused() {
    assert_eq!(
        refused_leaf(|params| params.subject_alt_names.clear()),
        CertificateRefused::NoName
    );
}

#[test]
fn a_leaf_with_two_node_ids_is_refused() {
    let reason = refused_leaf(|params| params.subject_alt_names.push(dns("other")));
    assert_eq!(reason, CertificateRefused::SeveralNames);
}

#[test]
fn a_leaf_with_one_good_name_and_any_other_is_refused() {
    for other in [
        dns("*"),
        SanType::IpAddress([127, 0, 0, 1].into()),
        SanType::URI("spiffe://cluster/node".try_into().unwrap()),
        SanType::Rfc822Name("node@example.com".try_into().unwrap()),
    ] {
        let reason = refused_leaf(|params| params.subject_alt_names.push(other));
        assert_eq!(reason, CertificateRefused::SeveralNames);
    }
}

#[test]
fn a_wildcard_leaf_is_refused() {
    let reason = refused_leaf(|params| params.subject_alt_names = vec![dns("*")]);
    assert_eq!(reason, CertificateRefused::Wildcard);
}

#[test]
fn a_leaf_that_is_only_an_address_is_refused() {
    let reason = refused_leaf(|params| {
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    });
    assert_eq!(reason, CertificateRefused::NotDnsName);
}

#[test]
fn a_leaf_of_an_intermediate_authority_is_accepted() {
    let pki = Pki::new("root");
    let (below, certificate) = pki.intermediate("intermediate");
    let leaf = below.leaf(|_| {});
    let chain = [leaf.chain.as_str(), &certificate].concat();
    let identity = Identity::from_pem(chain.as_bytes(), &leaf.key(), pki.root()).unwrap();
    meet(&identity, &pki.identity("other")).unwrap();
}

#[test]
fn a_bomb_of_a_chain_is_refused_for_its_length() {
    let pki = Pki::new("root");
    let stranger = Pki::new("root");
    let (below, _) = stranger.intermediate("again");
    let intermediates: Vec<_> = (0..100)
        .map(|_| {
            CertificateDer::from_pem_slice(stranger.intermediate("again").1.as_bytes()).unwrap()
        })
        .collect();
    let leaf = below.leaf(|_| {});

    let reason = refused(&pki, &leaf, &intermediates);
    assert_eq!(
        reason,
        CertificateRefused::ChainTooLong {
            certificates: 101,
            limit: 7
        }
    );
    assert_eq!(
        refused(&pki, &leaf, &intermediates[..6]),
        CertificateRefused::UnknownIssuer
    );
}

/// What strangers can make a node verify costs it next to nothing: of several runs the fastest, since
/// this machine may do other things as well.
#[test]
fn a_bomb_of_a_certificate_is_refused_in_less_than_ten_milliseconds() {
    let pki = Pki::new("root");
    let stranger = Pki::new("root");
    let (below, again) = stranger.intermediate("again");
    let again = CertificateDer::from_pem_slice(again.as_bytes()).unwrap();
    let names = |params: &mut CertificateParams| {
        params.subject_alt_names = (0..10_000).map(|n| dns(&format!("n{n}"))).collect();
    };
    let fewer = |params: &mut CertificateParams| {
        params.subject_alt_names = (0..2_000).map(|n| dns(&format!("n{n}"))).collect();
    };
    let members = |leaf: Leaf| CertificateDer::from_pem_slice(leaf.chain()).unwrap();
    // TLS itself takes 64 KiB of certificates at most; these are worse than what can come.
    let bombs = [
        ("100 intermediates", members(below.leaf(|_| {})), 100),
        ("10 000 names of a member", members(pki.leaf(names)), 0),
        (
            "10 000 names of a stranger",
            members(stranger.leaf(names)),
            0,
        ),
        ("2 000 names of a member", members(pki.leaf(fewer)), 0),
        ("a chain that fits", members(below.leaf(|_| {})), 6),
    ];
    let roots = &pki.identity("member").material().roots;
    for (what, leaf, intermediates) in bombs {
        let intermediates = vec![again.clone(); intermediates];
        let run = || {
            let start = Instant::now();
            let now = UnixTime::now();
            let usage = KeyUsage::client_auth();
            let algorithms = algorithms();
            let refused = verify_chain(roots, &leaf, &intermediates, now, usage, &algorithms);
            refused.unwrap_err();
            start.elapsed()
        };
        let fastest = (0..10).map(|_| run()).min().unwrap();
        println!("{what}: {fastest:?}");
        assert!(fastest < Duration::from_millis(10), "{what}: {fastest:?}");
    }
}

#[test]
fn fifteen_hundred_names_are_refused_like_two() {
    let pki = Pki::new("root");
    let leaf = pki.leaf(|params| {
        params.subject_alt_names = (0..1_500)
            .map(|number| dns(&format!("n{number}")))
            .collect();
    });
    assert_eq!(refused(&pki, &leaf, &[]), CertificateRefused::SeveralNames);
}
