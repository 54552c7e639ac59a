//! Somebody's own PKI, good and bad: an authority that signs whatever it is asked to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::identity::Identity;

/// An authority outside the library.
pub(super) struct Pki {
    issuer: Issuer<'static, KeyPair>,
    root: String,
}

impl Pki {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            root,
        }
    }

    /// The root certificate as PEM.
    pub(super) fn root(&self) -> &[u8] {
        self.root.as_bytes()
    }

    /// Signs a leaf that is as it should be, but for what `change` changes.
    pub(super) fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        self.leaf_with(KeyPair::generate().unwrap(), change)
    }

    /// The same with a key of the caller's choice.
    pub(super) fn leaf_with(
        &self,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let mut params = node_params("node");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            chain: certificate.pem(),
            der: certificate.der().clone(),
            key,
        }
    }

    /// Signs an authority below this one, whose leaves bring its certificate along.
    pub(super) fn intermediate(&self, name: &str) -> (Self, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let below = Self {
            issuer: Issuer::new(params, key),
            root: self.root.clone(),
        };
        (below, certificate)
    }

    /// The identity of a well-formed leaf for `node`.
    pub(super) fn identity(&self, node: &str) -> Identity {
        let leaf = self.leaf(|params| params.subject_alt_names = vec![dns(node)]);
        Identity::from_pem(leaf.chain(), &leaf.key(), self.root()).unwrap()
    }
}

/// A signed leaf and its key.
pub(super) struct Leaf {
    pub(super) chain: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Leaf {
    pub(super) fn chain(&self) -> &[u8] {
        self.chain.as_bytes()
    }

    pub(super) fn key(&self) -> Vec<u8> {
        self.key.serialize_pem().into_bytes()
    }

    /// What a process presents that does not check its own certificate.
    pub(super) fn presented(
        &self,
        intermediates: &[CertificateDer<'static>],
    ) -> Arc<rustls::sign::SingleCertAndKey> {
        let key = any_supported_type(&PrivateKeyDer::try_from(self.key.serialize_der()).unwrap())
            .unwrap();
        let chain = [std::slice::from_ref(&self.der), intermediates].concat();
        Arc::new(CertifiedKey::new(chain, key).into())
    }
}

/// The parameters of a leaf for `node` that is as it should be.
fn node_params(node: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![dns(node)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params
}

/// The one name of a node's certificate.
pub(super) fn dns(node: &str) -> SanType {
    SanType::DnsName(format!("{node}.fly-rpc.invalid").try_into().unwrap())
}

/// Makes a leaf valid from and until so many seconds from now.
pub(super) fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    let at = |offset: i64| {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(now.saturating_add_signed(offset))
    };
    params.not_before = at(from);
    params.not_after = at(until);
}
