//! Handshakes that go nowhere: they end, their slots come back, and whoever is honest gets in behind them.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use fly_rpc::{Limits, Node, region_rpc};
use fly_rpc_tests::{
    Cluster, SOON,
    stranger::{Dialler, Initial, Leaf, client_hello, member},
};
use tokio::task::JoinSet;

use crate::ALONE;

#[region_rpc]
fn echo(number: u64) -> u64 {
    number
}

/// As many as the node takes at one time.
const STRANGERS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_stalled_handshakes_end_in_time_and_give_their_slots_back() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::new();
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_secs(5);
    limits.handshakes = STRANGERS;
    limits.handshakes_without_retry = STRANGERS;
    let limits = from_one_address(limits);
    let patience = limits.handshake_timeout;
    let server = cluster.builder("server", "syd").limits(limits);
    let server = cluster.start(server).await;
    let client = cluster.node("client", "lax").await;

    let start = Instant::now();
    stall(&server, STRANGERS as u64).await;
    let full = start.elapsed();
    // Each slot is taken: one more is ignored, while the connection that was there before is served.
    let late = Dialler::new(None).expect("nothing to refuse");
    let _waits = late.connect(server.local_addr()).expect("dialled");
    until(|| server.stats().refusals.crowded > 0).await;
    assert_eq!(echo_on("syd", 7).via(&client).await.expect("served"), 7);
    assert_eq!(server.stats().refusals.slow, 0, "it took too long to fill");

    until(|| server.stats().refusals.slow == STRANGERS as u64).await;
    let over = start.elapsed();
    println!("{STRANGERS} stalled in {full:?} and were all given up after {over:?}");
    // The last one began when all of them had; a busy machine is given as much again.
    assert!(over < (full + patience) * 2, "{over:?}");
    honest_dial(&cluster, &server, "behind").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_thousand_failed_handshakes_the_next_honest_one_is_as_fast_as_before() {
    let _alone = ALONE.lock().await;
    let cluster = Cluster::new();
    let limits = from_one_address(Limits::default());
    let server = cluster.builder("server", "syd").limits(limits);
    let server = cluster.start(server).await;
    let mut before = Vec::new();
    for number in 0..DIALS {
        before.push(honest_dial(&cluster, &server, &format!("before-{number}")).await);
    }

    let frames = server.stats().frames_read;
    let address = server.local_addr();
    let mut strangers = JoinSet::new();
    for number in 0..STRANGERS {
        if strangers.len() >= 32 {
            let seen: anyhow::Result<_> = strangers.join_next().await.expect("some").expect("ran");
            seen.expect("refused");
        }
        strangers.spawn(async move {
            let leaf = Leaf::self_signed(&format!("stranger-{number}"));
            Dialler::new(Some(leaf))?.refused(address, b"").await
        });
    }
    for seen in strangers.join_all().await {
        seen.expect("refused");
    }
    // What cannot even be decrypted is an error of accepting.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let initial = Initial::new(client_hello());
    for number in 0..BROKEN {
        let mut datagram = initial.datagram(number);
        *datagram.last_mut().expect("not empty") ^= 1;
        socket.send_to(&datagram, address).expect("sent");
        until(|| server.stats().refusals.handshake == number + 1).await;
    }
    until(|| server.stats().refusals.certificate >= STRANGERS as u64).await;

    let mut after = Vec::new();
    for number in 0..DIALS {
        after.push(honest_dial(&cluster, &server, &format!("after-{number}")).await);
    }
    let frames = server.stats().frames_read - frames;
    let (before, after) = (median(before), median(after));
    println!(
        "an honest dial took {before:?} before {STRANGERS} failed handshakes and {after:?} after"
    );
    assert!(after < Duration::from_millis(50), "{after:?}");
    // Hellos, and nothing of the strangers'.
    assert!(frames <= 2 * DIALS as u64, "{frames}");
}

/// All strangers here have the same address, and this is not about that.
fn from_one_address(mut limits: Limits) -> Limits {
    limits.connections_per_ip = 4 * STRANGERS;
    limits.connects_per_ip = 4 * STRANGERS as u32;
    limits
}

/// Begins handshakes and says no more. Returns when each of them was answered.
async fn stall(server: &Node, handshakes: u64) {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await;
    let socket = socket.expect("a free port");
    let initial = Initial::new(client_hello());
    for number in 0..handshakes {
        let datagram = initial.datagram(number);
        let sent = socket.send_to(&datagram, server.local_addr()).await;
        sent.expect("sent");
        let answer = tokio::time::timeout(SOON, socket.recv(&mut [0; 2048])).await;
        answer.expect("answered").expect("received");
    }
}

/// Connects a new member and lets it go again; how long it took to be introduced.
async fn honest_dial(cluster: &Cluster, server: &Node, node: &str) -> Duration {
    let endpoint = member(&cluster.secret(), cluster.name(), node, node);
    let start = Instant::now();
    let link = endpoint.dial(server.local_addr(), Some(server.id().clone()));
    let link = link.await.expect("an honest node");
    let took = start.elapsed();
    assert_eq!(link.node(), server.id());
    endpoint.close().await;
    took
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await; // sleep: a counter cannot be awaited
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("soon");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Honest dials of which the median is taken.
const DIALS: usize = 9;
/// Packets that cannot be decrypted.
const BROKEN: u64 = 100;
