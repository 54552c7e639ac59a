//! Who this node is and whom it trusts: a certificate with its key, and the roots that peers'
//! chains must end in.
//!
//! There are two sources. From the *cluster secret* every process derives the same authority and
//! mints itself a short-lived leaf: one secret to distribute, no files; it proves that the holder
//! is a member, not which one, since every member can mint any name. From one's *own PKI* come a
//! chain, a key and roots as PEM: there a node's name means something, and one node can be shut out
//! by not renewing its certificate.
//!
//! Either way an [`Identity`] is a shared handle. The TLS configurations made from it ask it at
//! each handshake, so what is renewed or reloaded is used by the next connection, and nothing is
//! rebuilt.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use crate::lock::lock;
use crate::name::NodeId;

mod authority;
mod certificate;
mod der;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod life;
mod material;
mod pem;
mod present;
mod refused;
mod secret;
mod verify;

#[cfg(test)]
mod tests;

use authority::Membership;
use material::Material;
use pem::PemFiles;

pub use error::IdentityError;
pub use refused::CertificateRefused;
pub use secret::{ClusterSecret, SecretError};

pub(crate) use certificate::peer_node_id;
pub(crate) use life::Life;
pub(crate) use present::Presented;
pub(crate) use refused::KeptReason;
pub(crate) use verify::PeerVerifier;

/// A node's identity. Clones share it: what one of them renews or reloads, all of them present.
///
/// A node keeps its name for as long as the identity lives. In its certificate the name is the only
/// subject alternative name: `<node-id>.fly-rpc.invalid`.
///
/// # Examples
///
/// ```
/// # use fly_rpc_transport::{ClusterSecret, Identity, NodeId};
/// let secret = ClusterSecret::generate();
/// let identity = Identity::from_secret(secret, None, "shop", &NodeId::from("node-1"))?;
/// assert_eq!(identity.node_id(), NodeId::from("node-1"));
/// # Ok::<(), fly_rpc_transport::IdentityError>(())
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

struct Shared {
    node: NodeId,
    source: Source,
    /// What the certificate says beside the name. Kept while one is minted, so that none is that says
    /// less.
    life: Mutex<Option<Life>>,
    material: RwLock<Arc<Material>>,
}

/// Where the next material comes from.
enum Source {
    Secret(Membership),
    Files(PemFiles),
    Pem,
}

impl Identity {
    /// The identity of a member: mints a leaf for `node` under the authority of `current` and
    /// `cluster`, by the system's clock.
    ///
    /// Peers are accepted if their leaf comes from `current` or from `previous`, which is how a
    /// secret is changed with no interruption: give all nodes the new one as `previous`, then swap
    /// the two, then drop the old one.
    ///
    /// # Errors
    ///
    /// If `node` is malformed, or the clock is out of bounds.
    pub fn from_secret(
        current: ClusterSecret,
        previous: Option<ClusterSecret>,
        cluster: &str,
        node: &NodeId,
    ) -> Result<Self, IdentityError> {
        Self::from_secret_at(current, previous, cluster, node, SystemTime::now())
    }

    /// [`from_secret`](Self::from_secret) at a time that the caller names. Peers judge the leaf by
    /// their own clocks.
    ///
    /// # Errors
    ///
    /// If `node` is malformed, or the time is out of bounds.
    pub fn from_secret_at(
        current: ClusterSecret,
        previous: Option<ClusterSecret>,
        cluster: &str,
        node: &NodeId,
        now: SystemTime,
    ) -> Result<Self, IdentityError> {
        let node: NodeId = node.as_str().parse()?;
        let membership = Membership {
            current,
            previous,
            cluster: cluster.to_owned(),
        };
        let material = membership.mint(&node, None, now)?;
        Ok(Self::new(Source::Secret(membership), material))
    }

    /// The identity that one's own PKI gives, as PEM: the certificate chain with the leaf first,
    /// the leaf's private key, and the roots that peers' chains must end in.
    ///
    /// The leaf needs exactly one subject alternative name, the DNS name
    /// `<node-id>.fly-rpc.invalid`; the extended key usages of a client and of a server; and must
    /// be no authority.
    ///
    /// # Errors
    ///
    /// If a text is not what it should be, the key is not the leaf's, or the chain would be refused
    /// by a peer that has the same roots: expired, another name, not signed by a root.
    pub fn from_pem(chain: &[u8], key: &[u8], roots: &[u8]) -> Result<Self, IdentityError> {
        let material = pem::load(chain, key, roots, SystemTime::now())?;
        Ok(Self::new(Source::Pem, material))
    }

    /// [`from_pem`](Self::from_pem) from three files, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    ///
    /// As of `from_pem`, or if a file cannot be read.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
        roots: impl AsRef<Path>,
    ) -> Result<Self, IdentityError> {
        let files = PemFiles {
            chain: chain.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            roots: roots.as_ref().to_owned(),
        };
        let material = files.load(SystemTime::now())?;
        Ok(Self::new(Source::Files(files), material))
    }

    /// The name in the certificate.
    pub fn node_id(&self) -> NodeId {
        self.0.node.clone()
    }

    /// Reads the files of [`from_pem_files`](Self::from_pem_files) again. Connections that exist
    /// are not touched.
    ///
    /// # Errors
    ///
    /// As of `from_pem_files`, if the certificate names another node, or if there are no files.
    /// What was there before then stays in use.
    pub fn reload(&self) -> Result<(), IdentityError> {
        match &self.0.source {
            Source::Files(files) => self.replace(files.load(SystemTime::now())?),
            Source::Secret(_) | Source::Pem => Err(IdentityError::NotFromFiles),
        }
    }

    /// Replaces what [`from_pem`](Self::from_pem) was given. Connections that exist are not
    /// touched.
    ///
    /// # Errors
    ///
    /// As of `from_pem`, if the certificate names another node, or if the identity comes from a
    /// cluster secret. What was there before then stays in use.
    pub fn replace_pem(&self, chain: &[u8], key: &[u8], roots: &[u8]) -> Result<(), IdentityError> {
        match &self.0.source {
            Source::Files(_) | Source::Pem => {
                self.replace(pem::load(chain, key, roots, SystemTime::now())?)
            }
            Source::Secret(_) => Err(IdentityError::NotFromPem),
        }
    }

    /// When the leaf is to be [renewed](Self::renew): two thirds into its life. `None` for a
    /// certificate from one's own PKI, which somebody else renews.
    pub fn renew_at(&self) -> Option<SystemTime> {
        self.material().renewal.map(|renewal| renewal.due)
    }

    /// Mints a new leaf if that is due at `now`, and returns when it is due next.
    ///
    /// Timers do not run while a machine is suspended, and clocks are set back: ask every few
    /// minutes rather than sleep until then. Asking early is free. Connections that exist are not
    /// touched.
    ///
    /// # Errors
    ///
    /// If minting fails; the old leaf then stays in use, and there are hours to try again.
    pub fn renew(&self, now: SystemTime) -> Result<Option<SystemTime>, IdentityError> {
        let life = lock(&self.0.life);
        let is_due = self
            .material()
            .renewal
            .is_some_and(|renewal| renewal.is_due(now));
        if let Source::Secret(membership) = &self.0.source
            && is_due
        {
            self.replace(membership.mint(&self.0.node, life.as_ref(), now)?)?;
        }
        Ok(self.renew_at())
    }

    /// From now on the certificate says this, and to members only: which life of the node has it, so that
    /// who dials the node knows that before its hello. One from one's own PKI says what it says.
    pub(crate) fn live(&self, life: Option<Life>) -> Result<(), IdentityError> {
        let mut current = lock(&self.0.life);
        if *current == life {
            return Ok(());
        }
        let (Source::Secret(membership), Some(renewal)) = (&self.0.source, self.material().renewal)
        else {
            return Ok(());
        };
        self.replace(membership.mint(&self.0.node, life.as_ref(), renewal.minted)?)?;
        *current = life;
        Ok(())
    }

    /// The life of `node` that the certificate of a verified chain, leaf first, is of; `None` if it does
    /// not say.
    pub(crate) fn life_of(&self, node: &NodeId, chain: &[CertificateDer<'_>]) -> Option<Life> {
        let Source::Secret(membership) = &self.0.source else {
            return None;
        };
        membership.open_life(node, certificate::sealed_life(chain)?)
    }

    fn new(source: Source, material: Material) -> Self {
        Self(Arc::new(Shared {
            node: material.node.clone(),
            source,
            life: Mutex::default(),
            material: RwLock::new(Arc::new(material)),
        }))
    }

    /// What is presented and trusted at this moment.
    fn material(&self) -> Arc<Material> {
        // The lock guards one pointer that is replaced as a whole, so a panic elsewhere cannot have
        // left it half done.
        Arc::clone(
            &self
                .0
                .material
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn replace(&self, material: Material) -> Result<(), IdentityError> {
        if material.node != self.0.node {
            return Err(IdentityError::OtherNode {
                node: self.node_id(),
                found: material.node,
            });
        }
        *self
            .0
            .material
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0.source {
            Source::Secret(_) => "cluster secret",
            Source::Files(_) => "PEM files",
            Source::Pem => "PEM",
        };
        f.debug_struct("Identity")
            .field("node", &self.0.node)
            .field("source", &source)
            .finish_non_exhaustive()
    }
}
