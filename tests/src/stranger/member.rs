//! A member that is no node: it has the secret, serves nothing, and says of itself what it likes.

use fly_rpc::{ClusterSecret, Limits};
use fly_rpc_transport::{Endpoint, Status};

use crate::peer::{Fixed, lone};

/// A member whose certificate names `certified`, and whose hello says `node`. Must be made on a runtime.
///
/// # Panics
/// If there is no free port.
pub fn member(secret: &ClusterSecret, cluster: &str, certified: &str, node: &str) -> Endpoint {
    let nothing = Fixed::new(Status::UnknownFunction, b"");
    lone(
        secret,
        cluster,
        [certified, node],
        Vec::new(),
        Limits::default(),
        nothing,
    )
}
