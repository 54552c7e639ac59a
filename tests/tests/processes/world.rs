//! A cluster for one test: nodes in its own process, workers in theirs, and the journals of all of them.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU16, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::Context;
use fly_rpc::{ClusterSecret, Identity, Node, NodeBuilder, NodeId, PeerState, Target};
use fly_rpc_tests::{
    Child, SOON,
    fleet::Build,
    gossips,
    history::{History, Journal, Kept},
};
use tokio::process::Command;

use crate::desk::Desk;

/// What the nodes of one test have in common.
#[derive(Debug)]
pub(crate) struct World {
    name: &'static str,
    directory: PathBuf,
    pub(crate) secret: ClusterSecret,
    journals: AtomicU32,
}

/// A process that is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) bind: SocketAddr,
    pub(crate) peers: Vec<String>,
    pub(crate) secret: ClusterSecret,
    pub(crate) previous_secret: Option<ClusterSecret>,
    pub(crate) drain_millis: u64,
}

/// A process that runs a node.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) plan: Plan,
    pub(crate) address: SocketAddr,
    /// What its node calls its build: another one in each life of a node.
    pub(crate) build: String,
    pub(crate) child: Child,
}

impl World {
    /// An empty one.
    pub(crate) fn new(name: &'static str) -> anyhow::Result<Self> {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("processes-{name}-{}", process::id()));
        if directory.exists() {
            // Of a test that failed, in a process that had the same id.
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        Ok(Self {
            name,
            directory,
            secret: ClusterSecret::generate(),
            journals: AtomicU32::new(0),
        })
    }

    /// The cluster's name.
    pub(crate) fn cluster(&self) -> String {
        format!("{}-{}", self.name, process::id())
    }

    /// A desk with a journal of its own, for a node in this process.
    pub(crate) fn desk(&self) -> anyhow::Result<Desk> {
        let (number, path) = self.journal();
        Ok(Desk::new(Journal::create(&path, number, Build::New)?))
    }

    /// A builder of a node in this process that dials nobody.
    pub(crate) fn builder(&self, id: &str, desk: &Desk) -> NodeBuilder {
        self.without_secret(id, desk).secret(self.secret.clone())
    }

    /// The same for a node with a certificate instead of the secret.
    pub(crate) fn certified(&self, id: &str, desk: &Desk, identity: Identity) -> NodeBuilder {
        self.without_secret(id, desk).identity(identity)
    }

    fn without_secret(&self, id: &str, desk: &Desk) -> NodeBuilder {
        Node::builder()
            .cluster(self.cluster())
            .bind(ANY_PORT)
            .id(id)
            .region(region_of(id))
            .primary_region("syd")
            .state(desk.clone())
            .gossip(gossips())
    }

    /// A process with a node that dials nobody.
    pub(crate) fn plan(&self, id: &str) -> Plan {
        Plan {
            id: id.to_owned(),
            bind: ANY_PORT,
            peers: Vec::new(),
            secret: self.secret.clone(),
            previous_secret: None,
            drain_millis: 10_000,
        }
    }

    /// Starts a process; its node runs when this returns.
    pub(crate) async fn start(&self, plan: Plan) -> anyhow::Result<Worker> {
        self.spawn(plan)?.ready().await
    }

    /// Starts a process, without waiting for its node.
    pub(crate) fn spawn(&self, plan: Plan) -> anyhow::Result<Worker> {
        let (number, journal) = self.journal();
        let build = number.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        command
            .env_clear()
            .env("FLY_RPC_CLUSTER", self.cluster())
            .env("FLY_RPC_NODE_ID", &plan.id)
            .env("FLY_REGION", region_of(&plan.id))
            .env("PRIMARY_REGION", "syd")
            .env("FLY_RPC_BIND", plan.bind.to_string())
            .env("FLY_RPC_PEERS", plan.peers.join(","))
            .env("FLY_RPC_SECRET", plan.secret.reveal().as_str())
            .env("FLY_RPC_GOSSIP", if gossips() { "on" } else { "off" })
            .env("FLY_IMAGE_REF", &build)
            .env("WORKER_NUMBER", number.to_string())
            .env("WORKER_JOURNAL", journal)
            .env("WORKER_DRAIN_MILLIS", plan.drain_millis.to_string());
        if let Some(previous) = &plan.previous_secret {
            command.env("FLY_RPC_SECRET_PREVIOUS", previous.reveal().as_str());
        }
        Ok(Worker {
            address: plan.bind,
            child: Child::spawn(&plan.id, &mut command)?,
            build,
            plan,
        })
    }

    /// Reads all journals; every promise must have been kept in so many calls at least. The processes that called must
    /// have ended or be at rest.
    pub(crate) fn judge(self, calls: usize) -> anyhow::Result<Kept> {
        let kept = History::read(&self.directory)?.keeps_its_promises(&["look"]);
        println!("{}: {kept}", self.name);
        assert!(kept.calls >= calls, "{} calls are too few", kept.calls);
        // Kept when something is wrong: the journals tell what.
        fs::remove_dir_all(&self.directory)?;
        Ok(kept)
    }

    fn journal(&self) -> (u32, PathBuf) {
        let number = self.journals.fetch_add(1, Ordering::Relaxed) + 1;
        let file = format!("{number:03}.{}", Journal::EXTENSION);
        (number, self.directory.join(file))
    }
}

impl Plan {
    pub(crate) fn peers<P: ToString>(self, peers: impl IntoIterator<Item = P>) -> Self {
        let peers = peers.into_iter().map(|peer| peer.to_string()).collect();
        Self { peers, ..self }
    }
}

impl Worker {
    /// Waits until its node runs.
    pub(crate) async fn ready(mut self) -> anyhow::Result<Self> {
        let address = self.child.answer().await?;
        self.address = address.parse().with_context(|| address.clone())?;
        Ok(self)
    }

    /// Kills it, and waits for its end. What it leaves is its plan.
    pub(crate) async fn kill(mut self) -> anyhow::Result<Plan> {
        self.child.start_kill()?;
        self.child.killed().await?;
        Ok(self.plan)
    }

    /// Lets it drain and end; returns what it says of its drain, and its plan.
    pub(crate) async fn stop(mut self) -> anyhow::Result<(String, Plan)> {
        self.child.tell("stop").await?;
        let report = self.child.answer().await?;
        self.child.ended().await?;
        Ok((report, self.plan))
    }
}

/// Waits until a node is connected to another one, in this build of it if one is named.
pub(crate) async fn sees(node: &Node, other: &str, build: Option<&str>) -> Duration {
    let begun = Instant::now();
    let other = NodeId::from(other);
    until("one node sees the other", || {
        node.peers().iter().any(|peer| {
            peer.id == other
                && peer.state == PeerState::Connected
                && build.is_none_or(|build| peer.build == build)
        })
    })
    .await;
    begun.elapsed()
}

/// Waits until something is so; looks often.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(2));
    let so = async {
        while !is_so() {
            look.tick().await;
        }
    };
    let soon = tokio::time::timeout(SOON, so).await;
    soon.unwrap_or_else(|_elapsed| panic!("this is not so: {what}"));
}

/// The target that is one node.
pub(crate) fn at(id: &str) -> Target {
    Target::Node(NodeId::from(id))
}

/// Ports outside of those that the kernel gives to whoever binds none, so that nobody takes one while its process is
/// dead.
pub(crate) fn free_ports() -> impl Iterator<Item = SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ports = std::iter::repeat_with(|| {
        let place = NEXT.fetch_add(1, Ordering::Relaxed);
        20_000 + (process::id() as u16 % 100) * 100 + place % 100
    });
    let addresses = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    addresses.filter(|address| UdpSocket::bind(address).is_ok())
}

/// Nodes are named after their regions.
fn region_of(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
