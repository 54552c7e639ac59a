//! The one name in a node's certificate: `<node-id>.fly-rpc.invalid`.
//!
//! A node is who its certificate says, so there must be one way to read it: exactly one entry in
//! the whole subject alternative name extension, which is a DNS name of that shape, in small
//! letters. A second entry of any kind, even one that nobody would look at, makes the certificate
//! say two things and is refused. The top-level domain is reserved (RFC 2606): no such name can
//! ever be resolved or certified in public.
//!
//! A leaf that was minted here also has the node's [life](super::life) in it: sealed, as the one attribute
//! of its subject. Whoever finds anything else there has found nothing.

use rustls::pki_types::CertificateDer;

use crate::name::NodeId;

use super::der::{
    BOOLEAN, INTEGER, OBJECT_ID, OCTET_STRING, PRINTABLE_STRING, Reader, SEQUENCE, SET, context,
    context_constructed,
};
use super::refused::CertificateRefused;

/// The DNS name of a node.
pub(super) fn dns_name(node: &NodeId) -> String {
    format!("{node}{SUFFIX}")
}

/// The node that a verified chain, leaf first, belongs to.
///
/// # Errors
///
/// As the handshake would have refused it; after a handshake this does not fail.
pub(crate) fn peer_node_id(chain: &[CertificateDer<'_>]) -> Result<NodeId, CertificateRefused> {
    let leaf = chain.first().ok_or(CertificateRefused::Missing)?;
    Extensions::of(leaf)?.node_id()
}

/// The sealed life of a verified chain, leaf first, if there is one.
pub(super) fn sealed_life<'a>(chain: &'a [CertificateDer<'_>]) -> Option<&'a [u8]> {
    let mut after_issuer = up_to_subject(chain.first()?)?;
    let mut names = after_issuer.inside(SEQUENCE)?;
    let mut attributes = names.inside(SET)?;
    let mut attribute = attributes.inside(SEQUENCE)?;
    let is_life = attribute.expect(OBJECT_ID)? == DN_QUALIFIER;
    let sealed = attribute.expect(PRINTABLE_STRING)?;
    let is_alone = names.is_empty() && attributes.is_empty() && attribute.is_empty();
    (is_life && is_alone).then_some(sealed)
}

/// The two extensions of a leaf that are read here.
pub(super) struct Extensions<'a> {
    alternative_names: Option<&'a [u8]>,
    /// Whether the certificate says what it may be used for. What it says is checked with the
    /// chain, but there a certificate that says nothing may be used for everything.
    pub(super) has_extended_key_usage: bool,
}

impl<'a> Extensions<'a> {
    /// Reads them from a certificate.
    pub(super) fn of(certificate: &'a CertificateDer<'_>) -> Result<Self, CertificateRefused> {
        Self::read(certificate).ok_or(CertificateRefused::Malformed)
    }

    /// The node that the names name.
    pub(super) fn node_id(&self) -> Result<NodeId, CertificateRefused> {
        let names = self.alternative_names.ok_or(CertificateRefused::NoName)?;
        let mut value = Reader::new(names);
        let mut names = value
            .inside(SEQUENCE)
            .filter(|_| value.is_empty())
            .ok_or(CertificateRefused::Malformed)?;
        if names.is_empty() {
            return Err(CertificateRefused::NoName);
        }
        let (kind, name) = names.element().ok_or(CertificateRefused::Malformed)?;
        if !names.is_empty() {
            return Err(CertificateRefused::SeveralNames);
        }
        if kind != DNS_NAME {
            return Err(CertificateRefused::NotDnsName);
        }
        node_of(name)
    }

    /// Finds the extensions: Certificate → TBSCertificate → `[3]` (RFC 5280 §4.1). `None` if it is
    /// malformed.
    fn read(certificate: &'a [u8]) -> Option<Self> {
        let mut to_be_signed = up_to_subject(certificate)?;
        to_be_signed.expect(SEQUENCE)?; // subject
        to_be_signed.expect(SEQUENCE)?; // key
        to_be_signed.skip_optional(context(1))?; // issuer's unique id
        to_be_signed.skip_optional(context(2))?; // subject's unique id

        let mut found = Self {
            alternative_names: None,
            has_extended_key_usage: false,
        };
        if to_be_signed.is_empty() {
            return Some(found);
        }
        let mut extensions = to_be_signed
            .inside(context_constructed(3))?
            .inside(SEQUENCE)?;
        while !extensions.is_empty() {
            let mut extension = extensions.inside(SEQUENCE)?;
            let id = extension.expect(OBJECT_ID)?;
            extension.skip_optional(BOOLEAN)?; // critical
            let value = extension.expect(OCTET_STRING)?;
            match id {
                SUBJECT_ALTERNATIVE_NAME if found.alternative_names.replace(value).is_some() => {
                    return None;
                }
                EXTENDED_KEY_USAGE => found.has_extended_key_usage = true,
                _ => {}
            }
        }
        Some(found)
    }
}

/// What follows the validity in Certificate → TBSCertificate (RFC 5280 §4.1): the subject comes first.
fn up_to_subject(certificate: &[u8]) -> Option<Reader<'_>> {
    let mut to_be_signed = Reader::new(certificate)
        .inside(SEQUENCE)?
        .inside(SEQUENCE)?;
    to_be_signed.skip_optional(context_constructed(0))?; // version
    to_be_signed.expect(INTEGER)?; // serial number
    for _signature_issuer_validity in 0..3 {
        to_be_signed.expect(SEQUENCE)?;
    }
    Some(to_be_signed)
}

/// The node that a DNS name names.
fn node_of(name: &[u8]) -> Result<NodeId, CertificateRefused> {
    let name = String::from_utf8_lossy(name);
    if name.contains('*') {
        return Err(CertificateRefused::Wildcard);
    }
    name.strip_suffix(SUFFIX)
        .and_then(|label| Some(label).zip(label.parse::<NodeId>().ok()))
        .filter(|(label, node)| node.as_str() == *label)
        .map(|(_, node)| node)
        .ok_or_else(|| CertificateRefused::NotNodeName {
            name: name.chars().take(SHOWN_NAME).collect(),
        })
}

/// What follows the node id in a node's name.
const SUFFIX: &str = ".fly-rpc.invalid";

/// How many characters of a wrong name are shown: the longest right one.
const SHOWN_NAME: usize = 63 + SUFFIX.len();

/// A DNS name among the alternative names (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = context(2);

/// 2.5.29.17 (RFC 5280 §4.2.1.6).
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// 2.5.29.37 (RFC 5280 §4.2.1.12).
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// 2.5.4.46, "information to be added to a name" (RFC 5280 §4.1.2.4), which has no longest value.
const DN_QUALIFIER: &[u8] = &[0x55, 0x04, 0x2e];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

    use super::*;

    fn certificate(configure: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        configure(&mut params);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .into()
    }

    fn named(names: &[SanType]) -> Result<NodeId, CertificateRefused> {
        let leaf = certificate(|params| params.subject_alt_names = names.to_vec());
        peer_node_id(&[leaf])
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    #[test]
    fn the_one_name_is_the_node() {
        assert_eq!(
            named(&[dns("node-1.fly-rpc.invalid")]),
            Ok(NodeId::from("node-1"))
        );
        let longest = "a".repeat(63);
        assert_eq!(
            named(&[dns(&format!("{longest}.fly-rpc.invalid"))]),
            Ok(NodeId::from(longest))
        );
    }

    #[test]
    fn a_name_of_another_shape_is_refused() {
        for name in [
            "fly-rpc.invalid",
            ".fly-rpc.invalid",
            "a.b.fly-rpc.invalid",
            "A.fly-rpc.invalid",
            " a.fly-rpc.invalid",
            "-a.fly-rpc.invalid",
            "a.fly-rpc.invalid.",
            "a.fly-rpc.invalid.example.com",
            "a.FLY-RPC.invalid",
            "a",
            "",
        ] {
            let refused = named(&[dns(name)]);
            assert_eq!(
                refused,
                Err(CertificateRefused::NotNodeName { name: name.into() })
            );
        }
    }

    #[test]
    fn a_long_wrong_name_is_cut() {
        let Err(CertificateRefused::NotNodeName { name }) = named(&[dns(&"a".repeat(10_000))])
        else {
            panic!("refused for another reason");
        };
        assert_eq!(name.len(), SHOWN_NAME);
    }

    #[test]
    fn a_wildcard_is_refused() {
        for name in ["*.fly-rpc.invalid", "a*.fly-rpc.invalid", "*"] {
            assert_eq!(named(&[dns(name)]), Err(CertificateRefused::Wildcard));
        }
    }

    #[test]
    fn a_second_name_of_any_kind_is_refused() {
        let good = dns("a.fly-rpc.invalid");
        for other in [
            good.clone(),
            dns("b.fly-rpc.invalid"),
            dns("*.fly-rpc.invalid"),
            dns("not a name"),
            SanType::IpAddress([127, 0, 0, 1].into()),
            SanType::URI("spiffe://a/b".try_into().unwrap()),
            SanType::Rfc822Name("a@b".try_into().unwrap()),
            SanType::OtherName((vec![1, 2, 3], rcgen::OtherNameValue::Utf8String("x".into()))),
        ] {
            for names in [[good.clone(), other.clone()], [other, good.clone()]] {
                assert_eq!(
                    named(&names),
                    Err(CertificateRefused::SeveralNames),
                    "{names:?}"
                );
            }
        }
    }

    #[test]
    fn a_single_name_that_is_not_dns_is_refused() {
        for name in [
            SanType::IpAddress([127, 0, 0, 1].into()),
            SanType::URI("spiffe://a/b".try_into().unwrap()),
            SanType::Rfc822Name("a.fly-rpc.invalid".try_into().unwrap()),
        ] {
            assert_eq!(named(&[name]), Err(CertificateRefused::NotDnsName));
        }
    }

    #[test]
    fn no_name_is_refused_however_it_is_absent() {
        assert_eq!(named(&[]), Err(CertificateRefused::NoName));
        let empty = certificate(|params| {
            let names = CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x00]);
            params.custom_extensions = vec![names];
        });
        assert_eq!(peer_node_id(&[empty]), Err(CertificateRefused::NoName));
        assert_eq!(peer_node_id(&[]), Err(CertificateRefused::Missing));
    }

    #[test]
    fn a_repeated_extension_is_malformed() {
        let leaf = certificate(|params| {
            params.subject_alt_names = vec![dns("a.fly-rpc.invalid")];
            let again = [&[0x30, 0x13, 0x82, 0x11][..], b"b.fly-rpc.invalid"].concat();
            params.custom_extensions =
                vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], again)];
        });
        assert_eq!(peer_node_id(&[leaf]), Err(CertificateRefused::Malformed));
    }

    #[test]
    fn no_cut_or_changed_certificate_panics() {
        let leaf = certificate(|params| params.subject_alt_names = vec![dns("a.fly-rpc.invalid")]);
        for at in 0..leaf.len() {
            let cut = CertificateDer::from(leaf[..at].to_vec());
            assert_eq!(
                peer_node_id(&[cut]),
                Err(CertificateRefused::Malformed),
                "cut at {at}"
            );
            for flip in 1..=u8::MAX {
                let mut changed = leaf.to_vec();
                changed[at] ^= flip;
                let _ = peer_node_id(&[changed.into()]);
            }
        }
    }
}
