//! Replays: what was recorded on the way runs nothing when it is sent again, and nothing is sent so early that it could.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fly_rpc::{Node, NodeId, region_rpc};
use fly_rpc_tests::{
    Cluster, SOON,
    stranger::{Authority, Dialler},
};

use crate::ALONE;

/// Runs, by the node that ran them; without a state, because the other tests' nodes have none.
static RUNS: Mutex<Vec<(String, NodeId)>> = Mutex::new(Vec::new());

#[region_rpc]
fn once(cluster: &str, padding: &[u8]) -> usize {
    assert!(!padding.is_empty());
    let node = fly_rpc::node().expect("it runs in one");
    let before = runs(cluster, &node);
    RUNS.lock()
        .expect("no panic")
        .push((cluster.to_owned(), node.id().clone()));
    before
}

fn runs(cluster: &str, node: &Node) -> usize {
    let runs = RUNS.lock().expect("no panic");
    let here = |run: &&(String, NodeId)| run.0 == cluster && run.1 == *node.id();
    runs.iter().filter(here).count()
}

/// Carries datagrams between one dialler and one node, and keeps those to the node.
struct Relay {
    address: SocketAddr,
    /// Its socket towards the node.
    upstream: UdpSocket,
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
    /// How many of them went before the node's first answer.
    first_flight: Arc<Mutex<Option<usize>>>,
    over: Arc<AtomicBool>,
}

impl Relay {
    fn start(node: SocketAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
            socket
                .set_read_timeout(Some(Duration::from_millis(50)))
                .expect("a timeout");
            socket
        };
        let (down, up) = (bind(), bind());
        up.connect(node).expect("an address");
        let relay = Self {
            address: down.local_addr().expect("bound"),
            upstream: up.try_clone().expect("a socket"),
            recorded: Arc::default(),
            first_flight: Arc::default(),
            over: Arc::default(),
        };
        let dialler: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        {
            let (down, up) = (
                down.try_clone().expect("a socket"),
                up.try_clone().expect("a socket"),
            );
            let (recorded, over) = (Arc::clone(&relay.recorded), Arc::clone(&relay.over));
            let dialler = Arc::clone(&dialler);
            thread::spawn(move || {
                let mut bytes = [0; 65536];
                while !over.load(Ordering::Relaxed) {
                    if let Ok((length, from)) = down.recv_from(&mut bytes) {
                        *dialler.lock().expect("no panic") = Some(from);
                        recorded
                            .lock()
                            .expect("no panic")
                            .push(bytes[..length].to_vec());
                        let _ = up.send(&bytes[..length]);
                    }
                }
            });
        }
        let (recorded, over) = (Arc::clone(&relay.recorded), Arc::clone(&relay.over));
        let first_flight = Arc::clone(&relay.first_flight);
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            while !over.load(Ordering::Relaxed) {
                if let Ok(length) = up.recv(&mut bytes) {
                    let sent = recorded.lock().expect("no panic").len();
                    first_flight.lock().expect("no panic").get_or_insert(sent);
                    let dialler = *dialler.lock().expect("no panic");
                    let _ = down.send_to(&bytes[..length], dialler.expect("it came first"));
                }
            }
        });
        relay
    }

    fn recorded(&self) -> Vec<Vec<u8>> {
        self.recorded.lock().expect("no panic").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Sends what was recorded, not faster than a node reads.
fn replay(datagrams: &[Vec<u8>], from: &UdpSocket, to: SocketAddr) {
    for (number, datagram) in datagrams.iter().enumerate() {
        // A connected socket takes no address.
        let sent = match from.peer_addr() {
            Ok(_) => from.send(datagram),
            Err(_) => from.send_to(datagram, to),
        };
        sent.expect("sent");
        if number % 16 == 0 {
            thread::yield_now();
        }
    }
}

/// Two nodes that serve `once`, a third that called the first through a relay, and what it sent.
struct Recorded {
    cluster: Cluster,
    server: Node,
    other: Node,
    client: Node,
    relay: Relay,
}

const CALLS: usize = 20;

async fn recorded() -> Recorded {
    let cluster = Cluster::new();
    let server = cluster.builder("server", "syd").start().await;
    let server = server.expect("sound");
    let other = cluster
        .builder("other", "cdg")
        .start()
        .await
        .expect("sound");
    let relay = Relay::start(server.local_addr());
    let client = cluster.builder("client", "lax");
    let client = client.peers([relay.address.to_string()]).start().await;
    let client = client.expect("sound");
    client.wait_for("syd", SOON).await.expect("connected");
    for call in 0..CALLS {
        let before = once_on("syd", cluster.name(), &[7; 3000])
            .via(&client)
            .await;
        assert_eq!(before.expect("served"), call);
    }
    assert!(relay.recorded().len() > CALLS);
    Recorded {
        cluster,
        server,
        other,
        client,
        relay,
    }
}

impl Recorded {
    /// Nothing ran but what was called, and the nodes are as they should be.
    async fn nothing_else_ran(&self) {
        for node in [&self.server, &self.other] {
            // An honest dial stands behind everything that was sent before it.
            let late = Authority::unknown("x").leaf("late", |_| {});
            let late = Dialler::new(Some(late)).expect("a key");
            late.refused(node.local_addr(), b"").await.expect("refused");
        }
        let runs = [&self.server, &self.other].map(|node| runs(self.cluster.name(), node));
        assert_eq!(runs, [CALLS, 0]);
        assert_eq!(self.other.stats().frames_read, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_replayed_runs_nothing() {
    let recorded = recorded().await;
    let session = recorded.relay.recorded();
    let (server, other) = (recorded.server.local_addr(), recorded.other.local_addr());

    // While the connection lives, from the address that it has and from another one.
    let frames = recorded.server.stats().frames_read;
    let elsewhere = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for _ in 0..3 {
        replay(&session, &recorded.relay.upstream, server);
        replay(&session, &elsewhere, server);
        replay(&session, &elsewhere, other);
    }
    recorded.nothing_else_ran().await;
    let frames = recorded.server.stats().frames_read - frames;
    // Signs of life of the connection itself.
    assert!(frames <= 4, "{frames} frames");
    let next = once_on("syd", recorded.cluster.name(), &[1])
        .via(&recorded.client)
        .await;
    assert_eq!(next.expect("the connection lives"), CALLS);

    // And when it is gone.
    recorded.client.shutdown().await;
    let frames = recorded.server.stats().frames_read;
    for _ in 0..3 {
        replay(&session, &recorded.relay.upstream, server);
        replay(&session, &elsewhere, server);
    }
    let late = Dialler::new(None).expect("nothing to refuse");
    late.refused(server, b"").await.expect("refused");
    let name = recorded.cluster.name();
    assert_eq!(runs(name, &recorded.server), CALLS + 1);
    assert_eq!(recorded.server.stats().frames_read, frames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_flight_that_is_replayed_a_hundred_times_runs_nothing() {
    let recorded = recorded().await;
    let session = recorded.relay.recorded();
    let first = *recorded.relay.first_flight.lock().expect("no panic");
    let first = &session[..first.expect("it was answered")];
    assert!(!first.is_empty());
    let frames = recorded.server.stats().frames_read;
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        replay(first, &socket, recorded.server.local_addr());
        replay(first, &socket, recorded.other.local_addr());
    }
    recorded.nothing_else_ran().await;
    assert!(recorded.server.stats().frames_read - frames <= 4);
}

/// Packets of a connection that is gone are answered by stateless resets (RFC 9000 §10.3), which a flood must not multiply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_packets_of_a_connection_that_is_gone_gets_fifty_resets_a_second() {
    let _alone = ALONE.lock().await;
    let recorded = recorded().await;
    let session = recorded.relay.recorded();
    let last = session.iter().rfind(|datagram| datagram[0] & 0x80 == 0);
    let last = last.expect("a packet behind the handshake").clone();
    recorded.client.shutdown().await;
    let server = recorded.server.local_addr();

    let flood = move |until: &dyn Fn(u32, Duration) -> bool| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        let (start, mut sent, mut resets) = (Instant::now(), 0, 0);
        while !until(resets, start.elapsed()) {
            sent += u32::from(socket.send_to(&last, server).is_ok());
            while socket.recv(&mut [0; 2048]).is_ok() {
                resets += 1;
            }
        }
        (sent, resets, start.elapsed())
    };
    let flooding = tokio::task::spawn_blocking(move || {
        // The connection is forgotten a little after it is closed.
        flood(&|resets, time| resets > 0 || time > SOON);
        flood(&|_, time| time > Duration::from_secs(2))
    });
    let (sent, resets, time) = flooding.await.expect("no panic");
    println!("{sent} packets in {time:?}: {resets} resets");
    assert!(sent > 1_000, "that was no flood");
    assert!(resets > 0, "nothing was answered");
    let most = time.as_secs_f64() * 50.0 + 1.0;
    assert!(f64::from(resets) <= most, "{resets} resets in {time:?}");
}

/// A member that would resume its session and send early is not given the means.
#[tokio::test]
async fn a_member_that_comes_again_cannot_send_early() {
    let cluster = Cluster::new();
    let server = cluster.node("server", "syd").await;
    let authority = Authority::of_cluster(&cluster.secret(), cluster.name());
    let member = Dialler::new(Some(authority.leaf("member", |_| {})));
    let member = member.expect("a key").eager();
    for _ in 0..3 {
        let connecting = member.connect(server.local_addr()).expect("dialled");
        let connecting = connecting.into_0rtt().err().expect("no early data");
        let connection = connecting.await.expect("a member");
        // Tickets would come with the first packets behind the handshake; the answer to a stream comes after them.
        let (mut send, mut recv) = connection.open_bi().await.expect("opened");
        send.write_all(&[1, 0, 0, 0, 9]).await.expect("sent");
        let ended = tokio::time::timeout(SOON, recv.read_to_end(1)).await;
        ended.expect("closed soon").expect_err("it was no hello");
    }
}
