//! Certificates of strangers, and such as no honest member would have been given: what `webpki` and
//! the walk over DER make of them.

use std::{sync::OnceLock, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName,
    ExtendedKeyUsagePurpose, IsCa, Issuer, SigningKey as _,
};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::KeyUsage;

use super::{
    certificate::{dns_name, peer_node_id, sealed_life},
    der::{Reader, SEQUENCE},
    key::Ed25519Key,
    life::LifeKey,
    refused::CertificateRefused,
    verify::{algorithms, verify_chain},
};
use crate::{fuzzing::Input, name::NodeId};

/// One byte says how the certificate is made of the others:
///
/// 0. it is them;
/// 1. they are its alternative names, in a leaf that is signed;
/// 2. they change a leaf byte by byte, which is then signed;
/// 3. they change a leaf byte by byte after it was signed.
///
/// # Panics
///
/// If a certificate is trusted that does not name one node, and in one way.
pub(crate) fn certificate(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => drop(judged(&input.0.to_vec().into())),
        1 => signed_names(input.0),
        2 => changed(input, |leaf| pki().sign(leaf)),
        _ => changed(input, |_| ()),
    }
}

/// What the two readers of a certificate agree on.
fn judged(leaf: &CertificateDer<'_>) -> Result<NodeId, CertificateRefused> {
    let named = peer_node_id(std::slice::from_ref(leaf));
    if let Some(sealed) = sealed_life(std::slice::from_ref(leaf)) {
        let key = LifeKey::new(&[7; 32]);
        assert_eq!(key.open(&"a".into(), sealed), None, "nobody sealed it");
    }
    let verdict = [KeyUsage::client_auth(), KeyUsage::server_auth()].map(|usage| {
        let now = UnixTime::since_unix_epoch(NOW);
        verify_chain(&pki().roots, leaf, &[], now, usage, &algorithms())
    });
    for verdict in &verdict {
        match verdict {
            Ok(node) => {
                assert!(node.is_well_formed());
                assert_eq!(named.as_ref(), Ok(node));
            }
            Err(refused) => assert!(refused.to_string().len() < 256, "{refused}"),
        }
    }
    let [client, server] = verdict;
    client.and(server)
}

fn signed_names(names: &[u8]) {
    let leaf = pki().leaf(names);
    if let Ok(node) = judged(&leaf) {
        assert_eq!(names, alternative_names(&node), "another way to say it");
    }
}

fn changed(mut input: Input<'_>, finish: impl FnOnce(&mut Vec<u8>)) {
    let original = &pki().template;
    let mut leaf = original.to_vec();
    while !input.is_empty() {
        let at = input.short() % leaf.len();
        leaf[at] = input.byte();
    }
    finish(&mut leaf);
    if let Ok(node) = judged(&leaf.clone().into()) {
        let names = alternative_names(&node);
        assert!(leaf.windows(names.len()).any(|part| part == names));
    }
}

/// The one way to write the one name.
fn alternative_names(node: &NodeId) -> Vec<u8> {
    let name = dns_name(node).into_bytes();
    // A name has at most 63 + 16 bytes, so both lengths take one byte.
    let length = name.len() as u8;
    [&[SEQUENCE, length + 2, 0x82, length], &name[..]].concat()
}

/// An authority whose key is known, and a leaf of it.
struct Pki {
    issuer: Issuer<'static, Ed25519Key>,
    roots: Vec<TrustAnchor<'static>>,
    template: CertificateDer<'static>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root = params.self_signed(&key(1)).expect("a sound authority");
        let anchor = webpki::anchor_from_trusted_cert(root.der()).expect("a sound authority");
        let mut pki = Self {
            roots: vec![anchor.to_owned()],
            issuer: Issuer::new(params, key(1)),
            template: CertificateDer::from(Vec::new()),
        };
        pki.template = pki.leaf(&alternative_names(&NodeId::from("148e306f77e389")));
        pki
    }

    fn leaf(&self, names: &[u8]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let names = CustomExtension::from_oid_content(&[2, 5, 29, 17], names.to_vec());
        params.custom_extensions = vec![names];
        let leaf = params.signed_by(&key(2), &self.issuer);
        leaf.expect("any names can be signed").into()
    }

    /// Signs a changed leaf again, if there is still something to sign.
    fn sign(&self, leaf: &mut [u8]) {
        let Some(mut whole) = Reader::new(leaf).inside(SEQUENCE) else {
            return;
        };
        let before = whole;
        if whole.element().is_none() {
            return;
        }
        let to_be_signed = before.rest().len() - whole.rest().len();
        let signature = self
            .issuer
            .key()
            .sign(&before.rest()[..to_be_signed])
            .expect("Ed25519 signs anything");
        let end = leaf.len().saturating_sub(signature.len());
        leaf[end..].copy_from_slice(&signature);
    }
}

fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(Pki::new)
}

fn key(seed: u8) -> Ed25519Key {
    Ed25519Key::from_seed(&[seed; 32]).expect("any seed is a key")
}

/// In 2027, within the validity that `rcgen` gives.
const NOW: Duration = Duration::from_secs(1_800_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_calls_his_signature_does_not_fill_the_log() {
        let ed25519 = [0x30, 5, 6, 3, 43, 101, 112];
        let mut leaf = pki().template.to_vec();
        for at in 0..leaf.len() - ed25519.len() {
            if leaf[at..].starts_with(&ed25519) {
                leaf[at + 5] = 0xa7;
            }
        }
        let refused = judged(&leaf.into()).expect_err("no such algorithm");
        assert_eq!(
            refused.to_string(),
            "the chain is invalid: its signature is of an unknown kind"
        );
    }

    #[test]
    fn what_is_changed_and_signed_again_is_trusted_if_it_is_still_a_leaf() {
        let mut leaf = pki().template.to_vec();
        let name = b"148e306f77e389";
        let at = leaf.windows(name.len()).position(|part| part == name);
        leaf[at.expect("the name")] = b'2';
        let unsigned = judged(&leaf.clone().into());
        assert_eq!(unsigned, Err(CertificateRefused::UnknownIssuer));
        pki().sign(&mut leaf);
        assert_eq!(judged(&leaf.into()), Ok(NodeId::from("248e306f77e389")));
    }
}
