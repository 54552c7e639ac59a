//! A cluster in one process.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fly_rpc::{ClusterSecret, Node, NodeBuilder, NodeId, Target};

use crate::probe::Probe;

/// Longer than anything here takes on a busy machine; only a test that fails waits for it.
pub const SOON: Duration = Duration::from_secs(30);

/// Whether nodes gossip that nobody said otherwise of: `FLY_RPC_GOSSIP=on` runs the tests with it.
pub fn gossips() -> bool {
    std::env::var("FLY_RPC_GOSSIP").is_ok_and(|word| word == "on")
}

/// Nodes with one secret and one name, each of which dials those before it. The primary region is
/// `syd`.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    secret: ClusterSecret,
    started: Mutex<Vec<Node>>,
}

impl Cluster {
    /// A cluster that nothing else on this machine belongs to.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            name,
            secret: ClusterSecret::generate(),
            started: Mutex::default(),
        }
    }

    /// The cluster's secret.
    pub fn secret(&self) -> ClusterSecret {
        self.secret.clone()
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A builder of a node that belongs here and dials everyone before it.
    pub fn builder(&self, id: &str, region: &str) -> NodeBuilder {
        Node::builder()
            .cluster(self.name.as_str())
            .secret(self.secret())
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .id(id)
            .region(region)
            .primary_region("syd")
            .peers(self.addresses())
            .gossip(gossips())
    }

    /// The addresses of all nodes so far.
    pub fn addresses(&self) -> Vec<String> {
        self.started()
            .iter()
            .map(|node| node.local_addr().to_string())
            .collect()
    }

    /// Starts a node and waits until it and all before it see each other.
    pub async fn start(&self, builder: NodeBuilder) -> Node {
        let node = builder.start().await.expect("a sound configuration");
        for other in self.started() {
            see(&node, other.id()).await;
            see(&other, node.id()).await;
        }
        self.started.lock().expect("no panic").push(node.clone());
        node
    }

    /// Starts a node with nothing special about it.
    pub async fn node(&self, id: &str, region: &str) -> Node {
        self.start(self.builder(id, region)).await
    }

    /// The same, for programs whose functions take a probe; its probe is nobody's.
    pub async fn node_with_probe(&self, id: &str, region: &str) -> Node {
        self.start(self.builder(id, region).state(Probe::new()))
            .await
    }

    fn started(&self) -> Vec<Node> {
        self.started.lock().expect("no panic").clone()
    }
}

async fn see(node: &Node, other: &NodeId) {
    node.wait_for(Target::from(other), SOON)
        .await
        .expect("nodes of one cluster see each other");
}
