//! Authorities that sign whatever they are asked to: a cluster's own, in the wrong hands, and others.

use std::time::{Duration, SystemTime};

use fly_rpc::ClusterSecret;
use hkdf::Hkdf;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::Sha256;

/// An authority with its key.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: String,
}

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Leaf {
    /// The leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// An authority that no node knows, unless it is told.
    pub fn unknown(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self::new(name, IsCa::Ca(BasicConstraints::Unconstrained), key)
    }

    /// The authority that the nodes of a cluster trust.
    pub fn of_cluster(secret: &ClusterSecret, cluster: &str) -> Self {
        let encoded = [&PKCS8_ED25519[..], &derived_key(secret, AUTHORITY, cluster)].concat();
        let key = PrivatePkcs8KeyDer::from(encoded);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519).expect("a seed");
        Self::new("fly-rpc", IsCa::Ca(BasicConstraints::Constrained(0)), key)
    }

    fn new(name: &str, is_ca: IsCa, key: KeyPair) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = is_ca;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            root,
        }
    }

    /// Signs the leaf of `node`, as it should be but for what `change` changes.
    pub fn leaf(&self, node: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(node, change).signed_by(&key, &self.issuer);
        Leaf::new(certificate.expect("a certificate").der().clone(), &key)
    }

    /// An authority below this one, and its certificate.
    pub fn below(&self, name: &str) -> (Self, CertificateDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let below = Self {
            issuer: Issuer::new(params, key),
            root: self.root.clone(),
        };
        (below, certificate.der().clone())
    }

    /// A member's certificate, its key and the root, as PEM.
    pub fn pem(&self, node: &str) -> (String, String, String) {
        let key = KeyPair::generate().expect("a key");
        let leaf = params(node, |_| {}).signed_by(&key, &self.issuer);
        let chain = leaf.expect("a certificate").pem();
        (chain, key.serialize_pem(), self.root.clone())
    }
}

impl Leaf {
    /// A leaf that nobody signed but its own key.
    pub fn self_signed(node: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(node, |_| {}).self_signed(&key);
        Self::new(certificate.expect("a certificate").der().clone(), &key)
    }

    /// The same leaf, behind it other certificates.
    pub fn with(mut self, others: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.chain.extend(others);
        self
    }

    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate],
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("its own encoding"),
        }
    }
}

/// A key of a cluster, such as the seed of that which its authority signs with, derived anew from its definition:
/// HKDF-SHA256 (RFC 5869) of the secret, bound to what the key is for, to the cluster's name and to an epoch.
pub fn derived_key(secret: &ClusterSecret, purpose: &str, cluster: &str) -> [u8; 32] {
    let secret = crate::secrets::bytes_of(secret);
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(b"fly-rpc/1 cluster secret"), &secret)
        .expand_multi_info(
            &[
                &(purpose.len() as u64).to_be_bytes(),
                purpose.as_bytes(),
                &(cluster.len() as u64).to_be_bytes(),
                cluster.as_bytes(),
                &1_u32.to_be_bytes(),
            ],
            &mut key,
        )
        .expect("32 bytes are few");
    key
}

/// The one name of a node's certificate.
pub fn dns(node: &str) -> SanType {
    let name = format!("{node}.fly-rpc.invalid");
    SanType::DnsName(name.try_into().expect("ASCII"))
}

/// Makes a leaf valid from and until so many seconds from now.
pub fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let at =
        |offset| date_time_ymd(1970, 1, 1) + Duration::from_secs(now.saturating_add_signed(offset));
    params.not_before = at(from);
    params.not_after = at(until);
}

fn params(node: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![dns(node)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    change(&mut params);
    params
}

/// What stands before the seed in the encoding of an Ed25519 key (RFC 8410 §7).
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What the key is for that a cluster's authority signs with.
pub const AUTHORITY: &str = "cluster authority";
