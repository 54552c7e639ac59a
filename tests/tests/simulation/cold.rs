//! The first call to a node that nobody has connected yet.

use std::time::Duration;

use fly_rpc::{
    ClusterSecret, Identity, Node, NodeBuilder, PeerState, RpcError, Target,
    testing::{self, Conditions, Host, Network},
};
use tokio::time::{Instant, sleep};

use crate::{
    application::{answer, transfer_on, transfer_on_primary, transfer_v2_on},
    fleet::Fleet,
    ledger::Ledger,
    namesakes::whereabouts_on,
};

/// Machines a round trip apart, which do not gossip.
fn far(network: &Network, regions: &[&'static str]) -> Fleet {
    network.set_conditions(Conditions {
        delay: ROUND_TRIP / 2,
        ..Conditions::default()
    });
    let mut fleet = Fleet::new(network, regions);
    fleet.gossip = false;
    fleet
}

/// A large cluster that gossips and has let go of what nobody needs, and two of its machines that are
/// not connected.
async fn at_rest(network: &Network) -> (Fleet, usize, usize) {
    let mut fleet = far(
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

/// Starts nodes on these machines that dial nobody.
async fn start_dialled(fleet: &mut Fleet, machines: &[usize]) {
    for machine in machines {
        let node = fleet.builder(*machine).peers([""; 0]).start().await;
        fleet.machines[*machine].node = Some(node.expect("a sound configuration"));
    }
}

#[test]
fn a_process_that_has_just_begun_has_its_first_answer_after_two_round_trips() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg"]);
        start_dialled(&mut fleet, &[0]).await;
        let id = fleet.ledger.open(false);
        let began = Instant::now();
        fleet.start(1).await;
        let (syd, caller) = (&fleet.nodes()[0], &fleet.nodes()[1]);
        assert!(!is_connected(caller, syd));
        let explanation = caller.explain(Target::Primary, "transfer@1");
        assert_eq!(explanation.chosen.as_ref(), Some(syd.id()), "{explanation}");
        let outcome = transfer_on_primary(id, 0).via(caller).await;
        let took = began.elapsed();
        assert_eq!(outcome.expect("served"), answer(id));
        assert!(took <= ROUND_TRIP.mul_f64(2.1), "{took:?}");
        assert!(is_connected(caller, syd));
    });
}

#[test]
fn between_two_builds_a_first_call_takes_as_long() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg"]);
        fleet.machines[0].new_build = false;
        start_dialled(&mut fleet, &[0]).await;
        let id = fleet.ledger.open(false);
        let began = Instant::now();
        fleet.start(1).await;
        let outcome = transfer_on_primary(id, 0).via(&fleet.nodes()[1]).await;
        let took = began.elapsed();
        assert_eq!(outcome.expect("served"), answer(id));
        assert!(took <= ROUND_TRIP.mul_f64(2.1), "{took:?}");
    });
}

#[test]
fn of_targets_in_order_the_first_is_called_also_before_it_has_said_hello() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg", "lax"]);
        let [near, caller] = [1, 2].map(|place: usize| fleet.machines[place].host.clone());
        network.set_path(&near, &caller, Conditions::default());
        network.set_path(&caller, &near, Conditions::default());
        start_dialled(&mut fleet, &[0, 1]).await;
        fleet.start(2).await;
        let nodes = fleet.nodes();
        let (syd, hkg, lax) = (&nodes[0], &nodes[1], &nodes[2]);
        assert!(is_connected(lax, hkg) && !is_connected(lax, syd));
        // Where calls may go is indexed with the second one.
        let call = |_| tokio::spawn(whereabouts_on("@primary, @nearest").via(lax));
        let calls: Vec<_> = (0..4).map(call).collect();
        for call in calls {
            let region = call.await.expect("no panic");
            assert_eq!(region.expect("served"), "syd");
        }
    });
}

#[test]
fn a_word_by_hand_that_is_given_at_once_overrules_what_the_cluster_has_agreed_on() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg", "lax"]);
        start_dialled(&mut fleet, &[0]).await;
        fleet.start(1).await;
        for region in ["hkg", "syd", "hkg"] {
            let said = fleet.nodes()[0].set_primary_region(region);
            said.expect("a region");
        }
        sleep(ROUND_TRIP).await; // sleep: simulated
        fleet.start(2).await;
        let nodes = fleet.nodes();
        assert!(!is_connected(&nodes[2], &nodes[0]));
        nodes[2].set_primary_region("lax").expect("a region");
        sleep(5 * ROUND_TRIP).await; // sleep: simulated
        for node in nodes {
            assert_eq!(node.primary().to_string(), "lax (epoch 4)");
        }
    });
}

#[test]
fn who_stops_while_hellos_are_under_way_waits_for_none_of_them() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg"]);
        start_dialled(&mut fleet, &[0]).await;
        fleet.start(1).await;
        assert!(!is_connected(&fleet.nodes()[1], &fleet.nodes()[0]));
        let began = Instant::now();
        fleet.stop(1).await;
        // Less than the time that a hello may take.
        assert!(
            began.elapsed() <= Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    });
}

#[test]
fn a_first_call_of_what_the_other_end_turns_out_not_to_serve_runs_nothing() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["syd", "hkg"]);
        fleet.machines[0].new_build = false;
        start_dialled(&mut fleet, &[0]).await;
        fleet.start(1).await;
        let caller = &fleet.nodes()[1];
        assert!(!is_connected(caller, &fleet.nodes()[0]));
        let id = fleet.ledger.open(false);
        let outcome = transfer_v2_on(Target::Primary, id, 0, "note".into())
            .via(caller)
            .await;
        match &outcome {
            Err(RpcError::FunctionUnavailable { offered, .. }) => assert_eq!(*offered, [1]),
            other => panic!("{other:?}"),
        }
        fleet.ledger.settle(id, &outcome, 0);
        assert_eq!(fleet.ledger.check().not_run, 1);
        // What it does serve it serves as before.
        let id = fleet.ledger.open(false);
        let outcome = transfer_on_primary(id, 0).via(caller).await;
        assert_eq!(outcome.expect("served"), answer(id));
    });
}

#[test]
fn who_would_serve_as_the_primary_hears_the_others_out_before_it_starts() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = far(&network, &["hkg", "syd"]);
        fleet.start_all().await;
        let nodes = fleet.nodes();
        assert!(nodes[1].is_primary() && is_connected(&nodes[1], &nodes[0]));
    });
}

#[test]
fn a_certificate_of_another_life_costs_time_and_runs_nothing_in_the_wrong_place() {
    testing::explore(4, Duration::from_secs(60), async |network| {
        network.set_conditions(Conditions {
            delay: ROUND_TRIP / 2,
            ..Conditions::default()
        });
        let secret = ClusterSecret::generate();
        let ledger = Ledger::default();
        let builder = |host: &Host, region: &str| {
            let builder = Node::builder().cluster("simulated").region(region);
            let builder = builder.primary_region("syd").state(ledger.clone());
            builder.simulated(host)
        };
        let start = async |builder: NodeBuilder| builder.start().await.expect("sound");
        // Two nodes share what only one should have: the certificate says what holds for the second.
        let twin = Identity::from_secret(secret.clone(), None, "simulated", &"twin".into());
        let twin = twin.expect("a sound name");
        let [first, second, third] = std::array::from_fn(|_| network.host());
        let hkg = start(builder(&first, "hkg").identity(twin.clone())).await;
        let _gru = start(builder(&second, "gru").identity(twin)).await;
        let peers = [first.address().to_string()];
        let caller = start(builder(&third, "lhr").secret(secret).peers(peers)).await;

        let id = ledger.open(false);
        let outcome = transfer_on("@region(gru)", id, 0).via(&caller).await;
        assert!(
            matches!(outcome, Err(RpcError::Unreachable { .. })),
            "{outcome:?}"
        );
        ledger.settle(id, &outcome, answer(id));
        assert_eq!(ledger.check().not_run, 1, "{outcome:?}");
        let id = ledger.open(false);
        let outcome = transfer_on("@region(hkg)", id, 0)
            .via(&caller)
            .wait_ready()
            .await;
        assert_eq!(outcome.expect("served"), answer(id));
        assert!(is_connected(&caller, &hkg));
    });
}

const ROUND_TRIP: Duration = Duration::from_millis(100);
