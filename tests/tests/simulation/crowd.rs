//! Many nodes that gossip: what `benches/` measures of a thousand, promised of fifty.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fly_rpc::{
    ClusterSecret, Node, NodeBuilder, NodeId, PeerState, Region, region_rpc,
    testing::{self, Conditions, Host, Network, crash},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::ledger::Ledger;

/// What every build serves.
#[region_rpc]
fn known_to_all(number: u32) -> u32 {
    number
}

/// What a later build serves too.
#[region_rpc]
fn new_to_all(number: u32) -> u32 {
    number
}

/// The node that it runs on, after the work of 100 ms.
#[region_rpc]
async fn work_somewhere() -> String {
    sleep(Duration::from_millis(100)).await; // sleep: it is the work
    let node = fly_rpc::node().expect("a handler runs in its node");
    node.id().to_string()
}

struct Crowd {
    hosts: Vec<Host>,
    nodes: Vec<Option<Node>>,
    secret: ClusterSecret,
}

impl Crowd {
    /// Nodes that start at once, each of which is told of the same three addresses.
    async fn start(network: &Network, size: usize) -> Self {
        network.set_conditions(Conditions {
            delay: Duration::from_millis(75),
            ..Conditions::default()
        });
        let mut crowd = Self {
            hosts: (0..size).map(|_| network.host()).collect(),
            nodes: vec![None; size],
            secret: ClusterSecret::generate(),
        };
        let mut starting = JoinSet::new();
        for number in 0..size {
            let start = crowd.builder(number).hide_function("new_to_all", 1).start();
            starting.spawn(async move { (number, start.await) });
        }
        while let Some(started) = starting.join_next().await {
            let (number, node) = started.expect("no panic");
            crowd.nodes[number] = Some(node.expect("a sound configuration"));
        }
        crowd
    }

    fn builder(&self, number: usize) -> NodeBuilder {
        let seeds = self.hosts.iter().take(3).map(|host| host.address());
        Node::builder()
            .cluster("crowd")
            .secret(self.secret.clone())
            .id(name(number))
            .region(region(number))
            .primary_region(region(0))
            .peers(seeds.map(|seed| seed.to_string()))
            .state(Ledger::default())
            .gossip(true)
            .simulated(&self.hosts[number])
    }

    fn living(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// Waits until it holds of all.
    async fn until(&self, what: &str, most: Duration, holds: impl Fn(&Node) -> bool) {
        let began = Instant::now();
        while let Some(node) = self.living().find(|node| !holds(node)) {
            let took = began.elapsed();
            assert!(
                took < most,
                "{what}: {} knows {:#?}",
                node.id(),
                node.peers()
            );
            sleep(LOOK).await; // sleep: simulated, and there is nothing to be told by
        }
    }

    /// Bytes that every host has sent.
    fn sent(&self) -> Vec<u64> {
        self.hosts.iter().map(|host| host.sent().bytes).collect()
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

fn region(number: usize) -> Region {
    format!("r{}", number % REGIONS).into()
}

fn can_call(node: &Node, others: usize) -> bool {
    let states = [PeerState::Connected, PeerState::Known];
    let peers = node.peers().into_iter();
    peers.filter(|peer| states.contains(&peer.state)).count() == others
}

fn would_call(node: &Node, dead: &BTreeSet<NodeId>) -> bool {
    let mut regions = (0..REGIONS).flat_map(|number| node.region_nodes(region(number)));
    let mut peers = node.peers().into_iter();
    peers.any(|peer| peer.state != PeerState::Connecting && dead.contains(&peer.id))
        || regions.any(|node| dead.contains(&node))
}

#[test]
fn of_fifty_nodes_all_know_all_soon_the_dead_are_gone_and_the_rest_costs_little() {
    testing::simulate(1, async |network| {
        let mut crowd = Crowd::start(&network, SIZE).await;
        crowd
            .until("joining", Duration::from_secs(5), |node| {
                can_call(node, SIZE - 1)
            })
            .await;
        // Connections that only the beginning needed are let go.
        sleep(Duration::from_secs(20)).await; // sleep: simulated
        let before = crowd.sent();
        sleep(Duration::from_secs(10)).await; // sleep: simulated
        for ((node, before), after) in crowd.living().zip(before).zip(crowd.sent()) {
            assert!(after - before < 10 * 20_000, "{} bytes", after - before);
            assert!(node.stats().connections < 40, "{:?}", node.stats());
        }

        let dead: BTreeSet<NodeId> = (3..SIZE)
            .step_by(11)
            .map(|number| {
                let node = crowd.nodes[number].take().expect("it ran");
                let id = node.id().clone();
                crash(&crowd.hosts[number], node);
                id
            })
            .collect();
        crowd
            .until("the dead", Duration::from_secs(10), |node| {
                !would_call(node, &dead) && node.stats().members == SIZE - 1 - dead.len()
            })
            .await;
        for node in crowd.living().step_by(9) {
            for number in 0..REGIONS {
                let answer = known_to_all_on_region(region(number), 7).via(node).await;
                assert_eq!(answer.expect("somebody is there"), 7);
            }
        }
    });
}

#[test]
fn a_function_that_one_node_has_after_a_deploy_can_be_called_by_all_within_five_seconds() {
    testing::simulate(2, async |network| {
        let mut crowd = Crowd::start(&network, SIZE).await;
        crowd
            .until("joining", Duration::from_secs(5), |node| {
                can_call(node, SIZE - 1)
            })
            .await;
        let upgraded = crowd.nodes[17].take().expect("it ran");
        upgraded.shutdown().await;
        let node = crowd.builder(17).start().await;
        crowd.nodes[17] = Some(node.expect("a sound configuration"));
        let began = Instant::now();
        for node in crowd.living() {
            let mut answer = new_to_all_on_region(region(17), 7).via(node).await;
            while answer.is_err() && began.elapsed() < Duration::from_secs(5) {
                sleep(LOOK).await; // sleep: simulated, and there is nothing to be told by
                answer = new_to_all_on_region(region(17), 7).via(node).await;
            }
            assert_eq!(answer.expect("it is known"), 7);
        }
    });
}

/// Longer than the dead are remembered: then nobody asks any more whether they are.
#[test]
fn who_was_cut_off_until_everybody_forgot_everybody_finds_them_again() {
    testing::simulate(4, async |network| {
        let crowd = Crowd::start(&network, FEW).await;
        let all_know_all = |node: &Node| can_call(node, FEW - 1);
        crowd
            .until("joining", Duration::from_secs(5), all_know_all)
            .await;
        network.partition(&[&crowd.hosts[FEW - 1]]);
        sleep(Duration::from_secs(660)).await; // sleep: simulated
        for node in crowd.living() {
            let others = if node.id().as_str() == format!("n{}", FEW - 1) {
                0
            } else {
                FEW - 2
            };
            assert_eq!(node.stats().members, others, "{}", node.id());
        }
        network.heal();
        crowd
            .until("healing", Duration::from_secs(30), all_know_all)
            .await;
    });
}

#[test]
fn a_region_that_one_node_calls_much_shares_the_calls() {
    testing::simulate(3, async |network| {
        let crowd = Crowd::start(&network, SIZE).await;
        crowd
            .until("joining", Duration::from_secs(5), |node| {
                can_call(node, SIZE - 1)
            })
            .await;
        sleep(Duration::from_secs(20)).await; // sleep: simulated
        let caller = crowd.nodes[8].clone().expect("it runs");
        let mut calls = JoinSet::new();
        for _ in 0..3_000 {
            let caller = caller.clone();
            calls.spawn(async move { work_somewhere_on_region(region(5)).via(&caller).await });
            sleep(Duration::from_millis(4)).await; // sleep: simulated, the pace of calls
        }
        let mut served: BTreeMap<String, usize> = BTreeMap::new();
        while let Some(call) = calls.join_next().await {
            let node = call.expect("no panic").expect("there are five");
            *served.entry(node).or_default() += 1;
        }
        // Some 60 calls at a time, of which each of four has 15.
        assert!(served.len() >= 4, "{served:?}");
        let most = served.values().max().copied();
        assert!(most < Some(1_500), "{served:?}");
    });
}

const SIZE: usize = 50;
/// A few more than are all connected with each other.
const FEW: usize = 18;
const REGIONS: usize = 10;
const LOOK: Duration = Duration::from_millis(50);
