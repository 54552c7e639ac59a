//! The primary moves while the network is cut, on simulated time.

use std::time::Duration;

use fly_rpc::{
    ClusterSecret, Executed, Node, PrimaryWord, Target,
    testing::{self, Host, Network},
};
use fly_rpc_tests::Log;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    functions::{Ledger, write_on_primary},
    sources::Told,
};

/// Machines that all dial each other; the primary is in `syd` until somebody says otherwise.
struct Fleet {
    secret: ClusterSecret,
    ledger: Ledger,
    hosts: Vec<(Host, &'static str)>,
    nodes: Vec<Node>,
}

impl Fleet {
    fn new(network: &Network, regions: &[&'static str]) -> Self {
        let hosts = regions.iter().map(|region| (network.host(), *region));
        Self {
            secret: ClusterSecret::generate(),
            ledger: Ledger::default(),
            hosts: hosts.collect(),
            nodes: Vec::new(),
        }
    }

    async fn start(&mut self, sources: impl IntoIterator<Item = Told>) {
        let mut sources = sources.into_iter();
        for place in 0..self.hosts.len() {
            let node = self.node(place, sources.next()).await;
            self.nodes.push(node);
        }
        for node in &self.nodes {
            for other in &self.nodes {
                let target = Target::from(other.id());
                node.wait_for(target, SOON).await.expect("connected");
            }
        }
    }

    async fn node(&self, place: usize, source: Option<Told>) -> Node {
        let (host, region) = &self.hosts[place];
        let others = self
            .hosts
            .iter()
            .filter(|(other, _)| other.address() != host.address());
        let mut builder = Node::builder()
            .cluster("simulated")
            .secret(self.secret.clone())
            .id(format!("{region}-{place}"))
            .region(*region)
            .primary_region("syd")
            .peers(others.map(|(other, _)| other.address().to_string()))
            .state(self.ledger.clone())
            .state(fly_rpc_tests::Probe::new())
            .simulated(host);
        if let Some(source) = source {
            builder = builder.primary_source(source);
        }
        builder.start().await.expect("a sound configuration")
    }

    /// Waits until all see the primary there; returns how long that took.
    async fn agree(&self, region: &str, at_most: Duration) -> Duration {
        let began = Instant::now();
        let sees = |node: &Node| *node.primary_region() == region.into();
        while !self.nodes.iter().all(sees) {
            assert!(began.elapsed() < at_most, "{:?}", self.views());
            sleep(LOOK).await; // sleep: simulated
        }
        began.elapsed()
    }

    fn views(&self) -> Vec<String> {
        let nodes = self.nodes.iter();
        nodes.map(|node| node.primary().to_string()).collect()
    }

    /// A write from each node, all at the same time.
    async fn write_from_all(&self, first: u64) -> Vec<Result<String, Executed>> {
        let mut writes = JoinSet::new();
        for (place, node) in self.nodes.iter().enumerate() {
            let (id, node, ledger) = (first + place as u64, node.clone(), self.ledger.clone());
            writes.spawn(async move {
                let outcome = write_on_primary(id).via(&node).await;
                ledger.check(id, &outcome);
                (place, outcome.map_err(|error| error.executed()))
            });
        }
        let mut outcomes = writes.join_all().await;
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

#[test]
fn a_move_during_a_partition_is_known_to_all_soon_after_it_heals() {
    let explored = testing::explore(20, SOON, async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "syd", "hkg", "hkg", "dfw"]);
        fleet.start([]).await;
        network.partition(&[&fleet.hosts[0].0, &fleet.hosts[1].0]);
        let mover = 2 + network.chance().number() as usize % 3;
        fleet.nodes[mover]
            .set_primary_region("hkg")
            .expect("a region");
        // Each side goes on with what it knows. What was under way when the cut came is in doubt.
        fleet.write_from_all(0).await;
        sleep(NOTICED).await; // sleep: simulated
        let outcomes = fleet.write_from_all(10).await;
        let side = |region: &str, places: std::ops::Range<usize>| {
            outcomes[places]
                .iter()
                .all(|outcome| *outcome == Ok(region.to_owned()))
        };
        assert!(side("syd", 0..2) && side("hkg", 2..5), "{outcomes:?}");
        network.heal();
        let took = fleet.agree("hkg", HEALED).await;
        assert!(took < HEALED, "{took:?}");
        for node in &fleet.nodes {
            node.wait_for("hkg", HEALED).await.expect("healed");
        }
        let outcomes = fleet.write_from_all(20).await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| *outcome == Ok("hkg".to_owned())),
            "{outcomes:?}"
        );
    });
    println!("{explored:?}");
}

#[test]
fn if_both_sides_of_a_partition_moved_it_the_one_with_more_moves_wins_and_of_equals_one() {
    let explored = testing::explore(10, SOON, async |network| {
        for (moves, wins) in [(1, "hkg"), (2, "dfw")] {
            let mut fleet = Fleet::new(&network, &["syd", "hkg", "dfw"]);
            fleet.start([]).await;
            network.partition(&[&fleet.hosts[0].0]);
            fleet.nodes[1].set_primary_region("hkg").expect("a region");
            for region in ["syd", "dfw"].iter().skip(2 - moves) {
                fleet.nodes[0]
                    .set_primary_region(*region)
                    .expect("a region");
            }
            sleep(NOTICED).await; // sleep: simulated
            network.heal();
            fleet.agree(wins, HEALED).await;
        }
    });
    println!("{explored:?}");
}

#[test]
fn a_source_that_restarts_is_believed_once_nobody_vouches_for_what_it_said_before() {
    testing::simulate(3, async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "hkg", "dfw"]);
        let (say, told) = Told::new();
        for region in ["syd", "dfw", "hkg"] {
            say.send(PrimaryWord::new(region)).expect("heard");
        }
        fleet.start([told]).await;
        fleet.agree("hkg", SOON).await;
        assert!(fleet.nodes[1].primary().epoch > 1);
        // It stops, the primary moves, and it starts again: its first word is older than the last of its
        // former life, which the others still hold.
        fleet.nodes.remove(0).shutdown().await;
        let (say, told) = Told::new();
        say.send(PrimaryWord::new("syd")).expect("heard");
        fleet.nodes.push(fleet.node(0, Some(told)).await);
        fleet.agree("hkg", Duration::from_secs(2)).await;
        let took = fleet.agree("syd", Duration::from_secs(8)).await;
        assert!(took > Duration::from_secs(3), "{took:?}");
    });
}

#[test]
fn two_living_sources_that_disagree_are_named_and_do_not_push_it_back_and_forth() {
    let (log, _guard) = Log::start();
    testing::simulate(4, async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "hkg", "dfw"]);
        let (one, told_one) = Told::new();
        let (other, told_other) = Told::new();
        one.send(PrimaryWord::new("syd")).expect("heard");
        other.send(PrimaryWord::new("hkg")).expect("heard");
        fleet.start([told_one, told_other]).await;
        fleet.agree("syd", SOON).await;
        sleep(Duration::from_secs(600)).await; // sleep: simulated
        fleet.agree("syd", SOON).await;
        for node in &fleet.nodes {
            assert!(
                node.stats().primary_moves <= 3,
                "{}",
                node.stats().primary_moves
            );
        }
        assert_eq!(fleet.nodes[1].stats().primary_disagreements, 1);
        let lines = log.lines("nodes see the primary elsewhere");
        assert_eq!(lines.len(), 1, "{lines:?}");
        // When the one that is believed goes, the other is.
        fleet.nodes.remove(0).shutdown().await;
        fleet.agree("hkg", Duration::from_secs(8)).await;
    });
}

#[test]
fn an_absurd_epoch_holds_no_longer_than_its_author_says_it() {
    testing::simulate(5, async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "hkg", "dfw"]);
        let (sound, told_sound) = Told::new();
        let (absurd, told_absurd) = Told::new();
        sound
            .send(PrimaryWord::new("syd").epoch(41))
            .expect("heard");
        fleet.start([told_sound, told_absurd]).await;
        fleet.agree("syd", SOON).await;
        absurd
            .send(PrimaryWord::new("dfw").epoch(1 << 62))
            .expect("heard");
        fleet.agree("dfw", SOON).await;
        // It is corrected: from now on nobody vouches for what it said.
        absurd
            .send(PrimaryWord::new("syd").epoch(41))
            .expect("heard");
        fleet.agree("syd", Duration::from_secs(8)).await;
        for (epoch, region) in [(42, "hkg"), (43, "syd")] {
            for source in [&sound, &absurd] {
                let word = PrimaryWord::new(region).epoch(epoch);
                source.send(word).expect("heard");
            }
            fleet.agree(region, Duration::from_secs(8)).await;
        }
        // A hand does not have to wait.
        fleet.nodes[2].set_primary_region("dfw").expect("a region");
        fleet.agree("dfw", Duration::from_secs(1)).await;
    });
}

#[test]
fn nodes_that_are_configured_differently_are_seen_counted_and_named_once() {
    let (log, _guard) = Log::start();
    testing::simulate(6, async |network| {
        let mut fleet = Fleet::new(&network, &["syd", "hkg", "dfw"]);
        fleet.start([]).await;
        let host = network.host();
        let peers = fleet
            .hosts
            .iter()
            .map(|(host, _)| host.address().to_string());
        let odd = Node::builder()
            .cluster("simulated")
            .secret(fleet.secret.clone())
            .id("odd")
            .region("lax")
            .primary_region("lax")
            .peers(peers)
            .state(fleet.ledger.clone())
            .state(fly_rpc_tests::Probe::new())
            .simulated(&host);
        let odd = odd.start().await.expect("a sound configuration");
        for node in &fleet.nodes {
            let target = Target::from(odd.id());
            node.wait_for(target, SOON).await.expect("connected");
            let peers = node.peers();
            let peer = peers
                .iter()
                .find(|peer| peer.id == *odd.id())
                .expect("connected");
            assert_eq!(
                (peer.primary_region.as_str(), peer.primary_epoch),
                ("lax", 0)
            );
        }
        sleep(Duration::from_secs(60)).await; // sleep: simulated
        assert_eq!(odd.stats().primary_disagreements, 3);
        assert_eq!(fleet.nodes[0].stats().primary_disagreements, 1);
        assert_eq!(log.lines("nodes see the primary elsewhere").len(), 4);
        odd.set_primary_region("hkg").expect("a region");
        fleet.agree("hkg", Duration::from_secs(1)).await;
        sleep(Duration::from_secs(60)).await; // sleep: simulated
        assert_eq!(log.lines("sees the primary where this one does").len(), 4);
        assert_eq!(odd.stats().primary_disagreements, 3);
    });
}

const SOON: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);
/// Until a partition was noticed by whoever calls nobody.
const NOTICED: Duration = Duration::from_secs(20);
/// Until nodes that were cut off are connected again, and have told each other.
const HEALED: Duration = Duration::from_secs(15);
