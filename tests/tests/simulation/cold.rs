//! The first call to a node that nobody has connected yet.

use std::time::Duration;

use fly_rpc::{
    Node, PeerState,
    testing::{self, Conditions, Network},
};
use tokio::time::{Instant, sleep};

use crate::{
    application::{answer, transfer_on},
    fleet::Fleet,
};

/// A large cluster that gossips and has let go of what nobody needs, and two of its machines that are
/// not connected.
async fn at_rest(network: &Network) -> (Fleet, usize, usize) {
    network.set_conditions(Conditions {
        delay: ROUND_TRIP / 2,
        ..Conditions::default()
    });
    let mut fleet = Fleet::new(
        network,
        &["syd", "hkg", "dfw", "ams", "gru", "sin"].repeat(3),
    );
    fleet.gossip = true;
    fleet.start_together().await;
    // Connections that nobody uses are given up meanwhile.
    sleep(Duration::from_secs(60)).await; // sleep: simulated
    let nodes = fleet.nodes();
    let (from, to) = (1..nodes.len())
        .flat_map(|from| (1..nodes.len()).map(move |to| (from, to)))
        .find(|(from, to)| from != to && !is_connected(&nodes[*from], &nodes[*to]))
        .expect("in a large cluster not everybody is connected with everybody");
    (fleet, from, to)
}

fn is_connected(node: &Node, other: &Node) -> bool {
    node.peers()
        .iter()
        .any(|peer| peer.id == *other.id() && peer.state == PeerState::Connected)
}

#[test]
fn a_first_call_follows_the_hello_and_is_answered_after_two_round_trips() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let (fleet, from, to) = at_rest(&network).await;
        let (from, to) = (&fleet.nodes()[from], &fleet.nodes()[to]);
        let id = fleet.ledger.open(false);
        let began = Instant::now();
        let outcome = transfer_on(to.id(), id, 0).via(from).await;
        let took = began.elapsed();
        assert_eq!(outcome.expect("served"), answer(id));
        assert!(took <= ROUND_TRIP.mul_f64(2.1), "{took:?}");
        assert!(is_connected(from, to));
    });
}

#[test]
fn a_first_call_to_a_node_that_has_restarted_meanwhile_runs_once() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let (mut fleet, from, to) = at_rest(&network).await;
        fleet.crash(to);
        // Nobody can have heard of the new life yet.
        let later = tokio::spawn(fleet.builder(to).start());
        let caller = fleet.nodes()[from].clone();
        let target = fleet.machines[to].name.clone();
        let id = fleet.ledger.open(false);
        let outcome = transfer_on(format!("@node({target})").as_str(), id, 0)
            .via(&caller)
            .wait_ready()
            .await;
        fleet.ledger.settle(id, &outcome, answer(id));
        assert_eq!(fleet.ledger.check().right, 1, "{:?}", fleet.ledger.check());
        later
            .await
            .expect("no panic")
            .expect("a sound configuration");
    });
}

const ROUND_TRIP: Duration = Duration::from_millis(100);
