//! Which node a call goes to while nodes die, drain, fail, join and leave.

use std::time::Duration;

use fly_rpc::{
    BreakerState, ClusterSecret, Executed, Node, Reason, RpcError, region_rpc,
    testing::{self, Conditions, Host, Network},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    application::{answer, read_on, transfer_on},
    fleet::{Fleet, below},
};

/// The region and the id of the node that it runs on, after so many milliseconds.
#[region_rpc]
async fn home(takes: u64) -> (String, String) {
    if takes > 0 {
        sleep(Duration::from_millis(takes)).await; // sleep: it is the work
    }
    let node = fly_rpc::node().expect("a handler runs in its node");
    (node.region().to_string(), node.id().to_string())
}

/// A caller in `lax`, a node near it, one in `sjc` and one in `syd`, each farther away.
async fn along_the_coast(network: &Network) -> (Fleet, Node) {
    let mut fleet = Fleet::new(network, &["lax", "lax", "sjc", "syd"]);
    for (other, millis) in [(1, 1), (2, 8), (3, 70)] {
        way(
            network,
            &fleet.machines[0].host,
            &fleet.machines[other].host,
            millis,
            0,
        );
    }
    fleet.start_all().await;
    fleet.whole(SOON).await;
    let caller = fleet.machines[0].node.clone().expect("started");
    (fleet, caller)
}

/// A way of so many milliseconds, both ways.
fn way(network: &Network, one: &Host, other: &Host, millis: u64, jitter: u64) {
    for (from, to) in [(one, other), (other, one)] {
        let conditions = Conditions {
            delay: Duration::from_millis(millis),
            jitter: Duration::from_millis(jitter),
            ..Conditions::default()
        };
        network.set_path(from, to, conditions);
    }
}

/// What became of a call, and when it was made.
#[derive(Debug)]
struct Called {
    at: Instant,
    took: Duration,
    region: Result<String, RpcError>,
}

/// Calls the nearest every 20 ms for so long.
async fn call_nearest(caller: &Node, lasts: Duration) -> Vec<Called> {
    let mut calls = JoinSet::new();
    let began = Instant::now();
    while began.elapsed() < lasts {
        let caller = caller.clone();
        calls.spawn(async move {
            let at = Instant::now();
            let home = home_on("@nearest", 0).via(&caller).await;
            Called {
                at,
                took: at.elapsed(),
                region: home.map(|(region, _)| region),
            }
        });
        sleep(Duration::from_millis(20)).await; // sleep: simulated, the pace of calls
    }
    let mut calls = calls.join_all().await;
    calls.sort_by_key(|call| call.at);
    calls
}

fn region(call: &Called) -> &str {
    call.region.as_deref().unwrap_or("failed")
}

#[test]
fn when_the_nearest_node_dies_calls_go_to_the_next_region_within_a_second_and_come_back() {
    let explored = testing::explore(8, Duration::from_secs(60), async |network| {
        let (mut fleet, caller) = along_the_coast(&network).await;
        let before = call_nearest(&caller, Duration::from_secs(5)).await;
        assert!(
            before.iter().all(|call| region(call) == "lax"),
            "{before:?}"
        );
        let died = Instant::now();
        fleet.crash(1);
        let after = call_nearest(&caller, Duration::from_secs(30)).await;
        let late = after
            .iter()
            .filter(|call| call.at >= died + Duration::from_secs(1));
        for call in late {
            assert_eq!(
                region(call),
                "sjc",
                "{:?} after its death: {call:?}",
                call.at - died
            );
            assert!(call.took < Duration::from_secs(1), "{call:?}");
        }
        fleet.start(1).await;
        let back = Instant::now();
        let after = call_nearest(&caller, Duration::from_secs(40)).await;
        let changes: Vec<&Called> = after
            .windows(2)
            .filter(|pair| region(&pair[0]) != region(&pair[1]))
            .map(|pair| &pair[1])
            .collect();
        assert_eq!(changes.len(), 1, "{changes:?}");
        let held = changes[0].at - back;
        assert_eq!(region(changes[0]), "lax");
        assert!((9..=25).contains(&held.as_secs()), "{held:?}");
    });
    println!("{explored:?}");
}

#[test]
fn when_the_nearest_node_drains_no_call_fails_and_the_next_region_takes_over_at_once() {
    let explored = testing::explore(8, Duration::from_secs(60), async |network| {
        let (fleet, caller) = along_the_coast(&network).await;
        let nearest = fleet.machines[1].node.clone().expect("started");
        let calls = call_nearest(&caller, Duration::from_secs(7));
        let drains = async {
            sleep(Duration::from_secs(5)).await; // sleep: simulated
            let drained = Instant::now();
            nearest.shutdown().await;
            drained
        };
        let (calls, drained) = tokio::join!(calls, drains);
        for call in &calls {
            let expected = if call.at <= drained { "lax" } else { "sjc" };
            // What is under way in that moment may end in either.
            let is_near = call.at + Duration::from_millis(100) >= drained
                && call.at <= drained + Duration::from_millis(100);
            assert!(call.region.is_ok(), "{call:?}");
            assert!(is_near || region(call) == expected, "{call:?}");
        }
    });
    println!("{explored:?}");
}

#[test]
fn regions_as_far_as_each_other_are_not_switched_between() {
    let explored = testing::explore(4, Duration::from_secs(60), async |network| {
        let mut fleet = Fleet::new(&network, &["lax", "sjc", "sea"]);
        for other in [1, 2] {
            way(
                &network,
                &fleet.machines[0].host,
                &fleet.machines[other].host,
                20,
                4,
            );
        }
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let caller = fleet.machines[0].node.clone().expect("started");
        let calls = call_nearest(&caller, Duration::from_secs(120)).await;
        let changes = calls
            .windows(2)
            .filter(|pair| region(&pair[0]) != region(&pair[1]));
        let changes: Vec<Instant> = changes.map(|pair| pair[1].at).collect();
        let too_soon = changes
            .windows(2)
            .filter(|pair| pair[1] - pair[0] < Duration::from_secs(10));
        assert_eq!(too_soon.count(), 0, "{changes:?}");
    });
    println!("{explored:?}");
}

#[test]
fn a_region_that_is_gone_is_never_replaced_by_another() {
    let explored = testing::explore(8, Duration::from_secs(60), async |network| {
        let mut fleet = Fleet::new(&network, &["lax", "fra", "syd"]);
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let caller = fleet.machines[0].node.clone().expect("started");
        let home = async || home_on_region("fra", 0).via(&caller).await;
        assert_eq!(home().await.expect("it is there").0, "fra");
        fleet.crash(1);
        sleep(NOTICED).await; // sleep: simulated
        let error = home().await.expect_err("nobody is there");
        assert!(
            matches!(
                error,
                RpcError::NoNode { .. } | RpcError::Unreachable { .. }
            ),
            "{error}"
        );
        assert_eq!(error.executed(), Executed::No);
        let nowhere = home_on_region("cdg", 0).via(&caller).await;
        assert!(
            matches!(nowhere, Err(RpcError::NoNode { .. })),
            "{nowhere:?}"
        );
        // Nor is the primary, unless the caller wrote what comes after it.
        fleet.crash(2);
        sleep(NOTICED).await; // sleep: simulated
        assert!(home_on_primary(0).via(&caller).await.is_err());
        let any = home_on("@primary, @any", 0).via(&caller).await;
        assert_eq!(any.expect("this node is one").0, "lax");
    });
    println!("{explored:?}");
}

#[test]
fn a_fallback_is_never_taken_after_a_call_that_may_have_run_unless_it_is_idempotent() {
    let explored = testing::explore(8, Duration::from_secs(60), async |network| {
        let mut fleet = Fleet::new(&network, &["lax", "hkg", "sin"]);
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let caller = fleet.machines[0].node.clone().expect("started");
        let target = "@region(hkg), @region(sin)";
        let (once, again) = (fleet.ledger.open(false), fleet.ledger.open(true));
        let calls = async {
            let patient = Duration::from_secs(60);
            tokio::join!(
                transfer_on(target, once, 5_000)
                    .timeout(patient)
                    .via(&caller),
                read_on(target, again, 5_000).timeout(patient).via(&caller),
            )
        };
        let (caller, crash) = (caller.clone(), async {
            sleep(Duration::from_secs(1)).await; // sleep: simulated
            fleet.crash(1);
        });
        let ((transferred, was_read), ()) = tokio::join!(calls, crash);
        let error = transferred.expect_err("its node died");
        assert_eq!(error.executed(), Executed::Unknown, "{error}");
        assert_eq!(was_read.expect("the other region has it"), answer(again));
        // Nothing of the first is left.
        let id = fleet.ledger.open(false);
        let answered = transfer_on(target, id, 0).via(&caller).await;
        assert_eq!(answered.expect("the other region"), answer(id));
    });
    println!("{explored:?}");
}

#[test]
fn a_node_that_does_not_answer_is_left_out_seen_to_be_and_taken_back() {
    let explored = testing::explore(8, Duration::from_secs(60), async |network| {
        let mut fleet = Fleet::new(&network, &["lax", "hkg", "sin"]);
        fleet.start_all().await;
        fleet.whole(SOON).await;
        let caller = fleet.machines[0].node.clone().expect("started");
        let hkg = fleet.machines[1]
            .node
            .clone()
            .expect("started")
            .id()
            .clone();
        let target = "@region(hkg), @region(sin)";
        for _ in 0..5 {
            let hangs = home_on(target, 60_000).via(&caller);
            let error = hangs.timeout(Duration::from_millis(100)).await;
            assert!(matches!(error, Err(RpcError::Timeout { .. })), "{error:?}");
        }
        let state = || {
            let peers = caller.peers();
            let peer = peers.iter().find(|peer| peer.id == hkg).expect("known");
            (peer.breaker, peer.latency)
        };
        let (breaker, latency) = state();
        let BreakerState::Open { remaining } = breaker else {
            panic!("{breaker:?}")
        };
        assert!(remaining <= Duration::from_millis(1_200), "{remaining:?}");
        assert!(latency >= Some(Duration::from_millis(99)), "{latency:?}");
        let explanation = caller.explain(target, "home");
        println!("{explanation}");
        let reason = explanation.nodes.iter().find(|node| node.node == hkg);
        assert!(
            reason.is_some_and(|node| matches!(node.reason, Reason::LeftOut { .. })),
            "{explanation}"
        );
        assert_eq!(home_on(target, 0).via(&caller).await.expect("sin").0, "sin");
        sleep(remaining).await; // sleep: simulated
        assert_eq!(home_on(target, 0).via(&caller).await.expect("hkg").0, "hkg");
        let (breaker, latency) = state();
        assert!(
            matches!(breaker, BreakerState::Recovering { .. }),
            "{breaker:?}"
        );
        assert!(latency < Some(Duration::from_millis(50)), "{latency:?}");
    });
    println!("{explored:?}");
}

#[test]
fn nodes_that_join_and_leave_cost_no_call_unless_they_are_killed() {
    let explored = testing::explore(2, Duration::from_secs(120), async |network| {
        let chance = network.chance().clone();
        network.set_conditions(Conditions {
            delay: Duration::from_millis(5),
            ..Conditions::default()
        });
        let secret = ClusterSecret::generate();
        let host = network.host();
        let start = async |host: &Host, id: String, peers: Vec<String>| {
            let node = Node::builder()
                .secret(secret.clone())
                .id(id.as_str())
                .region("lax")
                .primary_region("lax")
                .peers(peers)
                .state(crate::ledger::Ledger::default())
                .simulated(host);
            node.start().await.expect("a sound configuration")
        };
        let caller = start(&host, "caller".to_owned(), Vec::new()).await;
        let mut calls = JoinSet::new();
        let mut others: Vec<(Host, Node)> = Vec::new();
        let mut killed = Vec::new();
        // A hundred join in four seconds, and leave in six.
        for step in 0..500_usize {
            if step < 200 && step % 2 == 0 || others.len() < 3 {
                let other = network.host();
                let id = format!("n{}", others.len());
                let node = start(&other, id, vec![host.address().to_string()]).await;
                others.push((other, node));
                timeout(SOON, caller.wait_for("@elsewhere", SOON))
                    .await
                    .expect("in time")
                    .expect("one");
            }
            if step >= 200 && step % 3 == 0 && others.len() > 3 {
                let gone = below(&chance, others.len() as u64) as usize;
                let (host, node) = others.swap_remove(gone);
                if step % 12 == 0 {
                    killed.push(node.id().to_string());
                    testing::crash(&host, node);
                } else {
                    calls.spawn(async move {
                        node.shutdown().await;
                        Ok(())
                    });
                }
            }
            let caller = caller.clone();
            let takes = below(&chance, 30);
            calls.spawn(async move {
                let call = home_on("@elsewhere", takes).via(&caller);
                call.timeout(Duration::from_secs(2)).await.map(|_| ())
            });
            sleep(Duration::from_millis(20)).await; // sleep: simulated, the pace of calls
        }
        let outcomes = calls.join_all().await;
        let failed: Vec<RpcError> = outcomes.into_iter().filter_map(Result::err).collect();
        // What was in flight there, and what was sent in the moment before it showed.
        assert!(killed.len() >= 20, "{killed:?}");
        assert!(
            failed.len() <= 3 * killed.len(),
            "{} killed: {failed:?}",
            killed.len()
        );
        for error in &failed {
            assert_eq!(error.executed(), Executed::Unknown, "{error}");
        }
        println!("{} failed, {} killed", failed.len(), killed.len());
    });
    println!("{explored:?}");
}

const SOON: Duration = Duration::from_secs(30);
/// A silent connection is given up after 12 s.
const NOTICED: Duration = Duration::from_secs(15);
