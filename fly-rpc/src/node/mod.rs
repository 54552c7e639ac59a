//! The node: this process's place in the cluster.

mod builder;
mod dials;
mod drain;
mod inner;
mod peer_info;
mod platform;
mod reach;
mod resources;
mod sources;
mod start;
mod stats;

use std::{collections::BTreeSet, fmt, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use fly_rpc_transport::{NodeId, Region};
use tokio::time::{Instant, timeout_at};

pub use builder::NodeBuilder;
pub(crate) use dials::Dials;
pub use drain::{Cut, DrainReport};
pub(crate) use inner::{Inner, Reading};
pub use peer_info::{BreakerState, FunctionInfo, PeerInfo, PeerState};
pub use stats::NodeStats;

use crate::{
    deadline,
    error::{RpcError, Stage},
    explain::{self, Explanation, FunctionName},
    primary::{PrimaryChanges, PrimaryError, PrimaryView},
    remote::bad_target,
    scope::{self, Current},
    start_error::StartError,
    target::Target,
};

/// A running node. Cheap to clone; all clones are the same node.
///
/// A node serves the program's annotated functions to the other nodes of its cluster, and carries
/// this process's calls to them.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use fly_rpc::Node;
///
/// let node = Node::from_env()?.start().await?;
/// println!("{} in {}", node.id(), node.region());
/// node.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

impl Node {
    /// A builder that does not read the environment.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// A builder with everything that the environment says (the table in the README).
    ///
    /// # Errors
    /// [`StartError`] names the variable, its value and what would be right.
    pub fn from_env() -> Result<NodeBuilder, StartError> {
        // What is not Unicode becomes a value that nothing takes, and is refused by name.
        NodeBuilder::from_env(|variable| {
            Some(std::env::var_os(variable)?.to_string_lossy().into_owned())
        })
    }

    /// This node's id.
    pub fn id(&self) -> &NodeId {
        &self.inner.id
    }

    /// Where this node runs.
    pub fn region(&self) -> &Region {
        &self.inner.region
    }

    /// Where the primary is at this moment. It may move: ask again, or
    /// [wait for it](Self::primary_changes).
    pub fn primary_region(&self) -> &Region {
        self.inner.primary.region()
    }

    /// The same, with the epoch of the move that brought it there.
    pub fn primary(&self) -> PrimaryView {
        self.inner.primary.view()
    }

    /// Tells when this node sees the primary move.
    pub fn primary_changes(&self) -> PrimaryChanges {
        self.inner.primary.changes()
    }

    /// Says by hand that the primary is in `region` now. One node is enough: those that it reaches,
    /// itself or over others, follow, whatever their sources said before. Said on several nodes at
    /// once, the greater view counts ([`PrimaryView`]). What a node says in its hello that was under way
    /// counts as said before. Calls that run go on; where the primary was, later ones are refused, and
    /// follow.
    ///
    /// It holds until a source or a hand says something newer, also when this node restarts, as long
    /// as another one runs that has heard of it. If none of those that say the same is connected for
    /// five seconds, a source that says otherwise prevails.
    ///
    /// # Errors
    /// [`PrimaryError`], and nothing is changed.
    pub fn set_primary_region(
        &self,
        region: impl Into<Region>,
    ) -> Result<PrimaryView, PrimaryError> {
        self.inner.primary.set(&region.into())?;
        Ok(self.primary())
    }

    /// True if this node runs where the primary is.
    pub fn is_primary(&self) -> bool {
        self.inner.region == *self.inner.primary.region()
    }

    /// The address that this node is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.endpoint.local_addr()
    }

    /// Every other node that is connected, or that this node tries to connect.
    pub fn peers(&self) -> Vec<PeerInfo> {
        peer_info::all(&self.inner)
    }

    /// The other nodes of a region that are connected, or known by gossip, and not draining; sorted.
    pub fn region_nodes(&self, region: impl Into<Region>) -> Vec<NodeId> {
        let region = region.into();
        let (links, roster) = (self.inner.endpoint.links(), self.inner.roster());
        let connected = links
            .iter()
            .filter(|link| *link.region() == region && !link.is_draining())
            .map(|link| link.node());
        let known = roster
            .iter()
            .filter(|(_, known)| known.facts().region == region && !known.facts().draining)
            .map(|(node, _)| node);
        let nodes: BTreeSet<&NodeId> = connected.chain(known).collect();
        nodes.into_iter().cloned().collect()
    }

    /// Why a call of `function` to `target`, made now through this node, would go where it goes: every
    /// node that is known, and why it would or would not be called. Nothing is sent.
    ///
    /// The function is named as errors name it, `"create_post@2"`, or without a version, which means
    /// the latest that this program has. The result shows itself as a table.
    ///
    /// ```no_run
    /// # fn example(node: &fly_rpc::Node) {
    /// println!("{}", node.explain("@region(hkg), @nearest", "create_post@2"));
    /// # }
    /// ```
    pub fn explain(
        &self,
        target: impl Into<Target>,
        function: impl Into<FunctionName>,
    ) -> Explanation {
        explain::explain(self, target.into(), &function.into())
    }

    /// Waits until a node of `target`, other than one that drains, is connected; at once if this
    /// node is one.
    ///
    /// # Errors
    /// [`RpcError::Timeout`] after `timeout`, [`RpcError::BadTarget`], and [`RpcError::NotStarted`]
    /// if this node is shut down.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping it.
    pub async fn wait_for(
        &self,
        target: impl Into<Target>,
        timeout: Duration,
    ) -> Result<(), RpcError> {
        let target = target.into();
        if let Some(error) = bad_target(&target) {
            return Err(error);
        }
        let deadline = deadline::after(Instant::now(), timeout, Duration::MAX);
        let mut changes = self.inner.endpoint.changes();
        loop {
            if self.is_stopped() {
                return Err(RpcError::NotStarted);
            }
            if self.inner.knows(&target) {
                return Ok(());
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(RpcError::NotStarted),
                Err(_elapsed) => {
                    return Err(RpcError::Timeout {
                        stage: Stage::FindingNode,
                    });
                }
            }
        }
    }

    /// What this node is busy with at this moment, and what it counted since it started.
    pub fn stats(&self) -> NodeStats {
        NodeStats::of(&self.inner)
    }

    /// What this node serves, sorted by name and version.
    pub fn catalogue(&self) -> Vec<FunctionInfo> {
        peer_info::functions(&self.inner.registry.catalogue())
    }

    /// Makes this node the one that stubs use inside `future`, and inside nothing that it spawns.
    /// Handlers run in their own node's scope without this.
    ///
    /// What it returns borrows nothing from the node.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        scope::within(
            Current {
                node: self.clone(),
                deadline: None,
            },
            future,
        )
    }

    /// Takes no new calls, tells every peer so, and waits until what runs has ended and its answers
    /// have arrived, at most the drain timeout (4 s by default). Calls that running handlers make
    /// still go out, and run here if this is where they belong.
    ///
    /// # Delivery
    /// Calls that arrive from now on are refused with [`RpcError::Draining`], which did not run,
    /// and their callers turn to other nodes. What the report lists as cut was started and is
    /// dropped when the node shuts down; its callers learn that the outcome is unknown.
    ///
    /// # Cancel safety
    /// The node drains from the first poll on; only the waiting ends.
    pub async fn drain(&self) -> DrainReport {
        drain::drain(&self.inner).await
    }

    /// Drains, then closes every connection and frees the socket. Calls through this node fail with
    /// [`RpcError::NotStarted`] from then on.
    ///
    /// # Cancel safety
    /// As for [`drain`](Self::drain); call it again to finish.
    pub async fn shutdown(&self) -> DrainReport {
        let report = self.drain().await;
        if let Some(membership) = &self.inner.membership {
            membership.leave().await;
        }
        self.inner.stop();
        scope::withdraw_default(self);
        self.inner.endpoint.close().await;
        report
    }

    /// Ends the node as a crash does: nothing is finished, and nobody is told.
    #[cfg(feature = "sim")]
    pub(crate) fn abandon(&self) {
        self.inner.stop();
        scope::withdraw_default(self);
        self.inner.endpoint.abandon();
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.inner.is_stopped()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", self.id())
            .field("region", self.region())
            .field("local_addr", &self.local_addr())
            .finish_non_exhaustive()
    }
}
