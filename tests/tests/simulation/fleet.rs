//! The machines of a run, and the nodes on them.

use std::time::Duration;

use fly_rpc::{
    ClusterSecret, Limits, Node, NodeBuilder, PeerState,
    testing::{self, Host, Network, Randomness},
};
use tokio::time::{Instant, sleep};

use crate::ledger::Ledger;

/// Machines of one cluster, each of which dials all others. The primary region is `syd`.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) network: Network,
    pub(crate) ledger: Ledger,
    pub(crate) machines: Vec<Machine>,
    pub(crate) limits: Limits,
    secret: ClusterSecret,
    /// Whether its nodes gossip; by the seed, unless it is set.
    pub(crate) gossip: bool,
}

/// A machine, and what runs on it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) region: &'static str,
    pub(crate) host: Host,
    pub(crate) node: Option<Node>,
    /// False if it runs the build that does not know the newer version of `transfer`.
    pub(crate) new_build: bool,
}

impl Fleet {
    /// Machines in these regions, nothing running on them.
    pub(crate) fn new(network: &Network, regions: &[&'static str]) -> Self {
        let machines = regions.iter().enumerate().map(|(number, region)| Machine {
            name: format!("{region}-{number}"),
            region,
            host: network.host(),
            node: None,
            new_build: true,
        });
        Self {
            machines: machines.collect(),
            network: network.clone(),
            ledger: Ledger::default(),
            limits: Limits::default(),
            secret: ClusterSecret::generate(),
            gossip: network.chance().number() & 1 == 1,
        }
    }

    /// Starts a node on every machine.
    pub(crate) async fn start_all(&mut self) {
        for machine in 0..self.machines.len() {
            self.start(machine).await;
        }
    }

    /// Starts all of them in the same moment.
    pub(crate) async fn start_together(&mut self) {
        let starting: Vec<_> = (0..self.machines.len())
            .map(|machine| tokio::spawn(self.builder(machine).start()))
            .collect();
        for (machine, starting) in self.machines.iter_mut().zip(starting) {
            let node = starting.await.expect("no panic");
            machine.node = Some(node.expect("a sound configuration"));
        }
    }

    /// Starts a node on a machine.
    pub(crate) async fn start(&mut self, machine: usize) {
        let node = self.builder(machine).start().await;
        self.machines[machine].node = Some(node.expect("a sound configuration"));
    }

    /// A node for a machine, which dials every other machine where that is now.
    pub(crate) fn builder(&self, machine: usize) -> NodeBuilder {
        let others = self.machines.iter().enumerate();
        let others = others.filter(|(number, _)| *number != machine);
        let peers: Vec<String> = others
            .map(|(_, other)| other.host.address().to_string())
            .collect();
        let this = &self.machines[machine];
        let builder = Node::builder()
            .cluster("simulated")
            .secret(self.secret.clone())
            .id(this.name.as_str())
            .region(this.region)
            .primary_region("syd")
            .peers(peers)
            .state(self.ledger.clone())
            .limits(self.limits.clone())
            .gossip(self.gossip)
            .simulated(&this.host);
        if this.new_build {
            builder
        } else {
            builder.hide_function("transfer", 2)
        }
    }

    /// Ends the node of a machine without a word.
    pub(crate) fn crash(&mut self, machine: usize) {
        let machine = &mut self.machines[machine];
        if let Some(node) = machine.node.take() {
            testing::crash(&machine.host, node);
        }
    }

    /// Ends the node of a machine as a deploy does.
    pub(crate) async fn stop(&mut self, machine: usize) {
        if let Some(node) = self.machines[machine].node.take() {
            node.shutdown().await;
        }
    }

    /// The nodes that run.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let nodes = self.machines.iter();
        nodes.filter_map(|machine| machine.node.clone()).collect()
    }

    /// Waits until every node is connected to every other one.
    ///
    /// # Panics
    /// If that takes longer than `at_most`.
    pub(crate) async fn whole(&self, at_most: Duration) -> Duration {
        let began = Instant::now();
        while let Some(missing) = self.missing() {
            assert!(began.elapsed() < at_most, "not connected: {missing}");
            sleep(LOOK).await; // sleep: simulated, and there is nothing to be told by
        }
        began.elapsed()
    }

    /// A pair that is not connected.
    fn missing(&self) -> Option<String> {
        let nodes = self.nodes();
        for node in &nodes {
            let peers = node.peers();
            let connected = |other: &Node| {
                peers
                    .iter()
                    .any(|peer| peer.id == *other.id() && peer.state == PeerState::Connected)
            };
            let mut others = nodes.iter().filter(|other| other.id() != node.id());
            if let Some(other) = others.find(|other| !connected(other)) {
                return Some(format!("{} to {}", node.id(), other.id()));
            }
        }
        None
    }
}

/// A number below `limit`.
pub(crate) fn below(chance: &Randomness, limit: u64) -> u64 {
    chance.number() % limit
}

/// One of several, or of some that are not there.
pub(crate) fn one_of<'a, T>(chance: &Randomness, of: &'a [T]) -> &'a T {
    &of[below(chance, of.len() as u64) as usize]
}

const LOOK: Duration = Duration::from_millis(10);
