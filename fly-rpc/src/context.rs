//! What a function may know of the call that it serves.

use fly_rpc_transport::{NodeId, Region};
use tokio::time::{Duration, Instant};

/// Who calls, and until when. A function takes it with `#[context] context: &CallContext`; it
/// appears neither in the stub nor on the wire.
///
/// What the caller says of itself (its id is proved by its certificate, its region is not) may
/// guide preference, never authorization.
#[derive(Clone, Debug)]
pub struct CallContext {
    pub(crate) caller: NodeId,
    pub(crate) caller_region: Region,
    pub(crate) deadline: Instant,
    pub(crate) version: u32,
}

impl CallContext {
    /// The node that called. For a call that never left this process, this node.
    pub fn caller(&self) -> &NodeId {
        &self.caller
    }

    /// The region that the caller says it runs in.
    pub fn caller_region(&self) -> &Region {
        &self.caller_region
    }

    /// When the caller stops waiting, by this node's clock.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The version of the function that was called.
    pub fn version(&self) -> u32 {
        self.version
    }
}
