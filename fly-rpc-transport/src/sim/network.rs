//! The network: who is where, and what each way does to what is sent on it.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    conditions::Conditions,
    fate::{Arrival, fate, occupied},
    host::Host,
    inbox::{Datagram, Inbox},
    path::Path,
};
use crate::{lock::lock, randomness::Randomness};

/// A network of simulated hosts. Clones are the same network.
///
/// Everything that it decides follows from its seed. It has to be made, and used, on a tokio
/// runtime of one thread whose time is paused.
#[derive(Clone, Debug)]
pub struct Network {
    state: Arc<Mutex<State>>,
    chance: Randomness,
    began: Instant,
}

/// What a network has seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Datagrams that hosts have sent.
    pub datagrams: u64,
    /// Of those, the ones that nobody will get.
    pub lost: u64,
    /// Over the time, the ends and the size of each datagram: two runs that have the same digest
    /// went the same way.
    pub digest: u64,
}

/// What one host has sent so far, whatever became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Its datagrams.
    pub datagrams: u64,
    /// Bytes of their UDP payloads.
    pub bytes: u64,
}

#[derive(Debug)]
struct State {
    chance: Randomness,
    began: Instant,
    conditions: Conditions,
    hosts: Vec<Member>,
    /// How many addresses were ever given.
    addresses: u32,
    routes: BTreeMap<SocketAddr, usize>,
    paths: BTreeMap<(usize, usize), Path>,
    datagrams: u64,
    lost: u64,
    digest: DefaultHasher,
}

/// How a host's clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// It shows a later time than it is.
    Ahead(Duration),
    /// It shows an earlier time than it is.
    Behind(Duration),
}

impl Default for Skew {
    fn default() -> Self {
        Self::Ahead(Duration::ZERO)
    }
}

/// One host as the network knows it.
#[derive(Debug)]
struct Member {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    /// Counts the sockets that were ever bound: only the last one's datagrams travel.
    sockets: u64,
    is_bound: bool,
    /// How its clock differs from the network's.
    skew: Skew,
    sent: Sent,
    /// What a paused host has sent.
    held: Option<Vec<(SocketAddr, Datagram)>>,
}

impl Network {
    /// A quiet network in which everything follows from `seed`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(seed: u64) -> Self {
        let chance = Randomness::seeded(seed);
        let began = Instant::now();
        Self {
            state: Arc::new(Mutex::new(State {
                chance: chance.clone(),
                began,
                conditions: Conditions::default(),
                hosts: Vec::new(),
                addresses: 0,
                routes: BTreeMap::new(),
                paths: BTreeMap::new(),
                datagrams: 0,
                lost: 0,
                digest: DefaultHasher::new(),
            })),
            chance,
            began,
        }
    }

    /// A source of random numbers that follow from the seed, for the test's own decisions.
    pub fn chance(&self) -> &Randomness {
        &self.chance
    }

    /// Adds a host. Its address is of the form `10.x.y.z:7411`.
    pub fn host(&self) -> Host {
        let mut state = lock(&self.state);
        let number = state.hosts.len();
        let address = state.fresh_address();
        state.routes.insert(address, number);
        state.hosts.push(Member {
            address,
            inbox: Arc::default(),
            sockets: 0,
            is_bound: false,
            skew: Skew::default(),
            sent: Sent::default(),
            held: None,
        });
        Host::new(self.clone(), number)
    }

    /// Sets the conditions of every way that has none of its own.
    pub fn set_conditions(&self, conditions: Conditions) {
        lock(&self.state).conditions = conditions;
    }

    /// Sets the conditions of the way from one host to another; the way back is another one.
    pub fn set_path(&self, from: &Host, to: &Host, conditions: Conditions) {
        lock(&self.state)
            .path(from.number(), to.number())
            .conditions = Some(conditions);
    }

    /// Loses whatever is sent from one host to another, until [`join`](Self::join).
    pub fn cut(&self, from: &Host, to: &Host) {
        lock(&self.state).path(from.number(), to.number()).cut = true;
    }

    /// Undoes a [`cut`](Self::cut).
    pub fn join(&self, from: &Host, to: &Host) {
        lock(&self.state).path(from.number(), to.number()).cut = false;
    }

    /// Cuts every way between the hosts of one side and all others, in both directions.
    pub fn partition(&self, side: &[&Host]) {
        let mut state = lock(&self.state);
        let inside = |number: usize| side.iter().any(|host| host.number() == number);
        let all = state.hosts.len();
        for from in 0..all {
            for to in (0..all).filter(|to| inside(*to) != inside(from)) {
                state.path(from, to).cut = true;
            }
        }
    }

    /// Keeps whatever is sent from one host to another on its way, until [`unclog`](Self::unclog).
    pub fn clog(&self, from: &Host, to: &Host) {
        let mut state = lock(&self.state);
        let path = state.path(from.number(), to.number());
        path.clogged.get_or_insert_default();
    }

    /// Lets go of what a [`clog`](Self::clog) kept.
    pub fn unclog(&self, from: &Host, to: &Host) {
        self.unclog_path((from.number(), to.number()));
    }

    /// Ends every cut and clog, resumes every paused host, and makes the network quiet: loss,
    /// delays and rates are those of `Conditions::default()`. What crashed stays down.
    pub fn heal(&self) {
        let (paths, hosts) = {
            let mut state = lock(&self.state);
            state.conditions = Conditions::default();
            for path in state.paths.values_mut() {
                path.conditions = None;
                path.cut = false;
            }
            let paths: Vec<_> = state.paths.keys().copied().collect();
            (paths, state.hosts.len())
        };
        for path in paths {
            self.unclog_path(path);
        }
        for host in 0..hosts {
            self.resume(host);
        }
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        let state = lock(&self.state);
        Traffic {
            datagrams: state.datagrams,
            lost: state.lost,
            digest: state.digest.finish(),
        }
    }

    /// The time since the network was made.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The time of day on a host: it begins at the same moment in every run.
    pub(super) fn time_of_day(&self, host: usize) -> SystemTime {
        let now = SystemTime::UNIX_EPOCH + BEGINNING + self.elapsed();
        match lock(&self.state).hosts[host].skew {
            Skew::Ahead(by) => now + by,
            Skew::Behind(by) => now - by,
        }
    }

    pub(super) fn skew(&self, host: usize, skew: Skew) {
        lock(&self.state).hosts[host].skew = skew;
    }

    pub(super) fn address(&self, host: usize) -> SocketAddr {
        lock(&self.state).hosts[host].address
    }

    /// Moves a host to a fresh address; returns it.
    pub(super) fn rebind(&self, host: usize) -> SocketAddr {
        let mut state = lock(&self.state);
        let fresh = state.fresh_address();
        let old = std::mem::replace(&mut state.hosts[host].address, fresh);
        state.routes.remove(&old);
        state.routes.insert(fresh, host);
        fresh
    }

    /// Binds a socket on a host; returns its number among those of the host, and its inbox. `None`
    /// if the host has a socket already.
    pub(super) fn bind(&self, host: usize) -> Option<(u64, Arc<Inbox>)> {
        let mut state = lock(&self.state);
        let member = &mut state.hosts[host];
        if std::mem::replace(&mut member.is_bound, true) {
            return None;
        }
        member.sockets += 1;
        Some((member.sockets, Arc::clone(&member.inbox)))
    }

    /// How many sockets a host ever had.
    pub(super) fn sockets(&self, host: usize) -> u64 {
        lock(&self.state).hosts[host].sockets
    }

    /// Frees the address of a host, unless another socket than this one holds it.
    pub(super) fn release(&self, host: usize, socket: u64) {
        let mut state = lock(&self.state);
        let member = &mut state.hosts[host];
        if member.sockets == socket {
            member.is_bound = false;
        }
    }

    /// Tears the socket of a host away: from now on nothing that its holder sends travels, and
    /// nothing reaches it.
    pub(super) fn tear(&self, host: usize) {
        let mut state = lock(&self.state);
        let member = &mut state.hosts[host];
        member.sockets += 1;
        member.is_bound = false;
    }

    pub(super) fn is_current(&self, host: usize, socket: u64) -> bool {
        lock(&self.state).hosts[host].sockets == socket
    }

    pub(super) fn sent(&self, host: usize) -> Sent {
        lock(&self.state).hosts[host].sent
    }

    pub(super) fn pause(&self, host: usize) {
        let mut state = lock(&self.state);
        let member = &mut state.hosts[host];
        member.held.get_or_insert_default();
        member.inbox.pause(true);
    }

    pub(super) fn resume(&self, host: usize) {
        let mut state = lock(&self.state);
        let held = state.hosts[host].held.take();
        for (to, datagram) in held.into_iter().flatten() {
            state.transmit(host, to, datagram);
        }
        state.hosts[host].inbox.pause(false);
    }

    pub(super) fn send(
        &self,
        host: usize,
        socket: u64,
        to: SocketAddr,
        ecn: Option<u8>,
        bytes: &[u8],
    ) {
        let mut state = lock(&self.state);
        let member = &mut state.hosts[host];
        if member.sockets != socket {
            return;
        }
        member.sent.datagrams += 1;
        member.sent.bytes += bytes.len() as u64;
        let datagram = Datagram {
            from: member.address,
            ecn,
            bytes: bytes.to_vec(),
        };
        match &mut member.held {
            Some(held) => held.push((to, datagram)),
            None => state.transmit(host, to, datagram),
        }
    }

    fn unclog_path(&self, path: (usize, usize)) {
        let mut state = lock(&self.state);
        let clogged = state.path(path.0, path.1).clogged.take();
        for (to, datagram) in clogged.into_iter().flatten() {
            state.transmit(path.0, to, datagram);
        }
    }
}

impl State {
    fn path(&mut self, from: usize, to: usize) -> &mut Path {
        self.paths.entry((from, to)).or_default()
    }

    /// An address that nothing had before.
    fn fresh_address(&mut self) -> SocketAddr {
        self.addresses += 1;
        let ip = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + self.addresses;
        SocketAddr::from((Ipv4Addr::from(ip), PORT))
    }

    fn transmit(&mut self, from: usize, to: SocketAddr, datagram: Datagram) {
        let now = Instant::now();
        self.datagrams += 1;
        let elapsed = now.duration_since(self.began);
        (elapsed, datagram.from, to, datagram.bytes.len()).hash(&mut self.digest);
        let Some(&receiver) = self.routes.get(&to) else {
            self.lost += 1;
            return;
        };
        let default = self.conditions;
        let path = self.paths.entry((from, receiver)).or_default();
        if path.cut {
            self.lost += 1;
            return;
        }
        if let Some(clogged) = &mut path.clogged {
            clogged.push((to, datagram));
            return;
        }
        let conditions = path.conditions.unwrap_or(default);
        let size = datagram.bytes.len();
        let free = path.busy_until.map_or(now, |busy| busy.max(now));
        let arrivals = fate(&conditions, &self.chance, size, free - now);
        if arrivals.is_empty() {
            self.lost += 1;
            return;
        }
        path.busy_until = conditions.rate.map(|_| free + occupied(&conditions, size));
        for Arrival { after, flipped } in arrivals {
            let mut datagram = datagram.clone();
            if let Some(bit) = flipped {
                datagram.bytes[bit / 8] ^= 1 << (bit % 8);
            }
            self.hosts[receiver].inbox.push(now + after, datagram);
        }
    }
}

/// The time of day at which every simulation begins: the first of January 2026.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);
/// The port of every host, which is the default one of a node.
const PORT: u16 = 7411;
