//! A model of a cluster that gossips, by which its cases are tested and its cost is measured.
//!
//! The gossipers are the real ones; time, the network and the connections are the model's. A connection
//! is there as soon as it is needed, as long as its other end lives, and let go as real ones are. What
//! is counted are the bytes of gossip, without QUIC's headers and handshakes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};
use foca::State;

use super::{
    gossiper::{Actions, Gossiper},
    member::{DIGEST, Facts, Member},
};

/// What a cluster costs and how long its news takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Until everybody knows everybody, from the start of all at once.
    pub joined: Option<Duration>,
    /// Until a tenth of the nodes, which died at once, is gone everywhere, and nobody else is.
    pub buried: Option<Duration>,
    /// Until all know what one says of itself.
    pub spread: Option<Duration>,
    /// Bytes that a node sends in a second, on average over all: while they join, at rest, and while a
    /// tenth dies.
    pub bytes: [f64; 3],
    /// The most that one node sent in a second, in the same phases.
    pub most_bytes: [f64; 3],
    /// Connections of a node at rest: on average, and of the one that has the most.
    pub connections: (f64, usize),
    /// Connections that a node makes or takes in a second at rest, on average.
    pub handshakes: f64,
}

/// Lets `size` nodes in ten regions join, rest, say something and die, each way taking 75 ms.
pub fn measure(size: usize) -> Figures {
    let mut world = cluster(size, 10, Duration::from_millis(75));
    let mut figures = Figures {
        joined: world.until(Duration::from_secs(120), |world| world.unknown() == 0),
        ..Figures::default()
    };
    world.rest(Duration::from_secs(30).saturating_sub(world.now));
    (figures.bytes[0], figures.most_bytes[0]) = world.take_bytes();

    world.rest(Duration::from_secs(60));
    (figures.bytes[1], figures.most_bytes[1]) = world.take_bytes();
    let degrees = world.degrees();
    let sum: usize = degrees.iter().sum();
    figures.connections = (
        sum as f64 / size as f64,
        degrees.into_iter().max().unwrap_or(0),
    );
    figures.handshakes = 2.0 * world.made as f64 / 60.0 / size as f64;

    let speaker = id(size / 2);
    world.act(&speaker, |node, now, actions| {
        node.revise(|facts| facts.catalogue = [7; DIGEST], now, actions);
    });
    figures.spread = world.until(Duration::from_secs(60), |world| {
        world.all_but(&speaker, |node| {
            let known = node.known().get(&speaker);
            known.is_some_and(|known| known.id().facts().catalogue == [7; DIGEST])
        })
    });
    world.rest(Duration::from_secs(20));
    world.take_bytes();
    let dead: Vec<NodeId> = (0..size / 10).map(|number| id(number * 10 + 3)).collect();
    for node in &dead {
        world.kill(node);
    }
    let begun = world.now;
    figures.buried = world.until(Duration::from_secs(60), |world| {
        dead.iter().all(|dead| world.believers(dead) == 0) && world.unknown() == 0
    });
    world.rest(Duration::from_secs(20).saturating_sub(world.now - begun));
    (figures.bytes[2], figures.most_bytes[2]) = world.take_bytes();
    figures
}

/// Gossipers that reach each other by connections that are there as soon as they are needed.
pub(super) struct World {
    pub(super) now: Duration,
    pub(super) nodes: BTreeMap<NodeId, Gossiper>,
    pub(super) dead: BTreeSet<NodeId>,
    way: Duration,
    /// By the time at which they arrive.
    letters: BTreeMap<(Duration, u64), (NodeId, NodeId, Bytes)>,
    sent: u64,
    /// When each node wants to be called next.
    wanted: BTreeMap<NodeId, Duration>,
    schedule: BTreeSet<(Duration, NodeId)>,
    /// Connections, and when they were used last.
    links: BTreeMap<(NodeId, NodeId), Duration>,
    made: u64,
    swept: Duration,
    bytes: BTreeMap<NodeId, u64>,
    counted: Duration,
}

impl World {
    pub(super) fn start(&mut self, member: Member, seeds: &[NodeId]) {
        let id = member.node().clone();
        let randomness = Randomness::seeded(self.nodes.len() as u64 + 1);
        let node = Gossiper::new(member, randomness, NOW, MOST);
        self.dead.remove(&id);
        self.nodes.insert(id.clone(), node);
        self.act(&id, |_, _, _| ());
        for seed in seeds {
            self.link(&id, seed);
        }
    }

    pub(super) fn act(
        &mut self,
        id: &NodeId,
        act: impl FnOnce(&mut Gossiper, Duration, &mut Actions),
    ) {
        let mut actions = Actions::default();
        let now = self.now;
        let node = self.nodes.get_mut(id).expect("it was started");
        act(node, now, &mut actions);
        let due = node.due();
        if let Some(before) = self.wanted.insert(id.clone(), due) {
            self.schedule.remove(&(before, id.clone()));
        }
        self.schedule.insert((due, id.clone()));
        let kept: Vec<NodeId> = match actions.has_changed {
            true => node.neighbours().iter().cloned().collect(),
            false => Vec::new(),
        };
        let datagrams = actions.datagrams.into_iter();
        let datagrams = datagrams.map(|(to, bytes)| (to.node().clone(), bytes));
        for (to, bytes) in datagrams.chain(actions.messages) {
            self.sent += 1;
            *self.bytes.entry(id.clone()).or_default() += bytes.len() as u64;
            let arrival = (now + self.way, self.sent);
            self.letters.insert(arrival, (id.clone(), to, bytes));
        }
        for other in kept {
            self.link(id, &other);
        }
    }

    fn link(&mut self, from: &NodeId, to: &NodeId) {
        if self.dead.contains(to) || !self.nodes.contains_key(to) {
            return;
        }
        let pair = if from < to { (from, to) } else { (to, from) };
        let pair = (pair.0.clone(), pair.1.clone());
        if self.links.insert(pair, self.now).is_none() {
            self.made += 1;
            self.act(from, |node, now, actions| node.connect(to, now, actions));
            self.act(to, |node, now, actions| node.connect(from, now, actions));
        }
    }

    /// Nothing comes from it any more; those it was connected with notice after two seconds.
    pub(super) fn kill(&mut self, id: &NodeId) {
        self.dead.insert(id.clone());
        if let Some(due) = self.wanted.remove(id) {
            self.schedule.remove(&(due, id.clone()));
        }
        let links: Vec<_> = self.links.keys().cloned().collect();
        for (a, b) in links.into_iter().filter(|(a, b)| a == id || b == id) {
            self.links.remove(&(a.clone(), b.clone()));
            let other = if a == *id { b } else { a };
            self.sent += 1;
            let noticed = (self.now + SILENCE, self.sent);
            self.letters
                .insert(noticed, (id.clone(), other, Bytes::new()));
        }
    }

    /// Connections that nobody keeps and nobody uses are let go.
    fn sweep(&mut self) {
        self.swept = self.now;
        let keeps = |a: &NodeId, b: &NodeId| {
            let node = self.nodes.get(a);
            node.is_some_and(|node| node.neighbours().contains(b))
        };
        let idle = |used: &Duration| self.now.saturating_sub(*used) > IDLE;
        let unused = self
            .links
            .iter()
            .filter(|((a, b), used)| idle(used) && !keeps(a, b) && !keeps(b, a));
        let unused: Vec<_> = unused.map(|(pair, _)| pair.clone()).collect();
        for (a, b) in unused {
            for (one, other) in [(&a, &b), (&b, &a)] {
                if let Some(node) = self.nodes.get_mut(one) {
                    node.disconnect(other);
                }
            }
            self.links.remove(&(a, b));
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.schedule.first().map(|(due, _)| *due);
            let letter = self.letters.first_key_value().map(|(at, _)| at.0);
            let next = due.into_iter().chain(letter).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if self.now >= self.swept + Duration::from_secs(1) {
                self.sweep();
            }
            if letter == Some(next) {
                let (_, (from, to, bytes)) = self.letters.pop_first().expect("it is there");
                self.deliver(&from, &to, &bytes);
            } else if let Some((_, id)) = self.schedule.first().cloned() {
                self.act(&id, |node, now, actions| node.tick(now, actions));
            }
        }
    }

    fn deliver(&mut self, from: &NodeId, to: &NodeId, bytes: &Bytes) {
        if self.dead.contains(to) {
            return;
        }
        if bytes.is_empty() {
            self.act(to, |node, now, actions| {
                node.miss(from, now, actions);
                node.disconnect(from);
            });
        } else if !self.dead.contains(from) {
            self.link(from, to);
            self.act(to, |node, now, actions| {
                node.hear(from, bytes, now, actions).expect("it is sound");
                if let Some(pretender) = node.take_pretender() {
                    node.refute(&pretender, now, actions);
                }
            });
        }
    }

    fn rest(&mut self, time: Duration) {
        self.made = 0;
        self.run(time);
    }

    /// Lets time pass until something holds; returns how long that took.
    fn until(&mut self, most: Duration, holds: impl Fn(&Self) -> bool) -> Option<Duration> {
        let begun = self.now;
        while !holds(self) {
            if self.now - begun >= most {
                return None;
            }
            self.run(Duration::from_millis(250));
        }
        Some(self.now - begun)
    }

    fn take_bytes(&mut self) -> (f64, f64) {
        let time = (self.now - self.counted).as_secs_f64();
        self.counted = self.now;
        let bytes = std::mem::take(&mut self.bytes);
        let alive = (self.nodes.len() - self.dead.len()) as f64;
        let (sum, most) = bytes
            .values()
            .fold((0, 0), |(sum, most), bytes| (sum + bytes, most.max(*bytes)));
        (sum as f64 / time / alive, most as f64 / time)
    }

    fn degrees(&self) -> Vec<usize> {
        let mut degrees: BTreeMap<&NodeId, usize> = BTreeMap::new();
        for (a, b) in self.links.keys() {
            *degrees.entry(a).or_default() += 1;
            *degrees.entry(b).or_default() += 1;
        }
        degrees.into_values().collect()
    }

    fn alive(&self) -> impl Iterator<Item = (&NodeId, &Gossiper)> {
        self.nodes.iter().filter(|(id, _)| !self.dead.contains(*id))
    }

    fn all_but(&self, but: &NodeId, holds: impl Fn(&Gossiper) -> bool) -> bool {
        self.alive().all(|(id, node)| id == but || holds(node))
    }

    /// How often a living node does not know that another one lives.
    pub(super) fn unknown(&self) -> usize {
        let alive = self.nodes.len() - self.dead.len();
        let unknown = self.alive().map(|(_, node)| {
            let known = node.known().values().filter(|known| {
                known.state() == State::Alive && !self.dead.contains(known.id().node())
            });
            alive - 1 - known.count()
        });
        unknown.sum()
    }

    /// Nodes that still believe that `gone` lives.
    pub(super) fn believers(&self, gone: &NodeId) -> usize {
        self.alive()
            .filter(|(_, node)| {
                let known = node.known().get(gone);
                known.is_some_and(|known| known.state() == State::Alive)
            })
            .count()
    }
}

/// The name of a node.
pub(super) fn id(number: usize) -> NodeId {
    format!("n{number}").into()
}

/// Nodes that start at once, each of which knows three of those that started before.
pub(super) fn cluster(size: usize, regions: usize, way: Duration) -> World {
    let mut world = World {
        now: Duration::ZERO,
        nodes: BTreeMap::new(),
        dead: BTreeSet::new(),
        way,
        letters: BTreeMap::new(),
        sent: 0,
        wanted: BTreeMap::new(),
        schedule: BTreeSet::new(),
        links: BTreeMap::new(),
        made: 0,
        swept: Duration::ZERO,
        bytes: BTreeMap::new(),
        counted: Duration::ZERO,
    };
    let chance = Randomness::seeded(1);
    for number in 0..size {
        let seed = |_| id((chance.fraction() * number as f64) as usize);
        let seeds: Vec<NodeId> = (0..number.min(3)).map(seed).collect();
        let member = member(id(number).as_str(), &format!("r{}", number % regions));
        world.start(member, &seeds);
    }
    world
}

/// One that was just born.
pub(super) fn member(node: &str, region: &str) -> Member {
    Facts {
        node: node.into(),
        life: NOW - 3_600_000_000,
        revision: 0,
        address: Some(([127, 0, 0, 1], 7411).into()),
        region: region.into(),
        primary: "r0".into(),
        catalogue: [0; DIGEST],
        draining: false,
        rest: Box::default(),
    }
    .into()
}

/// Members that one may know.
pub(super) const MOST: usize = 2_000;
/// Microseconds since 1970.
pub(super) const NOW: u64 = 1_700_003_600_000_000;
/// After which a connection's end is noticed that nobody announced.
const SILENCE: Duration = Duration::from_secs(2);
/// After which one that nobody needs is let go.
const IDLE: Duration = Duration::from_secs(15);
