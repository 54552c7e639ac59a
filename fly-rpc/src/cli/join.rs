//! Finding the cluster and joining it to look: by the environment, as a node does, or as the only one that runs on this
//! machine in development mode.

use std::{collections::BTreeSet, env, net::SocketAddr, sync::Arc, time::Duration};

use fly_rpc_transport::{DialError, Link, Links, NodeId, Region};
use tokio::{
    signal::ctrl_c,
    time::{Instant, timeout, timeout_at},
};

use super::{arguments::Arguments, ask::ask_all, failure::Failure};
use crate::{
    discovery::clusters,
    inquiry::{Known, Question},
    node::{Node, NodeBuilder, PeerInfo},
};

/// A cluster that is looked at.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) node: Node,
    pub(super) cluster: String,
}

impl Joined {
    /// Joins, waits a moment for every node that is known, does `work`, and leaves, whatever came of it.
    ///
    /// # Errors
    /// What is set wrong; nobody is there, or nobody who lets this command in; that it was interrupted; those of `work`.
    pub(super) async fn during<T>(
        arguments: &Arguments,
        work: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let joined = Self::start(arguments).await?;
        let met = async {
            joined.meet(arguments).await?;
            work(&joined).await
        };
        let outcome = tokio::select! {
            biased;
            outcome = met => outcome,
            // Who listens for it may go on without it: then the signal ends the process by itself.
            Ok(()) = ctrl_c() => Err(Failure::interrupted(None)),
        };
        joined.leave().await;
        outcome
    }

    async fn start(arguments: &Arguments) -> Result<Self, Failure> {
        let cluster = match &arguments.cluster {
            Some(cluster) => Some(cluster.clone()),
            None if is_unnamed() => Some(the_only_one()?),
            None => None,
        };
        let builder = NodeBuilder::from_env(|name| match (name, &cluster) {
            ("FLY_RPC_CLUSTER", Some(cluster)) => Some(cluster.clone()),
            // Where it is the nodes say; that it is not set is for `doctor` to say.
            ("PRIMARY_REGION", _) => {
                variable(name).or_else(|| variable("FLY_APP_NAME").map(|_| LOCAL.into()))
            }
            _ => variable(name),
        });
        let builder = builder.map_err(|error| Failure::usage(error.to_string()))?;
        let builder = builder.observer(true).build(BUILD);
        let node = builder.start().await;
        let node = node.map_err(|error| Failure::usage(error.to_string()))?;
        let cluster = node.inner().endpoint.hello().cluster;
        Ok(Self { node, cluster })
    }

    /// Waits for the first node, then for a moment for the others.
    async fn meet(&self, arguments: &Arguments) -> Result<(), Failure> {
        let inner = self.node.inner();
        let mut changes = inner.endpoint.changes();
        let end = Instant::now() + arguments.timeout.unwrap_or(FIRST);
        while self.links().is_empty() {
            tokio::select! {
                biased;
                // Fails only without an endpoint, which is there.
                _ = changes.changed() => {}
                () = inner.first_dials() => break,
                () = tokio::time::sleep_until(end) => break,
            }
        }
        if self.links().is_empty() {
            return Err(self.why_nobody());
        }
        let settled = Instant::now() + OTHERS;
        // Who does not answer in that time is shown as who does not.
        let _ = timeout_at(settled, inner.first_dials()).await;
        self.meet_heard_of().await;
        inner.primary.assume();
        Ok(())
    }

    /// Dials whom some of the nodes know and this command does not: not in every cluster everybody is named by DNS.
    async fn meet_heard_of(&self) {
        let inner = self.node.inner();
        let some: Vec<Arc<Link>> = self.links().iter().take(ASKED).cloned().collect();
        let mut met: BTreeSet<NodeId> = self.node.peers().into_iter().map(|peer| peer.id).collect();
        for (_, answer) in ask_all(&some, Question::Known, OTHERS).await {
            let known = answer.ok().and_then(|answer| Known::read(&answer));
            for known in known.unwrap_or_default().into_iter().take(HEARD_OF) {
                let names = (known.node.parse::<NodeId>(), known.region.parse::<Region>());
                if let (Some(address), (Ok(node), Ok(region))) = (known.address, names)
                    && met.insert(node.clone())
                {
                    inner
                        .dials
                        .add(&inner.endpoint, address, Some((node, region)));
                }
            }
        }
        let _ = timeout(OTHERS, inner.first_dials()).await;
    }

    /// The nodes that are connected, by id.
    pub(super) fn links(&self) -> Arc<Links> {
        self.node.inner().links()
    }

    /// The nodes that are known, the primary's first and then by region.
    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        let mut peers = self.node.peers();
        let primary = self.node.primary_region();
        let place = |peer: &PeerInfo| {
            (
                peer.region != *primary,
                peer.region.clone(),
                peer.id.clone(),
            )
        };
        peers.sort_by_key(place);
        peers
    }

    /// Waits until every address was dialled to an end.
    pub(super) async fn settle(&self) {
        let inner = self.node.inner();
        let longest = inner.limits.handshake_timeout + inner.limits.hello_timeout;
        // Those that were heard of meanwhile may take longer.
        let _ = timeout(longest, inner.first_dials()).await;
    }

    /// The addresses at which nobody was met.
    pub(super) fn unmet(&self) -> Vec<Unmet> {
        let links = self.links();
        let failures = self.node.inner().dials.failures().into_iter();
        let unmet = failures.map(|(address, node, error)| Unmet {
            address,
            node,
            error,
        });
        let is_met = |unmet: &Unmet| {
            // One that drains is dialled anew, and there all the same.
            let is_there = unmet
                .node
                .as_ref()
                .is_some_and(|node| links.get(node).is_some());
            is_there || unmet.error.as_ref().is_some_and(DialError::is_itself)
        };
        unmet.filter(|unmet| !is_met(unmet)).collect()
    }

    /// Leaves without a word: nobody counts on an observer.
    async fn leave(self) {
        self.node.shutdown().await;
    }

    fn why_nobody(&self) -> Failure {
        let unmet = self.unmet();
        let cluster = &self.cluster;
        let errors = || {
            let unmet = unmet.iter();
            unmet.filter_map(|unmet| Some((unmet.address, unmet.error.as_ref()?)))
        };
        if let Some((address, _)) = errors().find(|(_, error)| error.is_other_protocol()) {
            return Failure::other_protocol(format!(
                "{address} speaks another version of the protocol: take the `fly-rpc` command of the version that the \
                 nodes are built with"
            ));
        }
        if let Some((address, error)) = errors().find(|(_, error)| error.is_refusal()) {
            return Failure::other_secret(format!(
                "{address} has another secret, or belongs to another cluster: set FLY_RPC_SECRET to the secret of the \
                 nodes, and FLY_RPC_CLUSTER or --cluster to the name of their cluster (now \"{cluster}\")"
            ))
            .hint(error.to_string());
        }
        if let Some(unmet) = unmet.first() {
            return Failure::nobody(format!(
                "no node answers at {} ({}): see that one runs there and that UDP gets through, and that FLY_RPC_PEERS \
                 names the right place",
                unmet.address,
                unmet.reason()
            ));
        }
        Failure::nobody(if self.node.inner().development {
            format!(
                "no node of cluster \"{cluster}\" runs on this machine: start one, or set FLY_RPC_SECRET and FLY_RPC_PEERS \
                 to reach others"
            )
        } else {
            "no node is known: set FLY_RPC_PEERS to host:port of one".to_owned()
        })
    }
}

/// An address at which nobody was met.
#[derive(Clone, Debug)]
pub(super) struct Unmet {
    pub(super) address: SocketAddr,
    /// Who is expected there.
    pub(super) node: Option<NodeId>,
    /// `None` as long as no dial has ended.
    error: Option<DialError>,
}

impl Unmet {
    /// True if it may be otherwise a moment later: somebody stops there, or has not answered yet.
    pub(super) fn is_passing(&self) -> bool {
        self.error.as_ref().is_none_or(DialError::is_busy)
    }

    pub(super) fn reason(&self) -> String {
        match &self.error {
            Some(error) if error.is_busy() => {
                "it takes nobody just now: it is about to stop, or crowded".to_owned()
            }
            Some(error) => error.to_string(),
            None => "it has not answered yet".to_owned(),
        }
    }
}

/// True if nothing says which cluster is meant: then it is one of development mode.
fn is_unnamed() -> bool {
    let names = ["FLY_RPC_SECRET", "FLY_RPC_CLUSTER", "FLY_APP_NAME"];
    names.into_iter().all(|name| variable(name).is_none())
}

/// The cluster of development mode that runs.
fn the_only_one() -> Result<String, Failure> {
    let clusters = clusters().map_err(|error| Failure::usage(error.to_string()))?;
    let names: Vec<&String> = clusters.keys().collect();
    match names.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::nobody(
            "no node runs on this machine in development mode: start one, or set FLY_RPC_SECRET and FLY_RPC_PEERS to \
             reach others"
                .to_owned(),
        )),
        names => {
            let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            Err(Failure::usage(format!(
                "{} clusters run on this machine: say which with --cluster {}",
                names.len(),
                names.join(" or --cluster ")
            )))
        }
    }
}

/// What the environment says, if it says anything.
pub(super) fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// What nodes see as its build.
const BUILD: &str = concat!("fly-rpc command ", env!("CARGO_PKG_VERSION"));
const LOCAL: &str = "local";
/// How long nobody may answer before there is nobody.
const FIRST: Duration = Duration::from_secs(5);
/// How long the others are waited for when one is there: several round trips around the globe.
const OTHERS: Duration = Duration::from_secs(1);
/// Nodes that are asked for others: one may have come just now.
const ASKED: usize = 3;
/// Nodes that one of them may name: as many as a source of addresses may.
const HEARD_OF: usize = 4_096;
