//! What an identity consists of at one moment: what we present, and whom we trust. Replaced as a
//! whole.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::TrustAnchor;
use rustls::sign::CertifiedKey;

use crate::name::NodeId;

/// The certificate and key that we present, and the roots that a peer's chain must end in.
pub(super) struct Material {
    /// The node that the certificate names.
    pub(super) node: NodeId,
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) roots: Vec<TrustAnchor<'static>>,
    /// When a certificate that we mint ourselves is to be replaced; `None` for one from outside.
    pub(super) renewal: Option<Renewal>,
}

/// The times of a certificate that we minted ourselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    pub(super) minted: SystemTime,
    /// From when it is valid.
    pub(super) not_before: SystemTime,
    /// When the next one should be minted.
    pub(super) due: SystemTime,
}

impl Renewal {
    /// Whether another certificate is needed at `now`. A clock that was set back makes it needed
    /// too.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        now >= self.due || now < self.not_before
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material")
            .field("node", &self.node)
            .field("roots", &self.roots.len())
            .field("renewal", &self.renewal)
            .finish_non_exhaustive()
    }
}
