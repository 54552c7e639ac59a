//! What is made of the answers of Fly's DNS, good and bad.

use std::time::Duration;

use fly_rpc::discovery::FlyDns;
use fly_rpc_tests::{
    Log,
    name_server::{Mood, NameServer, Over, Zone},
};
use hickory_proto::rr::RecordType;

use crate::{QUICK, answer, ip, shown};

fn source(server: &NameServer) -> FlyDns {
    FlyDns::of("web")
        .name_server(server.address())
        .interval(QUICK)
}

fn two() -> Zone {
    let machines = [("a1", ip("fdaa::1"), "syd"), ("b2", ip("fdaa::2"), "iad")];
    Zone::of_fly("web", &machines)
}

const BOTH: [&str; 2] = ["[fdaa::1]:7411 a1 syd", "[fdaa::2]:7411 b2 iad"];

#[tokio::test]
async fn machines_are_known_by_id_address_and_region() {
    let server = NameServer::start(two()).await;
    assert_eq!(shown(&mut source(&server)).await, BOTH);
    let mut other_port = source(&server).port(9000).own_machine("b2");
    assert_eq!(shown(&mut other_port).await, ["[fdaa::1]:9000 a1 syd"]);
    let mut other_ids = source(&server).nodes_have_other_ids().own_machine("b2");
    assert_eq!(shown(&mut other_ids).await, ["[fdaa::1]:7411 ? ?"]);
}

#[tokio::test]
async fn twenty_kilobytes_split_inside_ids_are_read_over_tcp() {
    let ids: Vec<String> = (0..370).map(|n| format!("148e306f77{n:04x}")).collect();
    let entries: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| format!("instance={id},app=web,ip=fdaa::{:x},region=syd", n + 1))
        .collect();
    let record = entries.join(";");
    assert!(record.len() > 20_000, "{}", record.len());
    let is_inside_an_id = |end: usize| {
        let (before, after) = record.split_at(end);
        let start = before.rfind("instance=").map(|at| at + "instance=".len());
        start.is_some_and(|start| !before[start..].contains(',') && !after.starts_with(','))
    };
    assert!((255..record.len()).step_by(255).any(is_inside_an_id));

    let server = NameServer::start(Zone::new().text("_instances.internal.", &record)).await;
    let found = answer(&mut source(&server)).await.expect("an answer");
    let found: Vec<_> = found
        .into_iter()
        .filter_map(|sighting| sighting.node)
        .collect();
    assert_eq!(found.len(), ids.len());
    assert!(
        found
            .iter()
            .zip(&ids)
            .all(|(found, id)| found.as_str() == id)
    );
    let asked = |over| server.asked("_instances.internal.", RecordType::TXT, over);
    assert_eq!((asked(Over::Udp), asked(Over::Tcp)), (1, 1));
}

#[tokio::test]
async fn an_answer_that_is_cut_short_and_not_to_be_had_otherwise_is_none() {
    let server = NameServer::start(two()).await;
    server.set_mood(Mood::CutShort);
    let error = answer(&mut source(&server)).await.expect_err("half of it");
    assert!(error.to_string().contains("_instances"), "{error}");
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_skipped_alone_and_logged_once() {
    let record = "instance=a1,app=web,ip=fdaa::1,region=syd,shape=round,cpus=8;\
                  instance=c3,app=web,ip=nowhere,region=syd;\
                  ip=fdaa::4,app=web;\
                  instance=x,app=other,ip=broken;\
                  ,,==;region=iad,ip=fdaa::2,app=web,instance=b2";
    let server = NameServer::start(Zone::new().text("_instances.internal.", record)).await;
    let (log, _guard) = Log::start();
    let mut source = source(&server);
    for _ in 0..3 {
        assert_eq!(shown(&mut source).await, BOTH);
    }
    let skipped = log.lines("is skipped");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(skipped[0].contains("instance=c3"), "{skipped:?}");
}

#[tokio::test]
async fn no_answer_is_an_error_and_never_an_empty_set() {
    let server = NameServer::start(two()).await;
    let mut source = source(&server);
    assert_eq!(shown(&mut source).await, BOTH);
    let moods = [Mood::Empty, Mood::NoSuchName, Mood::Fails, Mood::Garbage];
    for mood in moods.into_iter().chain([Mood::Silent]) {
        server.set_mood(mood);
        let outcome = answer(&mut source).await;
        assert!(outcome.is_err(), "{mood:?}: {outcome:?}");
        server.set_mood(Mood::Honest);
        assert_eq!(shown(&mut source).await, BOTH, "after {mood:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_until_it_is_back() {
    let mut server = NameServer::start(two()).await;
    let mut source = source(&server);
    assert_eq!(shown(&mut source).await, BOTH);
    server.go().await;
    assert!(answer(&mut source).await.is_err());
    server.come_back().await;
    assert_eq!(shown(&mut source).await, BOTH);
}

#[tokio::test]
async fn a_list_of_other_applications_lists_nobody() {
    let foreign = "instance=z9,app=db,ip=fdaa::9,region=syd";
    let server = NameServer::start(Zone::new().text("_instances.internal.", foreign)).await;
    let error = answer(&mut source(&server)).await.expect_err("nobody");
    assert!(error.to_string().contains("no machine of web"), "{error}");
}

#[tokio::test]
async fn a_machine_that_is_alone_is_an_answer() {
    let server = NameServer::start(two()).await;
    let mut source = source(&server).own_machine("a1");
    assert_eq!(shown(&mut source).await, ["[fdaa::2]:7411 b2 iad"]);
    server.set_zone(Zone::of_fly("web", &[("a1", ip("fdaa::1"), "syd")]));
    assert_eq!(shown(&mut source).await, [""; 0]);
}

#[tokio::test]
async fn without_the_list_of_instances_machines_are_looked_up_one_by_one() {
    let server = NameServer::start(two()).await;
    let mut source = source(&server);
    for mood in [Mood::NoSuchName, Mood::Fails, Mood::Empty] {
        server.set_mood_for("_instances.internal.", mood);
        assert_eq!(shown(&mut source).await, BOTH, "{mood:?}");
    }
    // One of them cannot be looked up just now: it stays where it was.
    server.set_mood_for("b2.vm.web.internal.", Mood::Fails);
    assert_eq!(shown(&mut source).await, BOTH);
    // There is no such machine any more.
    server.set_mood_for("b2.vm.web.internal.", Mood::NoSuchName);
    assert_eq!(shown(&mut source).await, BOTH[..1]);
}

#[tokio::test]
async fn at_last_addresses_alone_are_taken_and_this_machine_s_own_left_out() {
    let server = NameServer::start(two()).await;
    server.set_mood_for("_instances.internal.", Mood::Fails);
    server.set_mood_for("vms.web.internal.", Mood::NoSuchName);
    let mut source = source(&server).own_address(ip("fdaa::1"));
    assert_eq!(shown(&mut source).await, ["[fdaa::2]:7411 ? ?"]);
}

#[tokio::test]
async fn an_answer_that_is_slow_is_taken_and_one_that_is_late_is_not() {
    let server = NameServer::start(two()).await;
    let mut source = source(&server);
    server.set_mood(Mood::Slow(Duration::from_millis(600)));
    assert_eq!(shown(&mut source).await, BOTH);
    server.set_mood(Mood::Slow(Duration::from_secs(5)));
    assert!(answer(&mut source).await.is_err());
    // What is still under way must not be taken for the answer to the next question.
    server.set_zone(Zone::of_fly("web", &[("c3", ip("fdaa::3"), "ord")]));
    server.set_mood(Mood::Honest);
    for _ in 0..3 {
        assert_eq!(shown(&mut source).await, ["[fdaa::3]:7411 c3 ord"]);
    }
}

#[tokio::test]
async fn a_name_that_is_no_application_asks_nothing() {
    let server = NameServer::start(two()).await;
    for name in ["", "web.internal", "a b", &"x".repeat(64)] {
        let mut source = FlyDns::of(name).name_server(server.address());
        assert!(answer(&mut source).await.is_err(), "{name:?}");
    }
    let asked = server.asked("_instances.internal.", RecordType::TXT, Over::Udp);
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn dropping_a_look_loses_nothing() {
    let server = NameServer::start(two()).await;
    let mut source = source(&server);
    server.set_mood(Mood::Slow(Duration::from_millis(300)));
    for _ in 0..3 {
        tokio::select! {
            biased;
            early = answer(&mut source) => panic!("{early:?}"),
            () = server.wait_for_questions(1) => {}
        }
    }
    assert_eq!(shown(&mut source).await, BOTH);
}
