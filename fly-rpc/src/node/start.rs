//! Starting a node: every check that can be made before the first call, then the socket, the
//! endpoint, and the first look at the others.

use std::{
    collections::BTreeMap,
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use fly_rpc_transport::{
    EARLY, Endpoint, EndpointConfig, Hello, Identity, NodeId, PROTOCOL_VERSIONS, Region, Socket,
    View,
};
use tokio::{
    sync::oneshot,
    time::{Instant, interval, timeout},
};

use super::{Dials, Node, NodeBuilder, inner::Inner, reach::Reach, resources::Resources, sources};
use crate::{
    balance::{Nodes, Settings},
    budget::RetryBudget,
    discovery::{Announcement, LocalDirectory, LocalNode},
    dispatch::Dispatch,
    membership::{self, Facts, Membership},
    primary::{self, PrimarySource, Seat},
    registry::{Registry, registered},
    scope,
    start_error::{MissingState, StartError},
    striped::Striped,
    telemetry::Meters,
};

/// Starts the node that `builder` describes. An error leaves nothing running.
pub(super) async fn start(mut builder: NodeBuilder) -> Result<Node, StartError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(StartError::NoRuntime);
    }
    if builder.previous_secret.is_some() && builder.is_development() {
        return Err(StartError::PreviousSecretAlone);
    }
    builder.limits.check()?;
    let registry = builder.checked_registry()?;
    let directory = if builder.is_development() {
        Some(LocalDirectory::open()?)
    } else {
        None
    };
    let who = builder.checked_names(directory.as_ref())?;
    let (socket, bound) = builder.bind_socket()?;
    let sources = builder.sources(&who.id, bound)?;
    let hello = builder.hello(&who, &registry, bound);
    tracing::info!(
        node = %who.id, region = %who.region, primary = %who.primary, cluster = who.cluster, %bound,
        functions = hello.catalogue.len(), development = builder.is_development(), "fly-rpc starts"
    );

    let dispatch = Arc::new(Dispatch::default());
    let incarnation = hello.incarnation;
    let me = facts(&hello);
    let gossips = builder.gossip && !builder.observer;
    let (membership, inbox) = gossips.then(Membership::new).unzip();
    let config = EndpointConfig {
        socket,
        randomness: builder.platform.randomness(),
        identity: who.identity.clone(),
        hello,
        limits: builder.limits.clone(),
    };
    let endpoint =
        Endpoint::start(config, Arc::clone(&dispatch) as _).map_err(|reason| StartError::Bind {
            address: bound,
            reason,
        })?;
    let folder = directory.as_ref().filter(|_| builder.observer);
    let folder = folder.map(|directory| directory.folder(&who.cluster));
    let announcement = directory
        .filter(|_| !builder.observer)
        .map(|directory| {
            let this = LocalNode {
                node: who.id.clone(),
                region: who.region.clone(),
                address: bound,
                incarnation,
            };
            Announcement::new(directory, &who.cluster, this)
        })
        .transpose()?;
    let inner = Arc::new(Inner {
        id: who.id,
        region: who.region,
        observer: builder.observer,
        configured_primary: builder.primary.clone(),
        development: builder.is_development(),
        rotating: builder.previous_secret.is_some(),
        primary: Arc::new(Seat::new(endpoint.clone(), who.primary, builder.observer)),
        limits: builder.limits.clone(),
        default_timeout: builder.default_timeout.unwrap_or(DEFAULT_TIMEOUT),
        drain_timeout: builder.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
        encodes_local_calls: builder.encodes_local_calls,
        registry,
        states: Arc::new(builder.states),
        running: Arc::default(),
        own_calls: Striped::default(),
        endpoint,
        dials: Arc::new(Dials::new(membership.is_some())),
        membership,
        reach: Reach::default(),
        platform: builder.platform.clone(),
        resources: Resources::default(),
        draining: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        budget: Mutex::new(RetryBudget::new(&builder.limits, Instant::now())),
        nodes: Nodes::new(Settings::from(&builder.limits)),
        meters: Meters::new(registered()),
        nearest: Mutex::default(),
        began: Instant::now(),
    });
    let source = builder.source.map(|source| source.0);
    let follows = source.is_some();
    watch_primary(&inner, source).await;
    // Only a node that can answer lets others in.
    dispatch.attach(Arc::downgrade(&inner));
    inner.endpoint.accept();
    inner.resources.hold_task(tokio::spawn(renew(who.identity)));
    #[cfg(feature = "metrics")]
    inner
        .resources
        .hold_task(tokio::spawn(crate::telemetry::sample(Arc::downgrade(
            &inner,
        ))));
    if let Some(inbox) = inbox {
        let gossip = membership::gossip(Arc::downgrade(&inner), me, inbox);
        inner.resources.hold_task(tokio::spawn(gossip));
    }
    sources::follow(&inner, sources, announcement, folder);

    let node = Node { inner };
    // Peers that are up can be called when this returns; those that are not are dialled on in the
    // background.
    let _ = timeout(FIRST_DIALS, node.inner.can_call(follows)).await;
    if builder.platform.has_one_node() {
        scope::offer_default(&node);
    }
    Ok(node)
}

/// Starts to follow the primary. What the source says at once is known before anybody is met.
async fn watch_primary(inner: &Inner, source: Option<Box<dyn PrimarySource>>) {
    let seat = &inner.primary;
    let follow = primary::follow(Arc::clone(seat), inner.id.clone());
    inner.resources.hold_task(tokio::spawn(follow));
    if let Some(source) = source {
        let (first, heard) = oneshot::channel();
        let listen = primary::listen(Arc::clone(seat), source, first);
        inner.resources.hold_task(tokio::spawn(listen));
        let _ = timeout(FIRST_WORD, heard).await;
    }
}

/// Who the node is, every name checked.
struct Names {
    cluster: String,
    id: NodeId,
    region: Region,
    primary: Region,
    identity: Identity,
}

impl NodeBuilder {
    /// With no secret and no certificate a node is in development mode.
    pub(super) fn is_development(&self) -> bool {
        self.secret.is_none() && self.identity.is_none()
    }

    fn checked_names(&self, directory: Option<&LocalDirectory>) -> Result<Names, StartError> {
        let cluster = self.checked_cluster()?;
        let region = checked_region("region", self.region.clone())?;
        let primary = checked_region("primary region", self.primary.clone())?;
        let (id, identity) = self.checked_identity(&cluster, directory)?;
        Ok(Names {
            cluster,
            id,
            region,
            primary,
            identity,
        })
    }

    fn bind_socket(&self) -> Result<(Socket, SocketAddr), StartError> {
        let default = if self.is_development() {
            DEVELOPMENT_BIND
        } else {
            BIND
        };
        let address = self
            .bind
            .unwrap_or_else(|| self.platform.address().unwrap_or(default));
        if self.observer {
            return self.bind_anywhere(address);
        }
        if self.is_development() && !address.ip().is_loopback() {
            return Err(StartError::DevelopmentBind(address));
        }
        let bound = self.platform.bind(address);
        bound.map_err(|reason| StartError::Bind { address, reason })
    }

    /// An observer may stand beside a node that has the port which is set. Where there is no IPv6, IPv4 will do.
    fn bind_anywhere(&self, like: SocketAddr) -> Result<(Socket, SocketAddr), StartError> {
        let address = match self.platform.address() {
            Some(address) => address,
            None => SocketAddr::new(like.ip(), 0),
        };
        let bound = self.platform.bind(address);
        let bound = bound.or_else(|error| match address.ip() {
            IpAddr::V6(ip) if ip.is_unspecified() => {
                self.platform.bind((Ipv4Addr::UNSPECIFIED, 0).into())
            }
            _ => Err(error),
        });
        bound.map_err(|reason| StartError::Bind { address, reason })
    }

    fn hello(&self, who: &Names, registry: &Registry, bound: SocketAddr) -> Hello {
        let with_port = |ip| SocketAddr::new(ip, bound.port());
        let advertise = self
            .advertise
            .or(self.advertise_ip.map(with_port))
            .unwrap_or(bound);
        Hello {
            protocol: PROTOCOL_VERSIONS,
            cluster: who.cluster.clone(),
            node: who.id.clone(),
            // The clock of one machine rarely runs backwards by more than a restart takes; if it
            // does, the connection that is alive wins.
            incarnation: self.platform.time_of_day(),
            region: who.region.clone(),
            view: View::configured(&who.primary),
            build: self.build.clone(),
            // Nobody is to dial an observer.
            advertise: (!advertise.ip().is_unspecified() && !self.observer).then_some(advertise),
            dial: 0,
            message_size: self.limits.message_size as u64,
            draining: false,
            observer: self.observer,
            catalogue: Arc::new(registry.catalogue()),
        }
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
            let mut hidden = self.hidden.iter();
            self.observer || hidden.any(|hidden| hidden.0 == name && hidden.1 == version)
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

    fn checked_cluster(&self) -> Result<String, StartError> {
        let cluster = match &self.cluster {
            Some(cluster) => cluster.trim().to_owned(),
            None if self.is_development() => {
                executable().unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())
            }
            None => DEFAULT_CLUSTER.to_owned(),
        };
        if cluster.is_empty() || cluster.len() > CLUSTER_NAME {
            Err(StartError::ClusterName(cluster.len()))
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
                .map_err(|reason| StartError::Name {
                    what: "node id",
                    value: id.to_string(),
                    reason,
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
        // With the id of a node, which stands in the environment of its machine, builds that know no observers would
        // take an observer for that node.
        let id = self.id.clone().filter(|_| !self.observer);
        let id = id.unwrap_or_else(|| NodeId::drawn(&self.platform.randomness()));
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
    region.as_str().parse().map_err(|reason| StartError::Name {
        what,
        value: region.to_string(),
        reason,
    })
}

/// What others are told of this node.
fn facts(hello: &Hello) -> Facts {
    Facts {
        node: hello.node.clone(),
        life: hello.incarnation,
        revision: 0,
        address: hello.advertise,
        region: hello.region.clone(),
        primary: hello.view.region.clone(),
        catalogue: hello.catalogue.digest(),
        draining: hello.draining,
        // Who calls behind its hello does not know yet how much this node takes.
        rest: Facts::rest(hello.message_size >= EARLY as u64),
    }
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
/// How long a start waits for where the primary is.
const FIRST_WORD: Duration = Duration::from_secs(1);
const RENEWAL_CHECK: Duration = Duration::from_secs(300);
