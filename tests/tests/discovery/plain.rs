//! Plain DNS: addresses and services of a name, and how long they hold.

use std::time::Duration;

use fly_rpc::discovery::{Discovery, Dns};
use fly_rpc_tests::name_server::{Mood, NameServer, Over, Zone};
use hickory_proto::rr::RecordType;
use tokio::time::{Instant, timeout};

use crate::{answer, ip, shown};

fn of_two() -> Zone {
    Zone::new()
        .address("app.test.", 1, ip("10.0.0.1"))
        .address("app.test.", 1, ip("10.0.0.2"))
        .address("app.test.", 1, ip("fd00::1"))
}

#[tokio::test]
async fn addresses_of_both_families_are_found() {
    let server = NameServer::start(of_two()).await;
    let mut source = Dns::addresses("app.test.", 9000).name_server(server.address());
    let all = [
        "10.0.0.1:9000 ? ?",
        "10.0.0.2:9000 ? ?",
        "[fd00::1]:9000 ? ?",
    ];
    assert_eq!(shown(&mut source).await, all);
    // A family that cannot be looked up just now stays; one that is no more goes.
    server.set_mood(Mood::Fails);
    assert_eq!(shown(&mut source).await, all);
    server.set_mood(Mood::Honest);
    server.set_zone(Zone::new().address("app.test.", 1, ip("10.0.0.3")));
    assert_eq!(shown(&mut source).await, ["10.0.0.3:9000 ? ?"]);
    server.set_mood(Mood::NoSuchName);
    assert!(answer(&mut source).await.is_err());
}

#[tokio::test]
async fn services_have_hosts_and_ports() {
    let zone = of_two()
        .address("b.test.", 1, ip("10.0.0.9"))
        .service("_fly-rpc._udp.test.", 1, "app.test.", 7411)
        .service("_fly-rpc._udp.test.", 1, "b.test.", 9000)
        .service("_fly-rpc._udp.test.", 1, "gone.test.", 9000)
        .service("_fly-rpc._udp.test.", 1, ".", 0);
    let server = NameServer::start(zone).await;
    let mut source = Dns::services("_fly-rpc._udp.test.").name_server(server.address());
    let all = [
        "10.0.0.1:7411 ? ?",
        "10.0.0.2:7411 ? ?",
        "10.0.0.9:9000 ? ?",
        "[fd00::1]:7411 ? ?",
    ];
    assert_eq!(shown(&mut source).await, all);
    server.set_mood_for("b.test.", Mood::Fails);
    assert_eq!(shown(&mut source).await, all);
    server.set_mood_for("_fly-rpc._udp.test.", Mood::Fails);
    assert!(answer(&mut source).await.is_err());
}

#[tokio::test]
async fn an_answer_holds_as_long_as_it_says_and_a_second_at_least() {
    for (ttl, least) in [(0, 1), (2, 2)] {
        let zone = Zone::new().address("app.test.", ttl, ip("10.0.0.1"));
        let server = NameServer::start(zone).await;
        let mut source = Dns::addresses("app.test.", 9000).name_server(server.address());
        shown(&mut source).await;
        let since = Instant::now();
        shown(&mut source).await;
        let (least, took) = (Duration::from_secs(least), since.elapsed());
        // The upper bound is one of a machine that does other things as well.
        assert!(took >= least && took < least * 3, "{ttl}: {took:?}");
    }
}

#[tokio::test]
async fn a_long_life_keeps_the_server_in_peace() {
    let zone = Zone::new().address("app.test.", 3600, ip("10.0.0.1"));
    let server = NameServer::start(zone).await;
    let mut source = Dns::addresses("app.test.", 9000).name_server(server.address());
    shown(&mut source).await;
    let early = timeout(Duration::from_millis(2500), source.next()).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(server.asked("app.test.", RecordType::A, Over::Udp), 1);
}

#[tokio::test]
async fn a_name_that_is_none_is_an_error() {
    let server = NameServer::start(Zone::new()).await;
    for name in ["", "..", "a b.test.", &"x".repeat(300)] {
        let mut source = Dns::addresses(name, 9000).name_server(server.address());
        assert!(answer(&mut source).await.is_err(), "{name:?}");
    }
}
