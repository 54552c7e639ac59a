//! What a call does: where it runs, what it gives, how it fails, and whether the function ran.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fly_rpc::{
    CallContext, CallError, Executed, Limits, Node, NodeId, Region, RpcError, Stage, Target, call,
    region_rpc,
};
use fly_rpc_tests::{Cluster, Probe, SOON};
use serde::{Deserialize, Serialize};

#[region_rpc]
fn upcase(text: &str) -> String {
    text.to_uppercase()
}

#[region_rpc]
async fn every_kind(
    owned: HashMap<String, Vec<u8>>,
    text: &str,
    bytes: &[u8],
    numbers: &[u32],
    pair: &(u8, String),
    maybe: Option<&str>,
) -> (usize, String, usize, u32, String, Option<String>) {
    tokio::task::yield_now().await;
    (
        owned.len(),
        text.to_owned(),
        bytes.len(),
        numbers.iter().sum(),
        format!("{pair:?}"),
        maybe.map(str::to_owned),
    )
}

#[region_rpc]
fn where_am_i(#[context] context: &CallContext) -> (String, String, String, u32) {
    (
        fly_rpc::my_region().to_string(),
        context.caller().to_string(),
        context.caller_region().to_string(),
        context.version(),
    )
}

#[region_rpc(@primary)]
async fn only_in_the_primary(#[state] probe: &Probe) -> usize {
    probe.run()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Odd(u64);

#[region_rpc]
fn halve(number: u64) -> Result<u64, Odd> {
    if number.is_multiple_of(2) {
        Ok(number / 2)
    } else {
        Err(Odd(number))
    }
}

#[region_rpc]
async fn wait_at_the_gate(#[state] probe: &Probe) -> usize {
    let witness = probe.witness();
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    witness.ended();
    run
}

#[region_rpc(detached)]
async fn wait_detached(#[state] probe: Arc<Probe>, word: &str) -> String {
    let witness = probe.witness();
    probe.tell("started");
    probe.pass().await;
    witness.ended();
    word.to_owned()
}

#[region_rpc(blocking)]
fn blocks(#[state] probe: Arc<Probe>, word: &str) -> String {
    probe.tell(format!(
        "on {}",
        std::thread::current().name().unwrap_or("?")
    ));
    word.repeat(2)
}

#[region_rpc(blocking, detached)]
fn blocks_owned(word: String) -> String {
    word.repeat(2)
}

#[region_rpc]
async fn panics(late: bool) -> u8 {
    if late {
        tokio::task::yield_now().await;
    }
    panic!("the secret message");
}

#[region_rpc]
async fn remaining_after_a_nested_call(hops: u32) -> Vec<u64> {
    let left = |context: &Option<u64>| context.unwrap_or_default();
    let mine = remaining_millis_on("@elsewhere").await.ok();
    let mut all = vec![left(&mine)];
    if hops > 0 {
        all.extend(
            Box::pin(remaining_after_a_nested_call_on("@elsewhere", hops - 1))
                .await
                .unwrap_or_default(),
        );
    }
    all
}

#[region_rpc]
fn remaining_millis(#[context] context: &CallContext) -> u64 {
    u64::try_from(context.remaining().as_millis()).unwrap_or(u64::MAX)
}

#[region_rpc]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[region_rpc]
fn make_bytes(count: usize) -> Vec<u8> {
    vec![7; count]
}

/// Decodes on its own side only.
#[derive(Clone, Debug, Serialize)]
struct Picky(u8);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            13 => Err(serde::de::Error::custom("thirteen")),
            number => Ok(Self(number)),
        }
    }
}

#[region_rpc]
fn take_picky(number: Picky, #[state] probe: &Probe) -> u8 {
    probe.run();
    number.0
}

#[region_rpc]
fn give_picky(number: u8, #[state] probe: &Probe) -> Picky {
    probe.run();
    Picky(number)
}

#[region_rpc]
fn greet(name: &str) -> String {
    format!("hello {name}")
}

#[region_rpc(name = "greet", version = 2)]
fn greet_twice(name: &str, times: u8) -> String {
    format!("hello {name} {times}")
}

#[region_rpc(idempotent)]
async fn at_least_once(#[state] probe: &Probe) -> usize {
    let run = probe.run();
    probe.tell("started");
    probe.pass().await;
    run
}

struct Pair {
    syd: Node,
    hkg: Node,
    probe: Probe,
    cluster: Cluster,
}

/// The primary and one other node. The probe is the primary's; that of `hkg` is nobody's.
async fn pair() -> Pair {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let syd = cluster
        .start(cluster.builder("syd-1", "syd").state(probe.clone()))
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    Pair {
        syd,
        hkg,
        probe,
        cluster,
    }
}

#[tokio::test]
async fn a_call_runs_where_its_target_says_and_gives_the_same_everywhere() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let region_of = |target: Target| where_am_i_on(target).via(hkg);
    assert_eq!(
        region_of(Target::Primary).await.expect("runs"),
        ("syd".into(), "hkg-1".into(), "hkg".into(), 1)
    );
    assert_eq!(
        region_of(Target::Region("hkg".into()))
            .await
            .expect("runs")
            .0,
        "hkg"
    );
    assert_eq!(
        region_of(Target::Node("syd-1".into()))
            .await
            .expect("runs")
            .0,
        "syd"
    );
    assert_eq!(region_of(Target::Any).await.expect("runs").0, "hkg");
    assert_eq!(region_of(Target::Elsewhere).await.expect("runs").0, "syd");
    assert_eq!(region_of(Target::Nearest).await.expect("runs").0, "syd");
    hkg.scope(async move {
        assert_eq!(upcase("fly"), "FLY");
        assert_eq!(upcase_on_primary("fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on_region("hkg", "fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on("@nearest", "fly").await.expect("runs"), "FLY");
        assert_eq!(upcase_on(syd.id(), "fly").await.expect("runs"), "FLY");
        assert_eq!(
            upcase_on(Region::from("syd"), "fly").await.expect("runs"),
            "FLY"
        );
    })
    .await;
}

#[tokio::test]
async fn selectors_are_the_stubs_they_stand_for() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let id = syd.id().clone();
    hkg.scope(async move {
        assert_eq!(call!(where_am_i() @primary).await.expect("runs").0, "syd");
        assert_eq!(
            call!(where_am_i() @region("hkg")).await.expect("runs").0,
            "hkg"
        );
        assert_eq!(call!(where_am_i() @node(id)).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @nearest).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @elsewhere).await.expect("runs").0, "syd");
        assert_eq!(call!(where_am_i() @any).await.expect("runs").0, "hkg");
        assert_eq!(
            call!(where_am_i() @(Target::Primary))
                .await
                .expect("runs")
                .0,
            "syd"
        );
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_parameter_arrives_from_elsewhere_in_place_and_through_the_codec() {
    let cluster = Cluster::new();
    let state = Probe::new();
    let syd = cluster
        .start(cluster.builder("syd-1", "syd").state(state.clone()))
        .await;
    let lax = cluster
        .start(cluster.builder("lax-1", "lax").state(state.clone()))
        .await;
    let coded = cluster
        .start(
            cluster
                .builder("syd-2", "syd")
                .state(state)
                .encode_local_calls(),
        )
        .await;
    let owned = HashMap::from([("k".to_owned(), vec![1, 2])]);
    let expected = (
        1,
        "text".to_owned(),
        3,
        60,
        "(4, \"p\")".to_owned(),
        Some("m".to_owned()),
    );
    for node in [&lax, &syd, &coded] {
        let pair = (4, "p".to_owned());
        let made = every_kind_on_region(
            "syd",
            owned.clone(),
            "text",
            &[1, 2, 3],
            &[10, 20, 30],
            &pair,
            Some("m"),
        )
        .via(node);
        assert_eq!(made.await.expect("runs"), expected, "{node:?}");
    }
}

#[tokio::test]
async fn an_application_s_error_is_not_the_call_s() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    assert_eq!(
        halve_on_primary(4).via(hkg).await.expect("the call worked"),
        Ok(2)
    );
    assert_eq!(
        halve_on_primary(5).via(hkg).await.expect("the call worked"),
        Err(Odd(5))
    );
    assert_eq!(
        halve_on_primary(4)
            .via(hkg)
            .flatten()
            .await
            .expect("both worked"),
        2
    );
    let odd = halve_on_primary(5)
        .via(hkg)
        .flatten()
        .await
        .expect_err("odd");
    assert!(matches!(&odd, CallError::App(Odd(5))) && odd.executed() == Executed::Yes);
    let nowhere = halve_on_region("cdg", 5)
        .via(hkg)
        .flatten()
        .await
        .expect_err("nowhere");
    assert!(
        matches!(&nowhere, CallError::Rpc(RpcError::NoNode { .. }))
            && nowhere.executed() == Executed::No
    );
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    drop(only_in_the_primary_on_primary().via(hkg));
    assert_eq!(
        only_in_the_primary_on_primary()
            .via(hkg)
            .await
            .expect("runs"),
        0
    );
    assert_eq!(probe.runs(), 1);
}

#[tokio::test]
async fn a_bad_target_is_an_error_of_the_call_and_no_panic() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    for text in ["", "@nowhere", "@region(", "hong kong"] {
        let error = upcase_on(text, "x").via(hkg).await.expect_err("no target");
        assert!(
            matches!(&error, RpcError::BadTarget { text: shown } if shown == text),
            "{error}"
        );
    }
    let error = upcase_on_region("Hong Kong", "x")
        .via(hkg)
        .await
        .expect_err("no region");
    assert!(matches!(error, RpcError::BadTarget { .. }) && error.executed() == Executed::No);
}

#[tokio::test]
async fn an_unknown_region_is_answered_at_once_with_the_known_ones() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let Err(RpcError::NoNode {
        target,
        known_regions,
    }) = upcase_on_region("cdg", "x").via(hkg).await
    else {
        panic!("no such node")
    };
    assert_eq!(
        (target, known_regions),
        (
            Target::Region("cdg".into()),
            vec!["hkg".into(), "syd".into()]
        )
    );
    let absent = upcase_on(NodeId::from("nobody"), "x")
        .via(hkg)
        .await
        .expect_err("no such node");
    assert!(matches!(absent, RpcError::NoNode { .. }));
}

#[tokio::test]
async fn without_a_node_a_call_says_that_none_was_started() {
    let cluster = Cluster::new();
    let node = cluster
        .start(cluster.builder("a", "syd").state(Probe::new()))
        .await;
    node.shutdown().await;
    let error = upcase_on_primary("x")
        .via(&node)
        .await
        .expect_err("shut down");
    assert!(matches!(error, RpcError::NotStarted) && error.executed() == Executed::No);
}

#[tokio::test]
async fn a_version_that_nobody_has_is_known_before_anything_is_sent() {
    let cluster = Cluster::new();
    let old = cluster
        .start(
            cluster
                .builder("old", "syd")
                .state(Probe::new())
                .hide_function("greet", 2),
        )
        .await;
    let new = cluster
        .start(cluster.builder("new", "hkg").state(Probe::new()))
        .await;
    let error = greet_twice_on_primary("you", 2)
        .via(&new)
        .await
        .expect_err("only version 1 is there");
    let RpcError::FunctionUnavailable {
        function,
        version,
        offered,
        nodes_checked,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (
            function.as_str(),
            *version,
            offered.as_slice(),
            *nodes_checked
        ),
        ("greet", 2, &[1][..], 1)
    );
    assert_eq!(new.peers()[0].requests_sent, 0, "nothing was sent for it");
    assert_eq!(error.executed(), Executed::No);
    let with_fallback = greet_twice_on_primary("you", 2).or_older(greet_on_primary("you"));
    assert_eq!(
        with_fallback.via(&new).await.expect("the older one"),
        "hello you"
    );
    let served_here = greet_twice_on_region("hkg", "you", 2)
        .or_older(greet_on_region("hkg", "you"))
        .via(&new);
    assert_eq!(served_here.await.expect("the newer one"), "hello you 2");
    assert!(
        old.catalogue()
            .iter()
            .all(|function| (function.name.as_str(), function.version) != ("greet", 2))
    );
}

#[tokio::test]
async fn a_call_that_waits_for_a_node_is_made_when_it_comes() {
    let cluster = Cluster::new();
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let waiting = tokio::spawn(
        upcase_on_primary("fly")
            .via(&hkg)
            .timeout(SOON)
            .wait_ready(),
    );
    let impatient = upcase_on_primary("fly")
        .via(&hkg)
        .timeout(Duration::from_millis(1))
        .wait_ready()
        .await
        .expect_err("nobody yet");
    assert!(
        matches!(
            impatient,
            RpcError::Timeout {
                stage: Stage::FindingNode
            }
        ) && impatient.executed() == Executed::No
    );
    cluster
        .start(cluster.builder("syd-1", "syd").state(Probe::new()))
        .await;
    assert_eq!(waiting.await.expect("no panic").expect("runs"), "FLY");
}

#[tokio::test]
async fn a_deadline_that_passes_before_the_answer_leaves_the_outcome_unknown_and_drops_the_handler()
{
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    let error = wait_at_the_gate_on_primary()
        .via(hkg)
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("too slow");
    assert!(
        matches!(
            error,
            RpcError::Timeout {
                stage: Stage::Answer
            }
        ) && error.executed() == Executed::Unknown,
        "{error}"
    );
    assert_eq!(probe.told().await, "started");
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn the_same_holds_for_a_call_that_stays_here() {
    let pair = pair().await;
    let Pair { syd, probe, .. } = &pair;
    let error = wait_at_the_gate_on_primary()
        .via(syd)
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("too slow");
    assert_eq!(error.executed(), Executed::Unknown);
    assert_eq!(probe.told().await, "started");
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn dropping_a_call_drops_its_handler_and_returns_its_permit() {
    let Pair {
        hkg, probe, syd, ..
    } = pair().await;
    for _ in 0..50 {
        let call = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg));
        assert_eq!(probe.told().await, "started");
        call.abort();
        assert_eq!(probe.told().await, "dropped");
    }
    assert!(syd.drain().await.is_clean());
}

#[tokio::test]
async fn a_detached_function_ends_although_nobody_waits() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for node in [&hkg, &syd] {
        let error = wait_detached_on_primary("w")
            .via(node)
            .timeout(Duration::from_millis(50))
            .await
            .expect_err("too slow");
        assert_eq!(error.executed(), Executed::Unknown);
        assert_eq!(probe.told().await, "started");
        probe.open(1);
        assert_eq!(probe.told().await, "ended");
        probe.open(1);
        assert_eq!(
            wait_detached_on_primary("w").via(node).await.expect("runs"),
            "w"
        );
        assert_eq!(
            [probe.told().await, probe.told().await],
            ["started", "ended"]
        );
    }
}

#[tokio::test]
async fn a_blocking_function_runs_on_a_thread_of_its_own() {
    let Pair {
        hkg, syd, probe, ..
    } = pair().await;
    for node in [&hkg, &syd] {
        assert_eq!(
            blocks_on_primary("ab").via(node).await.expect("runs"),
            "abab"
        );
        let told = probe.told().await;
        assert!(told.contains("tokio"), "{told}");
        assert_eq!(
            blocks_owned_on_primary("ab".to_owned())
                .via(node)
                .await
                .expect("runs"),
            "abab"
        );
    }
}

#[tokio::test]
async fn a_panic_before_or_after_an_await_ends_one_call_and_keeps_its_message() {
    let pair = pair().await;
    let Pair { hkg, syd, .. } = &pair;
    for node in [&hkg, &syd] {
        for late in [false, true] {
            let error = panics_on_primary(late).via(node).await.expect_err("panics");
            assert!(
                matches!(&error, RpcError::Panicked { function, node } if function == "panics" && node.as_str() == "syd-1")
            );
            assert_eq!(error.executed(), Executed::Yes);
            assert!(!error.to_string().contains("secret message"));
            assert_eq!(
                upcase_on_primary("still")
                    .via(node)
                    .await
                    .expect("the node lives"),
                "STILL"
            );
        }
    }
    assert!(syd.drain().await.is_clean(), "permits came back");
}

#[tokio::test]
async fn nested_calls_inherit_what_is_left_of_the_deadline() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let seen = remaining_after_a_nested_call_on_primary(4)
        .via(hkg)
        .timeout(Duration::from_secs(3))
        .await
        .expect("runs");
    assert_eq!(seen.len(), 5);
    assert!(seen.windows(2).all(|pair| pair[1] <= pair[0]), "{seen:?}");
    assert!(
        seen.iter().all(|&left| left > 0 && left < 3_000),
        "inherited, not the default of 5 s: {seen:?}"
    );
    let none_left = upcase_on_primary("x")
        .via(hkg)
        .timeout(Duration::ZERO)
        .await
        .expect_err("no time");
    assert_eq!(none_left.executed(), Executed::No, "{none_left}");
    assert_eq!(
        upcase_on_primary("x")
            .via(hkg)
            .timeout(Duration::MAX)
            .await
            .expect("clamped"),
        "X"
    );
}

#[tokio::test]
async fn sizes_up_to_the_limit_pass_and_one_byte_more_is_refused_by_the_sender() {
    let cluster = Cluster::new();
    let mut limits = Limits::default();
    limits.message_size = 100_000;
    let small = cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(Probe::new())
                .limits(limits),
        )
        .await;
    let large = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    // Three bytes of length stand before the bytes.
    let most = 100_000 - 3;
    assert_eq!(
        echo_on_primary(vec![1; most])
            .via(&large)
            .await
            .expect("fits both ways")
            .len(),
        most
    );
    for caller in [&large, &small] {
        let target = if caller.id() == small.id() {
            "@region(hkg)"
        } else {
            "@primary"
        };
        let error = echo_on(target, vec![1; most + 1])
            .via(caller)
            .await
            .expect_err("too large");
        assert!(
            matches!(
                error,
                RpcError::TooLarge {
                    size: 100_001,
                    limit: 100_000
                }
            ),
            "{error}"
        );
        assert_eq!(error.executed(), Executed::No);
        let error = make_bytes_on(target, most + 1)
            .via(caller)
            .await
            .expect_err("the answer is too large");
        assert!(
            matches!(error, RpcError::BadResponse) && error.executed() == Executed::Yes,
            "{error}"
        );
        assert_eq!(
            make_bytes_on(target, most)
                .via(caller)
                .await
                .expect("fits")
                .len(),
            most
        );
    }
}

#[tokio::test]
async fn four_mebibytes_travel_both_ways() {
    let pair = pair().await;
    let Pair { hkg, .. } = &pair;
    let bytes: Vec<u8> = (0..4 * 1024 * 1024 - 8)
        .map(|index| (index % 251) as u8)
        .collect();
    assert_eq!(
        echo_on_primary(bytes.clone())
            .via(hkg)
            .timeout(SOON)
            .await
            .expect("fits"),
        bytes
    );
}

#[tokio::test]
async fn what_cannot_be_decoded_ends_that_call_and_says_whether_it_ran() {
    let pair = pair().await;
    let Pair { hkg, probe, .. } = &pair;
    let request = take_picky_on_primary(Picky(13))
        .via(hkg)
        .await
        .expect_err("refused by its own Deserialize");
    assert!(matches!(request, RpcError::BadRequest) && request.executed() == Executed::No);
    assert_eq!(probe.runs(), 0);
    let answer = give_picky_on_primary(13)
        .via(hkg)
        .await
        .expect_err("refused by its own Deserialize");
    assert!(matches!(answer, RpcError::BadResponse) && answer.executed() == Executed::Yes);
    assert_eq!(probe.runs(), 1);
    assert_eq!(
        take_picky_on_primary(Picky(12))
            .via(hkg)
            .await
            .expect("the connection lives"),
        12
    );
}

#[tokio::test]
async fn a_pinned_call_to_a_node_that_sees_the_primary_elsewhere_is_refused_unrun() {
    let pair = pair().await;
    let Pair { probe, cluster, .. } = &pair;
    let confused = cluster
        .start(
            cluster
                .builder("lax-1", "lax")
                .state(Probe::new())
                .primary_region("hkg"),
        )
        .await;
    let error = only_in_the_primary_on_primary()
        .via(&confused)
        .await
        .expect_err("hkg is not the primary");
    let RpcError::WrongRegion {
        node,
        region,
        primary,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (node.as_str(), region.as_str(), primary.as_str()),
        ("hkg-1", "hkg", "syd")
    );
    assert_eq!((error.executed(), probe.runs()), (Executed::No, 0));
}

#[tokio::test]
async fn beyond_its_permits_a_node_refuses_at_once_and_recovers() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let mut limits = Limits::default();
    limits.handlers_per_peer = 3;
    cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(probe.clone())
                .limits(limits),
        )
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running: Vec<_> = (0..3)
        .map(|_| tokio::spawn(wait_at_the_gate_on_primary().via(&hkg)))
        .collect();
    for _ in 0..3 {
        assert_eq!(probe.told().await, "started");
    }
    let error = wait_at_the_gate_on_primary()
        .via(&hkg)
        .await
        .expect_err("all permits are taken");
    assert!(matches!(error, RpcError::Overloaded) && error.executed() == Executed::No);
    probe.open(3);
    for call in running {
        call.await.expect("no panic").expect("runs");
    }
    assert_eq!(
        upcase_on_primary("room")
            .via(&hkg)
            .await
            .expect("permits came back"),
        "ROOM"
    );
    assert_eq!(probe.runs(), 3);
}

#[tokio::test]
async fn a_call_that_five_nodes_refused_is_not_sent_to_a_sixth() {
    let cluster = Cluster::new();
    let mut full = Limits::default();
    full.handlers_per_peer = 0;
    for index in 0..6 {
        let node = cluster.builder(&format!("syd-{index}"), "syd");
        cluster
            .start(node.state(Probe::new()).limits(full.clone()))
            .await;
    }
    let five = cluster.builder("five", "hkg").state(Probe::new());
    let five = cluster.start(five).await;
    let mut limits = Limits::default();
    limits.attempts = 7;
    let seven = cluster.builder("seven", "hkg").state(Probe::new());
    let seven = cluster.start(seven.limits(limits)).await;
    let last = cluster.builder("syd-6", "syd").state(Probe::new());
    cluster.start(last).await;
    let mut refused = 0;
    for _ in 0..100 {
        let outcome = upcase_on_primary("x").via(&seven).await;
        assert_eq!(outcome.expect("the seventh serves"), "X");
        match upcase_on_primary("x").via(&five).await {
            Ok(_) => {}
            Err(RpcError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        refused > 0,
        "by chance the one that serves was among five each time"
    );
}

#[tokio::test]
async fn a_draining_node_finishes_what_it_has_and_others_take_the_rest() {
    let Pair {
        syd,
        hkg,
        probe,
        cluster,
    } = pair().await;
    let second = Probe::new();
    cluster
        .start(cluster.builder("syd-2", "syd").state(second.clone()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on(syd.id()).via(&hkg));
    assert_eq!(probe.told().await, "started");
    let draining = tokio::spawn({
        let syd = syd.clone();
        async move { syd.drain().await }
    });
    hkg.wait_for_draining(&syd).await;
    for _ in 0..20 {
        only_in_the_primary_on_primary()
            .via(&hkg)
            .await
            .expect("the other node serves it");
    }
    assert_eq!((probe.runs(), second.runs()), (1, 20));
    let error = upcase_on(syd.id(), "x")
        .via(&hkg)
        .await
        .expect_err("it takes no new calls");
    assert!(
        matches!(error, RpcError::Draining) && error.executed() == Executed::No,
        "{error}"
    );
    probe.open(1);
    assert_eq!(running.await.expect("no panic").expect("finished"), 0);
    assert!(draining.await.expect("no panic").is_clean());
}

#[tokio::test]
async fn a_handler_that_outlives_the_drain_is_reported_and_its_caller_told_that_nobody_knows() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let syd = cluster
        .start(
            cluster
                .builder("syd-1", "syd")
                .state(probe.clone())
                .drain_timeout(Duration::from_millis(50)),
        )
        .await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let report = syd.shutdown().await;
    assert_eq!(report.cut.len(), 1);
    assert_eq!(
        (report.cut[0].function.as_str(), report.cut[0].running),
        ("wait_at_the_gate", 1)
    );
    let error = running.await.expect("no panic").expect_err("cut");
    assert!(
        matches!(error, RpcError::ConnectionLost { .. }) && error.executed() == Executed::Unknown,
        "{error}"
    );
    assert_eq!(probe.told().await, "dropped");
}

#[tokio::test]
async fn an_idempotent_call_is_made_again_when_nobody_knows_and_another_is_not() {
    for (idempotent, expected) in [(true, Executed::Yes), (false, Executed::Unknown)] {
        let cluster = Cluster::new();
        let (first, second) = (Probe::new(), Probe::new());
        let brief = Duration::from_millis(1);
        let syd = cluster
            .start(
                cluster
                    .builder("syd-1", "syd")
                    .state(first.clone())
                    .drain_timeout(brief),
            )
            .await;
        let hkg = cluster
            .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
            .await;
        let call = if idempotent {
            at_least_once_on_primary()
        } else {
            wait_at_the_gate_on_primary()
        };
        let call = tokio::spawn(call.via(&hkg).timeout(SOON));
        assert_eq!(first.told().await, "started");
        cluster
            .start(cluster.builder("syd-2", "syd").state(second.clone()))
            .await;
        second.open(1);
        syd.shutdown().await;
        let outcome = call.await.expect("no panic");
        let executed = outcome
            .as_ref()
            .map_or_else(RpcError::executed, |_| Executed::Yes);
        assert_eq!(
            (executed, second.runs()),
            (expected, usize::from(idempotent)),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_retry_that_is_refused_does_not_hide_that_the_first_attempt_may_have_run() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let first = cluster
        .builder("syd-1", "syd")
        .state(probe.clone())
        .drain_timeout(Duration::from_millis(1));
    let first = cluster.start(first).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let call = tokio::spawn(at_least_once_on_primary().via(&hkg).timeout(SOON));
    assert_eq!(probe.told().await, "started");
    let mut limits = Limits::default();
    limits.handlers_per_peer = 0;
    let full = cluster
        .builder("syd-2", "syd")
        .state(Probe::new())
        .limits(limits);
    cluster.start(full).await;
    first.shutdown().await;
    let error = call
        .await
        .expect("no panic")
        .expect_err("the second node refuses");
    assert_eq!(error.executed(), Executed::Unknown, "{error}");
}

#[tokio::test]
async fn an_older_version_takes_over_while_the_newer_one_s_node_drains() {
    let cluster = Cluster::new();
    let probe = Probe::new();
    let new = cluster
        .start(cluster.builder("new", "syd").state(probe.clone()))
        .await;
    let old = cluster
        .builder("old", "syd")
        .state(Probe::new())
        .hide_function("greet", 2);
    cluster.start(old).await;
    let hkg = cluster
        .start(cluster.builder("hkg-1", "hkg").state(Probe::new()))
        .await;
    let running = tokio::spawn(wait_at_the_gate_on(new.id()).via(&hkg));
    assert_eq!(probe.told().await, "started");
    let draining = tokio::spawn({
        let new = new.clone();
        async move { new.drain().await }
    });
    hkg.wait_for_draining(&new).await;
    for patient in [false, true] {
        let newer = greet_twice_on_primary("you", 2)
            .or_older(greet_on_primary("you"))
            .via(&hkg);
        let newer = if patient { newer.wait_ready() } else { newer };
        assert_eq!(newer.await.expect("the older one"), "hello you");
    }
    probe.open(1);
    running.await.expect("no panic").expect("finished");
    draining.await.expect("no panic");
}

#[tokio::test]
async fn peers_show_who_is_there_and_what_they_serve() {
    let pair = pair().await;
    let Pair { syd, hkg, .. } = &pair;
    let peers = hkg.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!(
        (peers[0].id.as_str(), peers[0].region.as_str()),
        ("syd-1", "syd")
    );
    assert_eq!(peers[0].address, syd.local_addr());
    assert_eq!(peers[0].functions, syd.catalogue());
    assert!(
        peers[0]
            .functions
            .iter()
            .any(|function| function.contract == "upcase@1(text: str) -> str")
    );
    assert_eq!(hkg.region_nodes("syd"), [syd.id().clone()]);
    assert!(hkg.region_nodes("hkg").is_empty(), "it never lists itself");
}

trait WaitForDraining {
    async fn wait_for_draining(&self, other: &Node);
}

impl WaitForDraining for Node {
    /// Waits until a call to `other` would be refused here, by asking for it.
    async fn wait_for_draining(&self, other: &Node) {
        let refused = async {
            while upcase_on(other.id(), "?").via(self).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, refused)
            .await
            .expect("the news arrives");
    }
}
