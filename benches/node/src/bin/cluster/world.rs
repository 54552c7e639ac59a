//! The machines of a cluster, and what runs on them.

use std::{collections::BTreeSet, time::Duration};

use fly_rpc::{
    ClusterSecret, Node, NodeBuilder, NodeId, PeerState, Region, region_rpc,
    testing::{Conditions, Host, Network, crash},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// What every build serves.
#[region_rpc]
pub(crate) fn ask(number: u32) -> u32 {
    number
}

/// What the next build serves too.
#[region_rpc]
pub(crate) fn later(number: u32) -> u32 {
    number
}

/// A cluster in [`REGIONS`] regions.
pub(crate) struct World {
    pub(crate) machines: Vec<Machine>,
    secret: ClusterSecret,
}

/// A machine, and the node on it.
pub(crate) struct Machine {
    pub(crate) id: NodeId,
    pub(crate) region: Region,
    pub(crate) host: Host,
    pub(crate) node: Option<Node>,
    seeds: Vec<String>,
}

/// What each machine had sent at some moment: bytes of UDP payloads, and of gossip among them.
pub(crate) type Sent = Vec<(u64, u64)>;

impl World {
    /// So many machines, each of which is told the addresses of three others. Every datagram takes
    /// 75 ms.
    pub(crate) fn new(network: &Network, size: usize) -> Self {
        network.set_conditions(Conditions {
            delay: Duration::from_millis(75),
            ..Conditions::default()
        });
        let hosts: Vec<Host> = (0..size).map(|_| network.host()).collect();
        let machines = hosts.iter().enumerate().map(|(number, host)| {
            let chance = network.chance();
            // Of those before it, so that no few of them know only each other.
            let seed = |_| (chance.fraction() * number as f64) as usize;
            let seeds: BTreeSet<usize> = (0..number.min(3)).map(seed).collect();
            let address = |seed: usize| hosts[seed].address().to_string();
            Machine {
                id: format!("n{number}").into(),
                region: region(number),
                host: host.clone(),
                node: None,
                seeds: seeds.into_iter().map(address).collect(),
            }
        });
        Self {
            machines: machines.collect(),
            secret: ClusterSecret::generate(),
        }
    }

    /// Starts all at once, of the build that lacks [`later`].
    pub(crate) async fn start_all(&mut self) {
        let mut starting = JoinSet::new();
        for (number, machine) in self.machines.iter().enumerate() {
            let start = self.builder(machine).hide_function("later", 1).start();
            starting.spawn(async move { (number, start.await) });
        }
        while let Some(started) = starting.join_next().await {
            let (number, node) = started.expect("no start panics");
            self.machines[number].node = Some(node.expect("a sound configuration"));
        }
    }

    /// Stops the node on a machine as a deploy does.
    pub(crate) async fn stop(&mut self, number: usize) {
        if let Some(node) = self.machines[number].node.take() {
            node.shutdown().await;
        }
    }

    /// Starts the next build on a machine.
    pub(crate) async fn upgrade(&mut self, number: usize) {
        let node = self.builder(&self.machines[number]).start().await;
        self.machines[number].node = Some(node.expect("a sound configuration"));
    }

    /// Ends the node on a machine without a word.
    pub(crate) fn kill(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        if let Some(node) = machine.node.take() {
            crash(&machine.host, node);
        }
    }

    fn builder(&self, machine: &Machine) -> NodeBuilder {
        Node::builder()
            .cluster("fleet")
            .secret(self.secret.clone())
            .id(machine.id.as_str())
            .region(machine.region.clone())
            .primary_region(region(0))
            .peers(machine.seeds.clone())
            .gossip(true)
            .simulated(&machine.host)
    }

    /// The nodes that run.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.machines
            .iter()
            .filter_map(|machine| machine.node.as_ref())
    }

    /// Those that do not.
    pub(crate) fn dead(&self) -> BTreeSet<&NodeId> {
        let dead = self
            .machines
            .iter()
            .filter(|machine| machine.node.is_none());
        dead.map(|machine| &machine.id).collect()
    }

    /// What every machine has sent so far.
    pub(crate) fn sent(&self) -> Sent {
        let sent = self.machines.iter().map(|machine| {
            let node = machine.node.as_ref();
            let gossip = node.map_or(0, |node| node.stats().gossip_sent);
            (machine.host.sent().bytes, gossip)
        });
        sent.collect()
    }

    /// Lets time pass until something holds of every node that runs; returns how long that took, or
    /// `None` if it does not happen.
    pub(crate) async fn until(
        &self,
        most: Duration,
        holds: impl Fn(&Node) -> bool,
    ) -> Option<Duration> {
        let began = Instant::now();
        let nodes: Vec<&Node> = self.nodes().collect();
        // Whoever does not know yet is asked first: to ask all takes a while.
        let mut first = 0;
        loop {
            let lacking = (0..nodes.len()).find(|number| {
                let number = (first + number) % nodes.len();
                !holds(nodes[number])
            });
            match lacking {
                None => return Some(began.elapsed()),
                Some(_) if began.elapsed() >= most => return None,
                Some(number) => first = (first + number) % nodes.len(),
            }
            sleep(LOOK).await;
        }
    }
}

/// True if `node` can call all of so many others.
pub(crate) fn knows(node: &Node, others: usize) -> bool {
    let known = node
        .peers()
        .into_iter()
        .filter(|peer| matches!(peer.state, PeerState::Connected | PeerState::Known));
    known.count() == others
}

/// True if `node` would call none of these: they may be listed only as addresses that it dials.
pub(crate) fn has_given_up(node: &Node, dead: &BTreeSet<&NodeId>) -> bool {
    let is_gone = |id: &NodeId| !dead.contains(id);
    let mut peers = node.peers().into_iter();
    peers.all(|peer| peer.state == PeerState::Connecting || is_gone(&peer.id))
        && (0..REGIONS).all(|number| node.region_nodes(region(number)).iter().all(is_gone))
}

/// The region of the machine with this number.
pub(crate) fn region(number: usize) -> Region {
    format!("r{}", number % REGIONS).into()
}

/// The first has the primary.
pub(crate) const REGIONS: usize = 10;
/// How often it is looked whether something holds.
const LOOK: Duration = Duration::from_millis(50);
