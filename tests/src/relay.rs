//! A bad network between two nodes: a UDP relay in the test's process, which loses, doubles, delays, reorders and damages
//! what passes it, and can be cut.
//!
//! One end dials the relay instead of the other node, and the other node dials nobody: the relay is their only path.
//! As a NAT does, it sends each dialler's datagrams on from a socket of its own, and can change that socket.

mod fate;
mod pump;

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{net::UdpSocket, sync::watch, task::JoinSet};

use fate::Fate;
pub use fate::{Conditions, Tally};
use pump::{Exit, Pump};

/// A path to one address. It ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    path: Arc<Path>,
    _tasks: JoinSet<()>,
}

/// A direction: towards the node that is dialled, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From whoever dials.
    There,
    /// From the node that is dialled.
    Back,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// To what the dialler sent.
    pub there: Tally,
    /// To what it was sent.
    pub back: Tally,
}

#[derive(Debug)]
struct Path {
    to: SocketAddr,
    front: Arc<UdpSocket>,
    begun: Instant,
    fates: [Mutex<Fate>; 2],
    tallies: watch::Sender<Tallies>,
    flows: Mutex<HashMap<SocketAddr, Flow>>,
    pump: Pump,
}

/// One dialler, seen from the other end: a socket, and the task that brings back what arrives there.
#[derive(Debug)]
struct Flow {
    socket: Arc<UdpSocket>,
    _back: JoinSet<()>,
}

impl Relay {
    /// Opens a good path to an address. Chance is decided by the seed.
    ///
    /// # Errors
    /// What the operating system says about a socket.
    pub async fn open(to: SocketAddr, seed: u64) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind(LOOPBACK).await?);
        let mut tasks = JoinSet::new();
        let path = Arc::new(Path {
            to,
            begun: Instant::now(),
            fates: [seed, !seed].map(|seed| Mutex::new(Fate::new(seed))),
            tallies: watch::Sender::default(),
            flows: Mutex::default(),
            pump: Pump::start(&mut tasks),
            front,
        });
        let address = path.front.local_addr()?;
        tasks.spawn(bring_there(Arc::clone(&path)));
        Ok(Self {
            address,
            path,
            _tasks: tasks,
        })
    }

    /// The address to dial.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes both directions.
    pub fn set(&self, conditions: Conditions) {
        self.set_way(Way::There, conditions);
        self.set_way(Way::Back, conditions);
    }

    /// Changes one direction. What is on its way already arrives as it was to.
    pub fn set_way(&self, way: Way, conditions: Conditions) {
        let mut fate = self.path.fate(way);
        fate.conditions = conditions;
        fate.allowance = None;
    }

    /// Lets nothing pass any more.
    pub fn cut(&self) {
        self.set(CUT);
    }

    /// Lets nothing pass any more in one direction.
    pub fn cut_way(&self, way: Way) {
        self.set_way(way, CUT);
    }

    /// Lets so many bytes more pass in one direction, in whole datagrams, and then nothing.
    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.path.fate(way).allowance = Some(bytes);
    }

    /// Makes the path a good one again.
    pub fn heal(&self) {
        self.set(Conditions::default());
    }

    /// Sends on from other sockets from now on, as a NAT does that has forgotten: nothing that is sent to the old ones
    /// arrives.
    pub fn rebind(&self) {
        lock(&self.path.flows).clear();
    }

    /// What was done so far.
    pub fn tallies(&self) -> Tallies {
        *self.path.tallies.borrow()
    }

    /// Waits until so much was done.
    pub async fn until(&self, enough: impl FnMut(&Tallies) -> bool) {
        let mut tallies = self.path.tallies.subscribe();
        let seen = tokio::time::timeout(crate::SOON, tallies.wait_for(enough)).await;
        let seen = seen.expect("enough datagrams come soon");
        seen.expect("the path is borrowed here, so it lives");
    }
}

impl Path {
    /// Decides what becomes of a datagram, and sees to it.
    fn admit(&self, way: Way, datagram: &[u8], exit: &Exit) {
        let now = Instant::now();
        let mut fate = self.fate(way);
        for arrival in fate.of(datagram.len(), now - self.begun) {
            let mut datagram = datagram.to_vec();
            if let Some(bit) = arrival.flipped {
                datagram[bit / 8] ^= 1 << (bit % 8);
            }
            self.pump.send(now + arrival.after, datagram, exit.clone());
        }
        let tally = fate.tally;
        drop(fate);
        self.tallies.send_modify(|tallies| match way {
            Way::There => tallies.there = tally,
            Way::Back => tallies.back = tally,
        });
    }

    fn fate(&self, way: Way) -> MutexGuard<'_, Fate> {
        lock(&self.fates[way as usize])
    }

    /// The socket from which the other end hears of a dialler.
    fn socket_for(self: &Arc<Self>, dialler: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let mut flows = lock(&self.flows);
        if let Some(flow) = flows.get(&dialler) {
            return Ok(Arc::clone(&flow.socket));
        }
        let socket = std::net::UdpSocket::bind(LOOPBACK)?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let mut back = JoinSet::new();
        back.spawn(bring_back(
            Arc::downgrade(self),
            Arc::clone(&socket),
            dialler,
        ));
        let flow = Flow {
            socket: Arc::clone(&socket),
            _back: back,
        };
        flows.insert(dialler, flow);
        Ok(socket)
    }
}

async fn bring_there(path: Arc<Path>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        // Loopback reports the port of a dead process as an error; the next datagram is none.
        let Ok((length, dialler)) = path.front.recv_from(&mut buffer).await else {
            continue;
        };
        let socket = path.socket_for(dialler).expect("a socket can be opened");
        path.admit(Way::There, &buffer[..length], &Exit::new(socket, path.to));
    }
}

async fn bring_back(path: Weak<Path>, socket: Arc<UdpSocket>, dialler: SocketAddr) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let arrived = socket.recv_from(&mut buffer).await;
        let Some(path) = path.upgrade() else { return };
        if let Ok((length, _)) = arrived {
            let exit = Exit::new(Arc::clone(&path.front), dialler);
            path.admit(Way::Back, &buffer[..length], &exit);
        }
    }
}

impl fmt::Display for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = |count: fn(&Tally) -> u64| count(&self.there) + count(&self.back);
        write!(
            f,
            "{} datagrams, {} lost, {} doubled, {} damaged, {} late",
            both(|tally| tally.datagrams),
            both(|tally| tally.lost),
            both(|tally| tally.duplicated),
            both(|tally| tally.corrupted),
            both(|tally| tally.reordered),
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const CUT: Conditions = Conditions {
    cut: true,
    loss: 0,
    duplicate: 0,
    corrupt: 0,
    reorder: 0,
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    rate: None,
    largest: None,
};
const LOOPBACK: &str = "127.0.0.1:0";
/// Bytes of the largest datagram.
const LARGEST: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    async fn socket() -> UdpSocket {
        UdpSocket::bind(LOOPBACK).await.unwrap()
    }

    async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let received = tokio::time::timeout(crate::SOON, socket.recv_from(&mut buffer)).await;
        let (length, from) = received.expect("it arrives").unwrap();
        (buffer[..length].to_vec(), from)
    }

    #[tokio::test]
    async fn datagrams_go_there_and_back_and_a_rebound_path_has_another_address() {
        let (here, there) = (socket().await, socket().await);
        let relay = Relay::open(there.local_addr().unwrap(), 1).await.unwrap();
        here.send_to(b"ping", relay.address()).await.unwrap();
        let (ping, old) = receive(&there).await;
        assert_eq!(ping, b"ping");
        there.send_to(b"pong", old).await.unwrap();
        assert_eq!(receive(&here).await.0, b"pong");

        relay.rebind();
        here.send_to(b"again", relay.address()).await.unwrap();
        let (_, new) = receive(&there).await;
        assert_ne!(old, new);
    }

    #[tokio::test]
    async fn a_path_that_is_cut_one_way_lets_pass_the_other() {
        let (here, there) = (socket().await, socket().await);
        let relay = Relay::open(there.local_addr().unwrap(), 1).await.unwrap();
        here.send_to(b"ping", relay.address()).await.unwrap();
        let (_, back) = receive(&there).await;
        relay.cut_way(Way::There);
        here.send_to(b"lost", relay.address()).await.unwrap();
        relay.until(|tallies| tallies.there.cut == 4).await;
        there.send_to(b"pong", back).await.unwrap();
        assert_eq!(receive(&here).await.0, b"pong");
        relay.heal();
        here.send_to(b"ping", relay.address()).await.unwrap();
        assert_eq!(receive(&there).await.0, b"ping");
    }

    #[tokio::test]
    async fn a_delayed_datagram_arrives_when_its_time_has_come() {
        let (here, there) = (socket().await, socket().await);
        let relay = Relay::open(there.local_addr().unwrap(), 1).await.unwrap();
        let delay = Duration::from_millis(40);
        relay.set(Conditions {
            delay,
            ..Conditions::default()
        });
        let sent = Instant::now();
        here.send_to(b"ping", relay.address()).await.unwrap();
        receive(&there).await;
        assert!(sent.elapsed() >= delay);
    }
}
