//! Nodes that find each other through DNS, and what becomes of them when it fails.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fly_rpc::{
    ClusterSecret, Executed, Node, NodeBuilder, PeerInfo, PeerState, RpcError, Target,
    discovery::{Fixed, FlyDns, Sighting},
    region_rpc,
};
use fly_rpc_tests::{
    SOON,
    name_server::{Mood, NameServer, Zone},
};
use tokio::time::{interval, timeout};

use crate::QUICK;

#[region_rpc]
fn double(number: u32) -> u32 {
    number * 2
}

/// Machines on addresses of their own, all with the same port, and the name server that they ask.
struct Platform {
    server: NameServer,
    secret: ClusterSecret,
}

impl Platform {
    async fn new(machines: &[(&str, u8, &str)]) -> Self {
        Self {
            server: NameServer::start(zone(machines)).await,
            secret: ClusterSecret::generate(),
        }
    }

    /// Where machine number `n` is. The port is the name server's, which nobody else in this test
    /// run has.
    fn address(&self, n: u8) -> SocketAddr {
        SocketAddr::new(place(n), self.server.address().port())
    }

    fn says(&self, machines: &[(&str, u8, &str)]) {
        self.server.set_zone(zone(machines));
    }

    /// A node that knows nobody.
    fn builder(&self, id: &str, n: u8, region: &str) -> NodeBuilder {
        Node::builder()
            .cluster("web")
            .secret(self.secret.clone())
            .id(id)
            .region(region)
            .primary_region("syd")
            .bind(self.address(n))
    }

    fn dns(&self, id: &str) -> FlyDns {
        FlyDns::of("web")
            .port(self.server.address().port())
            .name_server(self.server.address())
            .interval(QUICK)
            .own_machine(id)
    }

    /// A node that knows the name server.
    async fn node(&self, id: &str, n: u8, region: &str) -> Node {
        let builder = self.builder(id, n, region).discovery(self.dns(id));
        builder.start().await.expect("started")
    }
}

fn place(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

fn zone(machines: &[(&str, u8, &str)]) -> Zone {
    let machines: Vec<_> = machines
        .iter()
        .map(|(id, n, region)| (*id, place(*n), *region))
        .collect();
    Zone::of_fly("web", &machines)
}

async fn sees(node: &Node, others: &[&str]) {
    for other in others {
        node.wait_for(Target::Node((*other).into()), SOON)
            .await
            .unwrap_or_else(|error| panic!("{} sees {other}: {error}", node.id()));
    }
}

/// Waits until what a node knows of the others is as it should be.
async fn until(node: &Node, what: &str, is_so: impl Fn(&[PeerInfo]) -> bool) {
    let mut look = interval(QUICK);
    let wait = async {
        while !is_so(&node.peers()) {
            look.tick().await;
        }
    };
    let waited = timeout(SOON, wait).await;
    assert!(waited.is_ok(), "{what}: {:?}", node.peers());
}

async fn calls(node: &Node, other: &str) {
    let call = double_on(Target::Node(other.into()), 21).via(node);
    assert_eq!(call.await.expect("it is there"), 42);
}

#[tokio::test]
async fn a_cluster_forms_from_the_secret_and_dns_outlives_it_and_finds_who_moved() {
    let machines = [("a1", 11, "syd"), ("b2", 12, "iad"), ("c3", 13, "ord")];
    let mut platform = Platform::new(&machines).await;
    let a = platform.node("a1", 11, "syd").await;
    let b = platform.node("b2", 12, "iad").await;
    let c = platform.node("c3", 13, "ord").await;
    sees(&a, &["b2", "c3"]).await;
    sees(&b, &["a1", "c3"]).await;
    sees(&c, &["a1", "b2"]).await;
    calls(&a, "c3").await;

    // Without DNS those that know each other go on.
    platform.server.go().await;
    calls(&a, "b2").await;
    calls(&b, "c3").await;

    // Meanwhile a machine is moved to another address, where it finds nobody and nobody finds it.
    c.shutdown().await;
    let c = platform.node("c3", 14, "ord").await;
    assert_eq!(c.peers(), []);
    calls(&a, "b2").await;
    let error = double_on(Target::Node("c3".into()), 1).via(&a).await;
    assert_eq!(error.expect_err("moved").executed(), Executed::No);

    platform.says(&[("a1", 11, "syd"), ("b2", 12, "iad"), ("c3", 14, "ord")]);
    platform.server.come_back().await;
    sees(&a, &["c3"]).await;
    sees(&b, &["c3"]).await;
    sees(&c, &["a1", "b2"]).await;
    calls(&a, "c3").await;
    let there = platform.address(14);
    until(&a, "one peer for each machine, where it is now", |peers| {
        peers.len() == 2 && peers.iter().any(|peer| peer.address == there)
    })
    .await;
}

#[tokio::test]
async fn no_bad_answer_costs_a_node_that_was_found() {
    let platform = Platform::new(&[("a1", 21, "syd"), ("b2", 22, "iad")]).await;
    let a = platform.node("a1", 21, "syd").await;
    let b = platform.node("b2", 22, "iad").await;
    sees(&a, &["b2"]).await;
    sees(&b, &["a1"]).await;
    for mood in [Mood::Empty, Mood::NoSuchName, Mood::Fails, Mood::Garbage] {
        platform.server.set_mood(mood);
        platform.server.wait_for_questions(3).await;
        calls(&a, "b2").await;
    }
    // Not only the connection is still there: it is made again after a restart.
    b.shutdown().await;
    let _b = platform
        .builder("b2", 22, "iad")
        .start()
        .await
        .expect("started");
    sees(&a, &["b2"]).await;
    calls(&a, "b2").await;
}

#[tokio::test]
async fn another_machine_at_an_old_address_is_not_the_one_before() {
    let platform = Platform::new(&[("a1", 31, "syd"), ("b2", 32, "iad")]).await;
    // What DNS says is old: the address has been given to another machine of the cluster.
    let _x = platform
        .builder("x9", 32, "ord")
        .start()
        .await
        .expect("started");
    let a = platform.node("a1", 31, "syd").await;
    let error = double_on(Target::Node("b2".into()), 1).via(&a).await;
    let error = error.expect_err("nobody answers for it");
    assert!(matches!(error, RpcError::Unreachable { .. }), "{error}");
    assert_eq!(error.executed(), Executed::No);
    assert!(
        a.peers()
            .iter()
            .all(|peer| peer.state == PeerState::Connecting)
    );

    platform.says(&[("a1", 31, "syd"), ("x9", 32, "ord")]);
    sees(&a, &["x9"]).await;
    calls(&a, "x9").await;
    until(&a, "the machine that is no more is forgotten", |peers| {
        peers.len() == 1
    })
    .await;
}

#[tokio::test]
async fn addresses_without_names_are_enough() {
    let platform = Platform::new(&[]).await;
    // Fly's own addresses are IPv6, so that these come from a plain source.
    let addresses = [platform.address(41), platform.address(42)];
    let start = async |id: &str, n, region: &str| {
        let builder = platform.builder(id, n, region);
        let node = builder.discovery(Fixed::new(addresses)).start().await;
        node.expect("started")
    };
    let a = start("a1", 41, "syd").await;
    let b = start("b2", 42, "iad").await;
    sees(&a, &["b2"]).await;
    sees(&b, &["a1"]).await;
}

#[tokio::test]
async fn an_address_is_dialled_while_any_source_names_it() {
    let platform = Platform::new(&[("a1", 51, "syd"), ("b2", 52, "iad"), ("c3", 53, "ord")]).await;
    let c = Sighting::new(platform.address(53)).node("c3").region("ord");
    let a = platform.builder("a1", 51, "syd");
    let a = a.discovery(platform.dns("a1")).discovery(Fixed::new([c]));
    let a = a.start().await.expect("started");
    // Nobody is there, so that what is dialled is all that is known.
    let ids = |peers: &[PeerInfo]| -> Vec<String> {
        peers.iter().map(|peer| peer.id.to_string()).collect()
    };
    until(&a, "both are dialled", |peers| ids(peers) == ["b2", "c3"]).await;
    platform.says(&[("a1", 51, "syd")]);
    until(&a, "one is still named", |peers| ids(peers) == ["c3"]).await;
}
