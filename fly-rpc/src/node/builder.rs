//! Building a node: settings, the checks that can be made before the first call, and the start.

use std::{
    any::type_name,
    collections::BTreeMap,
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::{Duration, SystemTime},
};

use fly_rpc_transport::{
    ClusterSecret, Endpoint, EndpointConfig, Hello, Identity, Limits, NodeId, PROTOCOL_VERSIONS,
    Region,
};
use tokio::time::{Instant, interval, timeout};

use super::{Node, dials::Dials, inner::Inner, resources::Resources};
use crate::{
    budget::RetryBudget,
    discovery::{self, Announcement, LocalDirectory, LocalNode},
    dispatch::Dispatch,
    environment::{self, Environment},
    registry::{Registry, States, registered},
    scope,
    start_error::{MissingState, StartError},
};

/// The settings of a node. Each has the default of the README's table; [`Node::from_env`] reads
/// them from the environment, setters override.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until start()"]
pub struct NodeBuilder {
    cluster: Option<String>,
    id: Option<NodeId>,
    region: Option<Region>,
    primary: Option<Region>,
    bind: Option<SocketAddr>,
    advertise: Option<SocketAddr>,
    /// An address of this machine to advertise with whatever port is bound.
    advertise_ip: Option<IpAddr>,
    peers: Vec<String>,
    secret: Option<ClusterSecret>,
    previous_secret: Option<ClusterSecret>,
    identity: Option<Identity>,
    build: String,
    states: States,
    limits: Limits,
    default_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    expected_functions: Option<usize>,
    hidden: Vec<(String, u32)>,
    encodes_local_calls: bool,
}

impl NodeBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let Environment {
            cluster,
            id,
            region,
            primary,
            bind,
            advertise,
            advertise_ip,
            peers,
            secret,
            previous_secret,
            build,
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
            secret,
            previous_secret,
            build,
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

    /// Where the primary is. Default `local`.
    pub fn primary_region(mut self, region: impl Into<Region>) -> Self {
        self.primary = Some(region.into());
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

    /// `host:port` of nodes to dial and keep connected. A name is looked up every five seconds, and each of
    /// its addresses is a node.
    /// Replaces what was set before.
    pub fn peers<P: Into<String>>(mut self, peers: impl IntoIterator<Item = P>) -> Self {
        self.peers = peers.into_iter().map(Into::into).collect();
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

    /// The deadline of calls that set none, from their first poll to the answer. Default 5 s.
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

    /// Starts the node: checks everything, binds, and waits, at most a second, until the peers that
    /// are known have been dialled once. If this process has no default node yet, this becomes it.
    ///
    /// # Errors
    /// [`StartError`]: what is wrong and how to mend it. Nothing is left running.
    ///
    /// # Cancel safety
    /// Dropping it before it completes leaves no node.
    pub async fn start(self) -> Result<Node, StartError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StartError::NoRuntime);
        }
        let registry = self.checked_registry()?;
        let development = self.secret.is_none() && self.identity.is_none();
        let directory = if development {
            Some(LocalDirectory::open()?)
        } else {
            None
        };
        let cluster = self.checked_cluster(development)?;
        let region = checked_region("region", self.region.clone())?;
        let primary = checked_region("primary region", self.primary.clone())?;
        for peer in &self.peers {
            environment::check_peer(peer)?;
        }
        let (id, identity) = self.checked_identity(&cluster, directory.as_ref())?;
        let bind = self
            .bind
            .unwrap_or(if development { DEVELOPMENT_BIND } else { BIND });
        if development && !bind.ip().is_loopback() {
            return Err(StartError::DevelopmentBind(bind));
        }
        let socket = UdpSocket::bind(bind).map_err(|source| StartError::Bind {
            address: bind,
            source,
        })?;
        let bound = socket.local_addr().map_err(|source| StartError::Bind {
            address: bind,
            source,
        })?;
        let catalogue = registry.catalogue();
        tracing::info!(node = %id, %region, %primary, cluster, %bound, functions = catalogue.len(), development, "fly-rpc starts");

        let advertise = self
            .advertise
            .or_else(|| {
                self.advertise_ip
                    .map(|ip| SocketAddr::new(ip, bound.port()))
            })
            .unwrap_or(bound);
        let hello = Hello {
            protocol: PROTOCOL_VERSIONS,
            cluster: cluster.clone(),
            node: id.clone(),
            incarnation: incarnation(),
            region: region.clone(),
            primary: primary.clone(),
            build: self.build.clone(),
            advertise: (!advertise.ip().is_unspecified()).then_some(advertise),
            dial: 0,
            message_size: self.limits.message_size as u64,
            draining: false,
            catalogue: Arc::new(catalogue),
        };
        let dispatch = Arc::new(Dispatch::default());
        let renewal = tokio::spawn(renew(identity.clone())).abort_handle();
        let config = EndpointConfig {
            socket,
            identity,
            hello: hello.clone(),
            limits: self.limits.clone(),
        };
        let endpoint = Endpoint::start(config, Arc::clone(&dispatch) as _).map_err(|source| {
            StartError::Bind {
                address: bind,
                source,
            }
        })?;

        let dials = Arc::new(Dials::default());
        let mut tasks = vec![renewal];
        for peer in &self.peers {
            match peer.parse() {
                Ok(address) => dials.add(&endpoint, address, None),
                Err(_is_a_name) => {
                    dials.look_up(peer);
                    let follow =
                        discovery::follow_name(peer.clone(), endpoint.clone(), Arc::clone(&dials));
                    tasks.push(tokio::spawn(follow).abort_handle());
                }
            }
        }
        let mut announcement = None;
        if let Some(directory) = directory {
            let this = LocalNode {
                node: id.clone(),
                region: region.clone(),
                address: bound,
                incarnation: hello.incarnation,
            };
            let announced = Announcement::new(directory, &cluster, this)?;
            for other in announced.others()? {
                dials.add(&endpoint, other.address, Some((other.node, other.region)));
            }
            tasks.push(
                tokio::spawn(discovery::follow(
                    announced.clone(),
                    endpoint.clone(),
                    Arc::clone(&dials),
                ))
                .abort_handle(),
            );
            announcement = Some(announced);
        }
        let inner = Arc::new(Inner {
            id,
            region,
            primary,
            limits: self.limits,
            default_timeout: self.default_timeout.unwrap_or(DEFAULT_TIMEOUT),
            drain_timeout: self.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
            encodes_local_calls: self.encodes_local_calls,
            registry,
            states: Arc::new(self.states),
            running: Arc::new(AtomicUsize::new(0)),
            endpoint,
            dials,
            resources: Resources::new(tasks, announcement),
            draining: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            budget: Mutex::new(RetryBudget::new(Instant::now())),
        });
        dispatch.attach(Arc::downgrade(&inner));
        let node = Node { inner };
        // Peers that are up are connected when this returns; those that are not are dialled on in
        // the background.
        let _ = timeout(FIRST_DIALS, node.inner.first_dials()).await;
        scope::offer_default(&node);
        Ok(node)
    }

    fn checked_registry(&self) -> Result<Registry, StartError> {
        let functions = registered();
        if let Some(expected) = self
            .expected_functions
            .filter(|expected| *expected != functions.len())
        {
            let names = functions
                .iter()
                .map(|function| format!("{}@{}", function.spec().name, function.spec().version))
                .collect();
            return Err(StartError::FunctionCount {
                expected,
                found: functions.len(),
                names,
            });
        }
        let registry = Registry::new(functions, |name, version| {
            self.hidden
                .iter()
                .any(|hidden| hidden.0 == name && hidden.1 == version)
        })?;
        let mut missing: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for served in registry.iter() {
            let spec = &served.entry.spec;
            for state in spec.states.iter().filter(|state| !self.states.has(**state)) {
                missing
                    .entry(state.name())
                    .or_default()
                    .push(format!("{}@{}", spec.name, spec.version));
            }
        }
        if missing.is_empty() {
            return Ok(registry);
        }
        let missing = missing.into_iter().map(|(state, mut functions)| {
            functions.sort();
            MissingState { state, functions }
        });
        Err(StartError::MissingStates(missing.collect()))
    }

    fn checked_cluster(&self, development: bool) -> Result<String, StartError> {
        let cluster = match &self.cluster {
            Some(cluster) => cluster.trim().to_owned(),
            None if development => executable().unwrap_or_else(|| DEFAULT_CLUSTER.to_owned()),
            None => DEFAULT_CLUSTER.to_owned(),
        };
        if cluster.is_empty() || cluster.len() > CLUSTER_NAME {
            Err(StartError::ClusterName(cluster))
        } else {
            Ok(cluster)
        }
    }

    fn checked_identity(
        &self,
        cluster: &str,
        directory: Option<&LocalDirectory>,
    ) -> Result<(NodeId, Identity), StartError> {
        if let Some(id) = &self.id {
            id.as_str()
                .parse::<NodeId>()
                .map_err(|source| StartError::Name {
                    what: "node id",
                    value: id.to_string(),
                    source,
                })?;
        }
        if let Some(identity) = &self.identity {
            let certified = identity.node_id();
            return match &self.id {
                Some(id) if *id != certified => Err(StartError::IdentityMismatch {
                    id: id.to_string(),
                    certified: certified.to_string(),
                }),
                _ => Ok((certified, identity.clone())),
            };
        }
        let id = self.id.clone().unwrap_or_else(NodeId::random);
        let secret = match (&self.secret, directory) {
            (Some(secret), _) => secret.clone(),
            (None, Some(directory)) => directory.secret()?,
            (None, None) => unreachable!(
                "without a secret and an identity the node is in development mode, which has a directory"
            ),
        };
        let identity = Identity::from_secret(secret, self.previous_secret.clone(), cluster, &id)?;
        Ok((id, identity))
    }
}

fn checked_region(what: &'static str, region: Option<Region>) -> Result<Region, StartError> {
    let Some(region) = region else {
        return Ok(Region::from(LOCAL));
    };
    region.as_str().parse().map_err(|source| StartError::Name {
        what,
        value: region.to_string(),
        source,
    })
}

/// Which life of the node this is. The clock of one machine rarely runs backwards by more than a
/// restart takes; if it does, the connection that is alive wins.
fn incarnation() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn executable() -> Option<String> {
    Some(
        env::current_exe()
            .ok()?
            .file_name()?
            .to_string_lossy()
            .into_owned(),
    )
    .filter(|name| name.len() <= CLUSTER_NAME)
}

/// Renews the certificate when it is due. Asked often rather than slept for: timers stand still
/// while a machine is suspended.
async fn renew(identity: Identity) {
    let mut tick = interval(RENEWAL_CHECK);
    loop {
        tick.tick().await;
        if let Err(error) = identity.renew(SystemTime::now()) {
            tracing::error!(%error, "the certificate could not be renewed; the old one stays in use");
        }
    }
}

const LOCAL: &str = "local";
const DEFAULT_CLUSTER: &str = "default";
/// Bytes of a cluster's name.
const CLUSTER_NAME: usize = 255;
const DEVELOPMENT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const BIND: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 7411);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a start waits for its peers.
const FIRST_DIALS: Duration = Duration::from_secs(1);
const RENEWAL_CHECK: Duration = Duration::from_secs(300);
