//! The cluster's certificate authority, which exists for moments only: whenever a process needs a
//! leaf.
//!
//! Every member can derive its key from the cluster secret, so what it signs proves *membership*,
//! not which member. The key is dropped as soon as the leaf is minted; renewal derives it again.
//! Nothing in the authority's certificate names the cluster, because any stranger gets to see what
//! it signs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::sign::CertifiedKey;

use crate::name::NodeId;

use super::certificate::dns_name;
use super::error::IdentityError;
use super::key::Ed25519Key;
use super::life::{Life, LifeKey};
use super::material::{Material, Renewal};
use super::secret::ClusterSecret;

/// What makes a process a member: the secret that it presents, one that it also accepts, and the
/// cluster's name.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) current: ClusterSecret,
    pub(super) previous: Option<ClusterSecret>,
    pub(super) cluster: String,
}

impl Membership {
    /// Mints a leaf for `node`, in this life of it, that is valid at `now`, under the current secret;
    /// both secrets' leaves are trusted.
    pub(super) fn mint(
        &self,
        node: &NodeId,
        life: Option<&Life>,
        now: SystemTime,
    ) -> Result<Material, IdentityError> {
        let current = Authority::derive(&self.current, &self.cluster)?;
        let mut roots = vec![current.trust_anchor()?];
        if let Some(previous) = &self.previous {
            roots.push(Authority::derive(previous, &self.cluster)?.trust_anchor()?);
        }
        let seal = |life| life_key(&self.current, &self.cluster).seal(node, life);
        let sealed = life.and_then(seal);
        let (certified, renewal) = current.mint(node, sealed, now)?;
        Ok(Material {
            node: node.clone(),
            certified: Arc::new(certified),
            roots,
            renewal: Some(renewal),
        })
    }

    /// The life of `node` that another member sealed, under either secret.
    pub(super) fn open_life(&self, node: &NodeId, sealed: &[u8]) -> Option<Life> {
        let mut secrets = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten();
        secrets.find_map(|secret| life_key(secret, &self.cluster).open(node, sealed))
    }
}

/// What members of one cluster with one secret seal lives with.
pub(super) fn life_key(secret: &ClusterSecret, cluster: &str) -> LifeKey {
    LifeKey::new(&secret.derive(LIVES, cluster, EPOCH))
}

/// The authority of one secret and one cluster, with its key.
struct Authority(Issuer<'static, Ed25519Key>);

impl Authority {
    fn derive(secret: &ClusterSecret, cluster: &str) -> Result<Self, IdentityError> {
        let seed = secret.derive(PURPOSE, cluster, EPOCH);
        let key = Ed25519Key::from_seed(&seed).map_err(mint_error)?;
        Ok(Self(Issuer::new(authority_params(), key)))
    }

    /// What peers compare a chain with: the authority's constant name and its public key.
    fn trust_anchor(&self) -> Result<TrustAnchor<'static>, IdentityError> {
        let certificate = authority_params()
            .self_signed(self.0.key())
            .map_err(mint_error)?;
        let anchor = webpki::anchor_from_trusted_cert(certificate.der()).map_err(mint_error)?;
        Ok(anchor.to_owned())
    }

    /// Signs a leaf with a fresh key that never leaves this process.
    fn mint(
        &self,
        node: &NodeId,
        sealed_life: Option<String>,
        now: SystemTime,
    ) -> Result<(CertifiedKey, Renewal), IdentityError> {
        let since_epoch = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .filter(|since| *since < LATEST)
            .ok_or(IdentityError::Clock)?;
        let not_before = since_epoch.saturating_sub(BACKDATED);

        let mut params = leaf_params(node, sealed_life)?;
        params.not_before = date_time_ymd(1970, 1, 1) + not_before;
        params.not_after = date_time_ymd(1970, 1, 1) + since_epoch + LIFETIME;

        let key = Ed25519Key::random().map_err(mint_error)?;
        let leaf: CertificateDer<'static> =
            params.signed_by(&key, &self.0).map_err(mint_error)?.into();
        let renewal = Renewal {
            minted: now,
            not_before: SystemTime::UNIX_EPOCH + not_before,
            due: now + RENEWED_AFTER,
        };
        Ok((CertifiedKey::new(vec![leaf], key.into_signing()), renewal))
    }
}

fn authority_params() -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, SUBJECT);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(
    node: &NodeId,
    sealed_life: Option<String>,
) -> Result<CertificateParams, IdentityError> {
    let name = dns_name(node).try_into().map_err(mint_error)?;
    let mut params = CertificateParams::default();
    params.serial_number = Some(random_serial());
    params.distinguished_name = DistinguishedName::new();
    if let Some(sealed) = sealed_life {
        let sealed = sealed.try_into().map_err(mint_error)?;
        let place = DnType::CustomDnType(DN_QUALIFIER.to_vec());
        params
            .distinguished_name
            .push(place, DnValue::PrintableString(sealed));
    }
    params.subject_alt_names = vec![SanType::DnsName(name)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    Ok(params)
}

/// A serial number that nobody else has, of 16 bytes in every leaf: a number whose length varied
/// would vary the length of handshakes, and with it when their packets are sent.
fn random_serial() -> SerialNumber {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes);
    // Neither negative nor with a zero in front (RFC 5280 §4.1.2.2).
    bytes[0] = 0x40 | (bytes[0] & 0x3f);
    bytes.to_vec().into()
}

fn mint_error(source: impl std::error::Error + Send + Sync + 'static) -> IdentityError {
    IdentityError::Mint {
        source: Box::new(source),
    }
}

/// What the key that is derived from the secret is for. Another purpose gives an unrelated key.
const PURPOSE: &str = "cluster authority";

/// What the other key is for, which lives are sealed with.
const LIVES: &str = "life in certificates";

/// The generation of the derivations. It is raised if what the keys sign or seal ever changes its
/// meaning, so that old signatures do not count as new ones. A change of the secret does not need it.
const EPOCH: u32 = 1;

/// The authority's whole name: the same for every cluster, because every stranger reads it in a
/// leaf.
const SUBJECT: &str = "fly-rpc";

/// The attribute of a leaf's subject that says which life of the node has it.
const DN_QUALIFIER: [u64; 4] = [2, 5, 4, 46];

/// How far a leaf's validity begins in the past: the clock skew between two machines that is
/// forgiven.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// How long a leaf is valid: there is no revocation, so this is for how long a leaked leaf key is
/// of use.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// When a leaf is renewed: at two thirds, so that a failed renewal has 8 hours to be noticed and
/// repeated.
const RENEWED_AFTER: Duration = Duration::from_secs(LIFETIME.as_secs() * 2 / 3);

/// 9000-01-01, well before the end of what a certificate's dates can express (RFC 5280 §4.1.2.5).
const LATEST: Duration = Duration::from_secs(221_845_392_000);

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData;

    use super::*;

    fn secret() -> ClusterSecret {
        "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
            .parse()
            .unwrap()
    }

    #[test]
    fn every_process_derives_the_same_authority() {
        let anchor = |cluster| {
            Authority::derive(&secret(), cluster)
                .unwrap()
                .trust_anchor()
                .unwrap()
        };
        assert_eq!(anchor("shop"), anchor("shop"));
        assert_ne!(anchor("shop"), anchor("shop2"));
        assert_eq!(anchor("shop").subject, anchor("shop2").subject);
    }

    // The seed computed with Python's `hmac`, its public key with OpenSSL.
    #[test]
    fn the_authority_of_a_secret_is_the_golden_one() {
        let authority = Authority::derive(&secret(), "default").unwrap();
        let key = authority.0.key().der_bytes().iter();
        let hex: String = key.map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "35fb34ff3df6e214d07db66b3622e90cfad8554b242de8f97b4623d94d17a5c4"
        );
    }

    #[test]
    fn the_leaf_key_is_fresh_and_not_the_authority_s() {
        let authority = Authority::derive(&secret(), "shop").unwrap();
        let leaf_key = || {
            let (certified, _) = authority
                .mint(&NodeId::from("a"), None, SystemTime::now())
                .unwrap();
            certified.keys_match().unwrap();
            certified.key.public_key().unwrap().as_ref().to_vec()
        };
        let (one, two) = (leaf_key(), leaf_key());
        assert_ne!(one, two);
        assert!(!one.ends_with(authority.0.key().der_bytes()));
    }

    #[test]
    fn nothing_in_a_leaf_names_the_cluster_or_shows_the_secret() {
        let authority = Authority::derive(&secret(), "a-telling-name").unwrap();
        let (certified, _) = authority
            .mint(&NodeId::from("node"), None, SystemTime::now())
            .unwrap();
        let seed = secret().derive(PURPOSE, "a-telling-name", EPOCH);
        let leaf = certified.cert[0].as_ref();
        for hidden in [b"a-telling-name".as_slice(), &seed[..]] {
            assert!(!leaf.windows(hidden.len()).any(|window| window == hidden));
        }
    }

    #[test]
    fn a_clock_that_certificates_cannot_express_is_an_error() {
        let authority = Authority::derive(&secret(), "shop").unwrap();
        let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let after_9000 = SystemTime::UNIX_EPOCH + LATEST;
        for now in [before_1970, after_9000] {
            let result = authority.mint(&NodeId::from("a"), None, now);
            assert!(matches!(result, Err(IdentityError::Clock)));
        }
        let (_, renewal) = authority
            .mint(&NodeId::from("a"), None, SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(renewal.not_before, SystemTime::UNIX_EPOCH);
    }
}
