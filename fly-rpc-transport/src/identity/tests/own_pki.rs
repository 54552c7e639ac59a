//! An identity from files: what is refused at once, and what a reload changes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use rustls::pki_types::UnixTime;

use crate::identity::{CertificateRefused, Identity, IdentityError};
use crate::name::NodeId;
use crate::tls::{client_config, server_config};

use super::handshake::{At, meet, shake_hands};
use super::pki::{Leaf, Pki, dns, valid};

/// Three PEM files in a directory that is removed in the end.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("fly-rpc-{}", NodeId::random()));
        fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, pki: &Pki, leaf: &Leaf) {
        fs::write(self.path("chain.pem"), leaf.chain()).unwrap();
        fs::write(self.path("key.pem"), leaf.key()).unwrap();
        fs::write(self.path("roots.pem"), pki.root()).unwrap();
    }

    fn identity(&self) -> Result<Identity, IdentityError> {
        Identity::from_pem_files(
            self.path("chain.pem"),
            self.path("key.pem"),
            self.path("roots.pem"),
        )
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn the_node_id_is_the_one_in_the_certificate() {
    let identity = Pki::new("root").identity("node-7");
    assert_eq!(identity.node_id(), NodeId::from("node-7"));
    assert_eq!(identity.renew_at(), None);
    assert_eq!(identity.renew(SystemTime::now()).unwrap(), None);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let pki = Pki::new("root");
    let (leaf, other) = (pki.leaf(|_| {}), pki.leaf(|_| {}));
    let result = Identity::from_pem(leaf.chain(), &other.key(), pki.root());
    assert!(
        matches!(result, Err(IdentityError::KeyMismatch)),
        "{result:?}"
    );
}

#[test]
fn a_text_without_its_block_is_named() {
    let pki = Pki::new("root");
    let leaf = pki.leaf(|_| {});
    let (chain, key, roots) = (leaf.chain(), leaf.key(), pki.root());
    let cut = &chain[..chain.len() / 2];

    for not_a_chain in [b"", key.as_slice(), cut] {
        let result = Identity::from_pem(not_a_chain, &key, roots);
        assert!(matches!(result, Err(IdentityError::NoChain)), "{result:?}");
    }
    let result = Identity::from_pem(chain, roots, roots);
    assert!(matches!(result, Err(IdentityError::NoKey)), "{result:?}");
    let result = Identity::from_pem(chain, &key, b"nothing");
    assert!(matches!(result, Err(IdentityError::NoRoots)), "{result:?}");
}

#[test]
fn blocks_of_garbage_are_errors() {
    let pki = Pki::new("root");
    let leaf = pki.leaf(|_| {});
    let block = |label: &str| {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
    };
    let (certificate, key) = (block("CERTIFICATE"), block("PRIVATE KEY"));

    let result = Identity::from_pem(&certificate, &leaf.key(), pki.root());
    assert!(
        matches!(
            result,
            Err(IdentityError::Refused(CertificateRefused::Malformed))
        ),
        "{result:?}"
    );
    let result = Identity::from_pem(leaf.chain(), &key, pki.root());
    assert!(matches!(result, Err(IdentityError::KeyKind)), "{result:?}");
    let roots = [pki.root(), &certificate].concat();
    let result = Identity::from_pem(leaf.chain(), &leaf.key(), &roots);
    assert!(
        matches!(result, Err(IdentityError::Root { number: 2 })),
        "{result:?}"
    );
}

#[test]
fn a_chain_that_ends_in_no_root_is_refused() {
    let leaf = Pki::new("root").leaf(|_| {});
    let result = Identity::from_pem(leaf.chain(), &leaf.key(), Pki::new("root").root());
    assert!(
        matches!(
            result,
            Err(IdentityError::Refused(CertificateRefused::UnknownIssuer))
        ),
        "{result:?}"
    );
}

#[test]
fn no_error_shows_a_key() {
    let pki = Pki::new("root");
    let (leaf, other) = (pki.leaf(|_| {}), pki.leaf(|_| {}));
    let key = String::from_utf8(other.key()).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let broken = key.replace("-----END", "*");
    for key in [key.as_str(), &broken] {
        let error = Identity::from_pem(leaf.chain(), key.as_bytes(), pki.root()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn a_certificate_that_expires_in_use_is_refused_by_peers() {
    let pki = Pki::new("root");
    let leaf = pki.leaf(|params| valid(params, -60, 60));
    let identity = Identity::from_pem(leaf.chain(), &leaf.key(), pki.root()).unwrap();
    let peer = pki.identity("peer");
    meet(&peer, &identity).unwrap();

    let in_two_minutes = SystemTime::now() + Duration::from_secs(120);
    let now = in_two_minutes
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let mut client = client_config(&peer, None);
    client.time_provider = Arc::new(At(UnixTime::since_unix_epoch(now)));
    let failed = shake_hands(client, server_config(&identity)).unwrap_err();
    assert!(
        matches!(failed.reason(), CertificateRefused::Expired { .. }),
        "{failed:?}"
    );
}

#[test]
fn a_reload_is_used_by_the_next_handshake() {
    let (old, new) = (Pki::new("old"), Pki::new("new"));
    let files = Files::new();
    files.write(&old, &old.leaf(|_| {}));
    let identity = files.identity().unwrap();
    let server = server_config(&identity);
    let dial = |peer: &Identity| shake_hands(client_config(peer, None), server.clone());
    dial(&old.identity("peer")).unwrap();

    files.write(&new, &new.leaf(|_| {}));
    assert!(dial(&new.identity("peer")).is_err());
    identity.reload().unwrap();
    dial(&new.identity("peer")).unwrap();
    assert!(dial(&old.identity("peer")).is_err());
}

#[test]
fn a_failed_reload_leaves_the_old_certificate_in_place() {
    let pki = Pki::new("root");
    let files = Files::new();
    files.write(&pki, &pki.leaf(|_| {}));
    let identity = files.identity().unwrap();
    let still_works = || meet(&pki.identity("peer"), &identity).unwrap();

    files.write(
        &pki,
        &pki.leaf(|params| params.subject_alt_names = vec![dns("other")]),
    );
    let result = identity.reload();
    assert!(
        matches!(result, Err(IdentityError::OtherNode { .. })),
        "{result:?}"
    );
    still_works();

    files.write(&pki, &pki.leaf(|params| valid(params, -120, -60)));
    let result = identity.reload();
    assert!(
        matches!(
            result,
            Err(IdentityError::Refused(CertificateRefused::Expired { .. }))
        ),
        "{result:?}"
    );
    still_works();

    fs::remove_file(files.path("key.pem")).unwrap();
    let error = identity.reload().unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
    still_works();
}

#[test]
fn pem_in_memory_is_replaced_and_not_reloaded() {
    let (old, new) = (Pki::new("old"), Pki::new("new"));
    let identity = old.identity("node");
    assert!(matches!(
        identity.reload(),
        Err(IdentityError::NotFromFiles)
    ));

    let leaf = new.leaf(|_| {});
    identity
        .replace_pem(leaf.chain(), &leaf.key(), new.root())
        .unwrap();
    meet(&identity, &new.identity("peer")).unwrap();
}

#[test]
fn several_roots_are_all_trusted() {
    let (old, new) = (Pki::new("old"), Pki::new("new"));
    let leaf = old.leaf(|_| {});
    let roots = [old.root(), new.root()].concat();
    let both = Identity::from_pem(leaf.chain(), &leaf.key(), &roots).unwrap();
    let new = new.leaf(|params| params.subject_alt_names = vec![dns("peer")]);
    let peer = Identity::from_pem(new.chain(), &new.key(), &roots).unwrap();
    meet(&both, &peer).unwrap();
    meet(&peer, &both).unwrap();
}

#[test]
fn keys_of_the_usual_kinds_are_taken() {
    for algorithm in [
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
    ] {
        let pki = Pki::new("root");
        let leaf = pki.leaf_with(KeyPair::generate_for(algorithm).unwrap(), |_| {});
        let identity = Identity::from_pem(leaf.chain(), &leaf.key(), pki.root()).unwrap();
        meet(&identity, &pki.identity("peer")).unwrap();
    }
}
