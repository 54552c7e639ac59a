//! Building a node: its settings. What they lead to is in [`start`](super::start).

use std::{
    any::type_name,
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use fly_rpc_transport::{ClusterSecret, Identity, Limits, NodeId, Region};

#[cfg(feature = "sim")]
use fly_rpc_transport::sim::Host;

use super::{Node, platform::Platform, start};
use crate::{
    discovery::Discovery,
    environment::{self, Environment, OnFly},
    primary::PrimarySource,
    registry::States,
    start_error::StartError,
};

/// The settings of a node. Each has the default of the README's table; [`Node::from_env`] reads
/// them from the environment, setters override.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until start()"]
pub struct NodeBuilder {
    pub(super) cluster: Option<String>,
    pub(super) id: Option<NodeId>,
    pub(super) region: Option<Region>,
    pub(super) primary: Option<Region>,
    pub(super) source: Option<Source>,
    pub(super) bind: Option<SocketAddr>,
    pub(super) advertise: Option<SocketAddr>,
    /// An address of this machine to advertise with whatever port is bound.
    pub(super) advertise_ip: Option<IpAddr>,
    pub(super) peers: Vec<String>,
    pub(super) gossip: bool,
    pub(super) observer: bool,
    pub(super) sources: Vec<Box<dyn Discovery>>,
    /// Where this runs, if that is Fly and the environment was read.
    pub(super) fly: Option<OnFly>,
    pub(super) secret: Option<ClusterSecret>,
    pub(super) previous_secret: Option<ClusterSecret>,
    pub(super) identity: Option<Identity>,
    pub(super) build: String,
    pub(super) states: States,
    pub(super) limits: Limits,
    pub(super) default_timeout: Option<Duration>,
    pub(super) drain_timeout: Option<Duration>,
    pub(super) expected_functions: Option<usize>,
    pub(super) hidden: Vec<(String, u32)>,
    pub(super) encodes_local_calls: bool,
    pub(super) platform: Platform,
}

/// A source, of which nothing can be shown.
pub(super) struct Source(pub(super) Box<dyn PrimarySource>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl NodeBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let Environment {
            cluster,
            id,
            region,
            primary,
            bind,
            advertise,
            advertise_ip,
            peers,
            gossip,
            secret,
            previous_secret,
            build,
            fly,
        } = environment::read(lookup)?;
        Ok(Self {
            cluster,
            id,
            region,
            primary,
            bind,
            advertise,
            advertise_ip,
            peers,
            gossip,
            secret,
            previous_secret,
            build,
            fly,
            ..Self::default()
        })
    }

    /// The cluster's name: nodes of another one are refused, whatever their secret. Default
    /// `default`; in development mode the executable's file name.
    pub fn cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = Some(cluster.into());
        self
    }

    /// This node's identity, stable across restarts. Default random, or the certificate's if an
    /// identity is given.
    pub fn id(mut self, id: impl Into<NodeId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Where this node runs. Default `local`.
    pub fn region(mut self, region: impl Into<Region>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Where the primary is until anybody says otherwise: a [source](Self::primary_source), a peer, or
    /// [`Node::set_primary_region`]. Default `local`.
    pub fn primary_region(mut self, region: impl Into<Region>) -> Self {
        self.primary = Some(region.into());
        self
    }

    /// Says where the primary is, for this node and for all that have no source of their own.
    /// [`start`](Self::start) waits for its first word, at most a second. Replaces what was set before.
    pub fn primary_source(mut self, source: impl PrimarySource) -> Self {
        self.source = Some(Source(Box::new(source)));
        self
    }

    /// The UDP address to bind. Default `127.0.0.1:0`; with a secret or an identity `[::]:7411`.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = Some(address);
        self
    }

    /// The address that others dial. Default the bound one.
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise = Some(address);
        self
    }

    /// `host:port` of nodes to dial and keep connected. A name is looked up every five seconds, and
    /// each of its addresses is a node. Replaces what was set before; sources given to
    /// [`discovery`](Self::discovery) stay.
    pub fn peers<P: Into<String>>(mut self, peers: impl IntoIterator<Item = P>) -> Self {
        self.peers = peers.into_iter().map(Into::into).collect();
        self
    }

    /// Whether this node learns from others who is in the cluster, and tells them. Default false: it knows
    /// those only whom it is told of by `peers` or finds itself, and is connected with all of them. Nodes
    /// with and without gossip work together.
    pub fn gossip(mut self, gossip: bool) -> Self {
        self.gossip = gossip;
        self
    }

    /// Whether this node only looks and calls, as the command `fly-rpc` does. Default false. An observer serves
    /// nothing and lets nobody in; nobody calls it, dials it, or counts it as one of its region. It takes
    /// an id of its own, an unused port, and the primary where most nodes see it, whatever was set; it does
    /// not gossip. Builds that know no observers see a node that serves nothing.
    pub fn observer(mut self, observer: bool) -> Self {
        self.observer = observer;
        self
    }

    /// A source of addresses to dial, beside `peers` and, in development mode, the runtime directory.
    /// Each call adds one. An address is dialled while any of them names it. Default none; on Fly,
    /// with [`Node::from_env`], the platform's own DNS ([`FlyDns`](crate::discovery::FlyDns)), which
    /// a source given here takes the place of.
    pub fn discovery(mut self, source: impl Discovery + 'static) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// The cluster's secret. Without one, and without an identity, the node is in development mode.
    pub fn secret(mut self, secret: ClusterSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// A secret that is accepted but not presented, while the cluster changes from one to the next.
    pub fn previous_secret(mut self, secret: ClusterSecret) -> Self {
        self.previous_secret = Some(secret);
        self
    }

    /// A certificate of one's own PKI, instead of a secret.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// What this build calls itself, for people. Default `FLY_IMAGE_REF` with [`Node::from_env`].
    pub fn build(mut self, build: impl Into<String>) -> Self {
        self.build = build.into();
        self
    }

    /// A value that functions take as `#[state]`, one for each type.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        tracing::trace!(state = type_name::<T>(), "state provided");
        self.states.insert(value);
        self
    }

    /// The node's bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The deadline of calls that set none, from their first poll to the answer. Default
    /// 5 s; never more than `Limits::deadline` (5 min).
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Some(timeout);
        self
    }

    /// How long [`Node::drain`] waits for what runs. Default 4 s, under Fly's `kill_timeout` of 5
    /// s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = Some(timeout);
        self
    }

    /// How many functions this program should have: the start fails with another number. A crate
    /// that nothing refers to is not linked, and its functions are silently absent; `use that_crate
    /// as _;` brings them back.
    pub fn expect_functions(mut self, count: usize) -> Self {
        self.expected_functions = Some(count);
        self
    }

    /// For tests of mixed versions in one process: this node behaves as a build that does not have
    /// this function.
    pub fn hide_function(mut self, name: impl Into<String>, version: u32) -> Self {
        self.hidden.push((name.into(), version));
        self
    }

    /// For tests: calls that stay in this process are encoded and decoded as if they did not, so
    /// that what cannot travel is noticed on one machine.
    pub fn encode_local_calls(mut self) -> Self {
        self.encodes_local_calls = true;
        self
    }

    /// For tests: runs the node on a host of a simulated network, whose address it binds unless
    /// told otherwise. It never becomes the process's default node: use [`Node::scope`] or
    /// [`Call::via`](crate::Call::via).
    #[cfg(feature = "sim")]
    pub fn simulated(mut self, host: &Host) -> Self {
        self.platform = Platform::Simulated(host.clone());
        self
    }

    /// Starts the node: checks everything, binds, and waits, at most a second, until the peers that
    /// are known have been dialled once. A far one can be called then and may still be listed as
    /// [`Connecting`](crate::PeerState::Connecting), unless this node is where the primary is or has a
    /// [source](Self::primary_source) that says so: such a one hears the others out first. If this process
    /// has no default node yet, this becomes it.
    ///
    /// # Errors
    /// [`StartError`]: what is wrong and how to mend it. Nothing is left running.
    ///
    /// # Panics
    /// If the tokio runtime has no I/O or no timers: build it with `enable_all()`.
    ///
    /// # Cancel safety
    /// Dropping it before it completes leaves no node.
    pub async fn start(self) -> Result<Node, StartError> {
        start::start(self).await
    }
}
