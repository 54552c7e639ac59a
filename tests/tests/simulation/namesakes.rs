//! Two processes with one id, in a cluster that gossips.

use std::time::Duration;

use fly_rpc::{
    ClusterSecret, Executed, Node, PeerState, region_rpc,
    testing::{self, Host},
};
use fly_rpc_tests::Log;
use tokio::time::{Instant, sleep};

use crate::ledger::Ledger;

/// Where it runs.
#[region_rpc]
pub(crate) fn whereabouts() -> String {
    let node = fly_rpc::node().expect("a handler runs in its node");
    node.region().to_string()
}

#[test]
fn of_two_with_one_id_the_older_yields_and_says_so_and_calls_reach_the_later_alone() {
    testing::simulate(3, async |network| {
        let (log, _kept) = Log::start();
        let secret = ClusterSecret::generate();
        let hosts: Vec<Host> = (0..5).map(|_| network.host()).collect();
        let start = async |host: usize, id: &str, region: &str| {
            let builder = Node::builder()
                .cluster("namesakes")
                .secret(secret.clone())
                .id(id)
                .region(region)
                .primary_region("r0")
                .peers([hosts[0].address().to_string()])
                .state(Ledger::default())
                .gossip(true)
                .simulated(&hosts[host]);
            builder.start().await.expect("a sound configuration")
        };
        let first = start(0, "first", "r0").await;
        let second = start(1, "second", "r1").await;
        let third = start(2, "third", "r2").await;
        let older = start(3, "twin", "old").await;
        sleep(Duration::from_secs(5)).await; // sleep: simulated
        let answer = whereabouts_on("@node(twin)").via(&second).await;
        assert_eq!(answer.expect("it is there"), "old");

        let later = start(4, "twin", "new").await;
        sleep(Duration::from_secs(5)).await; // sleep: simulated
        let began = Instant::now();
        let mut sent = [0; 3];
        while began.elapsed() < Duration::from_secs(40) {
            for (node, sent) in [&first, &second, &third].into_iter().zip(&mut sent) {
                let answer = whereabouts_on("@node(twin)").via(node).await;
                assert_eq!(answer.expect("the later one is there"), "new");
                let peers = node.peers();
                let twins: Vec<_> = peers.iter().filter(|peer| peer.id == *later.id()).collect();
                assert_eq!(twins.len(), 1, "{twins:?}");
                assert_eq!(
                    (twins[0].state, twins[0].region.as_str()),
                    (PeerState::Connected, "new")
                );
                // One connection all the time: what was sent on it only grows.
                assert!(twins[0].requests_sent > *sent, "{twins:?}");
                *sent = twins[0].requests_sent;
                assert!(node.region_nodes("old").is_empty());
            }
            sleep(Duration::from_millis(200)).await; // sleep: simulated, the pace of calls
        }
        let named = log.lines("another process, started later, has this node's id");
        assert_eq!(named.len(), 1, "{named:?}");
        // Whoever asks the older one is told that nothing ran, or is answered by it.
        match whereabouts_on("@region(r1)").via(&older).await {
            Ok(region) => assert_eq!(region, "r1"),
            Err(error) => assert_eq!(error.executed(), Executed::No, "{error}"),
        }
    });
}
