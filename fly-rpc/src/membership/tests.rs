//! Whole clusters of gossipers, in a time and on a network of the test's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};
use foca::State;

use super::{
    fake::member,
    gossiper::{Actions, Gossiper},
    member::Member,
};

/// Gossipers that reach each other in 30 ms, by connections that are there as soon as they are needed.
struct World {
    now: Duration,
    nodes: BTreeMap<NodeId, Gossiper>,
    dead: BTreeSet<NodeId>,
    /// By the time at which they arrive.
    letters: BTreeMap<(Duration, u64), (NodeId, NodeId, Bytes)>,
    sent: u64,
    bytes: BTreeMap<NodeId, usize>,
    links: BTreeSet<(NodeId, NodeId)>,
}

impl World {
    fn new() -> Self {
        Self {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            dead: BTreeSet::new(),
            letters: BTreeMap::new(),
            sent: 0,
            bytes: BTreeMap::new(),
            links: BTreeSet::new(),
        }
    }

    fn start(&mut self, member: Member, seeds: &[&str]) {
        let id = member.node().clone();
        let randomness = Randomness::seeded(self.nodes.len() as u64 + 1);
        let node = Gossiper::new(member, randomness, NOW);
        self.dead.remove(&id);
        self.nodes.insert(id.clone(), node);
        for seed in seeds {
            self.link(&id, &NodeId::from(*seed));
        }
    }

    fn act(&mut self, node: &NodeId, act: impl FnOnce(&mut Gossiper, Duration, &mut Actions)) {
        let mut actions = Actions::default();
        let now = self.now;
        act(
            self.nodes.get_mut(node).expect("it was started"),
            now,
            &mut actions,
        );
        let datagrams = actions.datagrams.into_iter();
        let datagrams = datagrams.map(|(to, bytes)| (to.node().clone(), bytes));
        for (to, bytes) in datagrams.chain(actions.messages) {
            self.sent += 1;
            *self.bytes.entry(node.clone()).or_default() += bytes.len();
            let arrival = (now + WAY, self.sent);
            self.letters.insert(arrival, (node.clone(), to, bytes));
        }
        let kept = self.nodes[node].neighbours().clone();
        let kept: Vec<NodeId> = kept.confidants.union(&kept.likely).cloned().collect();
        for other in kept {
            self.link(node, &other);
        }
    }

    fn link(&mut self, from: &NodeId, to: &NodeId) {
        if self.dead.contains(to) || !self.nodes.contains_key(to) {
            return;
        }
        let pair = if from < to { (from, to) } else { (to, from) };
        if self.links.insert((pair.0.clone(), pair.1.clone())) {
            self.act(&from.clone(), |node, now, actions| {
                node.connect(to, now, actions)
            });
            self.act(&to.clone(), |node, now, actions| {
                node.connect(from, now, actions)
            });
        }
    }

    /// Nothing comes from it any more; those it was connected with notice after two seconds.
    fn kill(&mut self, id: &NodeId) {
        self.dead.insert(id.clone());
        let links: Vec<_> = self.links.iter().cloned().collect();
        for (a, b) in links.into_iter().filter(|(a, b)| a == id || b == id) {
            self.links.remove(&(a.clone(), b.clone()));
            let other = if a == *id { b } else { a };
            if !self.dead.contains(&other) {
                self.sent += 1;
                let noticed = (self.now + Duration::from_secs(2), self.sent);
                self.letters
                    .insert(noticed, (id.clone(), other, Bytes::new()));
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let alive = self.nodes.iter().filter(|(id, _)| !self.dead.contains(*id));
            let due = alive.map(|(id, node)| (node.due(), id.clone())).min();
            let letter = self.letters.first_key_value().map(|(at, _)| at.0);
            let next = due
                .as_ref()
                .map(|due| due.0)
                .into_iter()
                .chain(letter)
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if letter == Some(next) {
                let (_, (from, to, bytes)) = self.letters.pop_first().expect("it is there");
                if self.dead.contains(&to) {
                    continue;
                }
                if bytes.is_empty() {
                    self.act(&to, |node, now, actions| {
                        node.miss(&from, now, actions);
                        node.disconnect(&from);
                    });
                } else if !self.dead.contains(&from) {
                    self.link(&from.clone(), &to);
                    self.act(&to, |node, now, actions| {
                        node.hear(&from, &bytes, now, actions).expect("it is sound");
                        if let Some(pretender) = node.take_pretender() {
                            node.refute(&pretender, now, actions);
                        }
                    });
                }
            } else if let Some((_, id)) = due {
                self.act(&id, |node, now, actions| node.tick(now, actions));
            }
        }
    }

    fn knows(&self, node: &NodeId, other: &NodeId) -> Option<State> {
        Some(self.nodes[node].known().get(other)?.state())
    }

    fn alive(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.keys().filter(|id| !self.dead.contains(*id))
    }

    /// Pairs of living nodes of which one does not know that the other lives.
    fn unknown(&self) -> Vec<(&NodeId, &NodeId)> {
        let pairs = self.alive().flat_map(|a| self.alive().map(move |b| (a, b)));
        pairs
            .filter(|(a, b)| a != b && self.knows(a, b) != Some(State::Alive))
            .collect()
    }

    /// Nodes that still believe that `gone` lives.
    fn believers(&self, gone: &NodeId) -> usize {
        self.alive()
            .filter(|id| self.knows(id, gone) == Some(State::Alive))
            .count()
    }
}

fn id(number: usize) -> String {
    format!("n{number}")
}

fn cluster(size: usize) -> World {
    let mut world = World::new();
    for number in 0..size {
        // Whoever comes knows one that was there before.
        let seed = id(number / 2);
        let seeds: &[&str] = if number == 0 { &[] } else { &[&seed] };
        world.start(member(&id(number), &format!("r{}", number % 5)), seeds);
    }
    world
}

#[test]
fn everybody_knows_everybody_soon() {
    for size in [2, 3, 16, 60] {
        let mut world = cluster(size);
        world.run(Duration::from_secs(5));
        assert_eq!(world.unknown(), [], "of {size}");
    }
}

#[test]
fn after_a_tick_nothing_is_due_at_once() {
    for size in [1, 2, 20] {
        let mut world = cluster(size);
        for step in 0..200 {
            world.run(Duration::from_millis(50));
            let now = world.now;
            for node in world.nodes.values_mut() {
                node.tick(now, &mut Actions::default());
                assert!(node.due() > now, "step {step} of {size}");
            }
        }
    }
}

#[test]
fn who_dies_is_gone_within_ten_seconds_and_nobody_else_is() {
    let mut world = cluster(40);
    world.run(Duration::from_secs(10));
    let dead: Vec<NodeId> = (0..4).map(|number| id(number * 7 + 2).into()).collect();
    for node in &dead {
        world.kill(node);
    }
    world.run(Duration::from_secs(10));
    for node in &dead {
        assert_eq!(world.believers(node), 0, "{node}");
    }
    assert_eq!(world.unknown(), []);
}

#[test]
fn who_comes_back_in_another_life_and_place_is_known_as_that() {
    let mut world = cluster(10);
    world.run(Duration::from_secs(5));
    world.kill(&"n4".into());
    world.run(Duration::from_secs(1));
    let later = member("n4", "elsewhere").revised(|facts| facts.life += 1_000_000);
    world.start(later, &["n0"]);
    world.run(Duration::from_secs(10));
    assert_eq!(world.unknown(), []);
    for (other, node) in &world.nodes {
        if other.as_str() != "n4" {
            let facts = node.known()[&NodeId::from("n4")].id().facts();
            assert_eq!(facts.region, "elsewhere".into(), "as {other} knows it");
        }
    }
}

#[test]
fn what_a_node_says_of_itself_reaches_all_within_a_second_in_a_cluster_of_sixty() {
    let mut world = cluster(60);
    world.run(Duration::from_secs(10));
    world.act(&"n7".into(), |node, now, actions| {
        node.revise(|facts| facts.draining = true, now, actions);
    });
    world.run(Duration::from_secs(1));
    let unaware = world.nodes.iter().filter(|(other, node)| {
        let known = node.known().get(&NodeId::from("n7"));
        other.as_str() != "n7" && !known.is_some_and(|known| known.id().facts().draining)
    });
    assert_eq!(unaware.count(), 0);
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut world = cluster(20);
    world.run(Duration::from_secs(5));
    world.act(&"n3".into(), |node, _, actions| node.leave(actions));
    world.run(Duration::from_secs(1));
    let others = world.nodes.keys().filter(|other| other.as_str() != "n3");
    let believers = others.filter(|other| world.knows(other, &"n3".into()) == Some(State::Alive));
    assert_eq!(believers.count(), 0);
}

#[test]
fn who_is_said_to_be_dead_or_somebody_else_says_that_he_is_not() {
    let mut world = cluster(12);
    world.run(Duration::from_secs(5));
    let victim = NodeId::from("n5");
    let known = world.nodes[&NodeId::from("n0")].known()[&victim]
        .id()
        .clone();
    let lies = [
        foca::Member::down(known.clone()),
        foca::Member::alive(known.revised(|facts| {
            facts.revision = u32::MAX;
            facts.address = None;
        })),
        foca::Member::alive(known.revised(|facts| {
            facts.life = NOW + 1_000_000;
            facts.region = "nowhere".into();
        })),
    ];
    for lie in lies {
        let mut message = vec![2];
        super::packet::write(&lie, &mut message);
        world.act(&"n1".into(), |node, now, actions| {
            node.hear(&"n0".into(), &message, now, actions)
                .expect("readable");
        });
        world.run(Duration::from_secs(10));
        assert_eq!(world.unknown(), [], "after {lie:?}");
        let facts = world.nodes[&NodeId::from("n9")].known()[&victim]
            .id()
            .facts();
        assert!(
            facts.address.is_some() && facts.region == "r0".into(),
            "{facts:?}"
        );
    }
}

#[test]
fn a_record_from_a_far_future_is_refused_and_so_is_a_packet_in_anothers_name() {
    let mut world = cluster(3);
    world.run(Duration::from_secs(5));
    let absurd = member("n1", "r1").revised(|facts| facts.life = u64::MAX);
    let mut message = vec![2];
    super::packet::write(&foca::Member::alive(absurd), &mut message);
    let mut actions = Actions::default();
    let node = world.nodes.get_mut(&NodeId::from("n0")).expect("there");
    let now = world.now;
    assert!(
        node.hear(&"n2".into(), &message, now, &mut actions)
            .is_err()
    );
    assert_eq!(world.unknown(), []);

    let mut packets = Actions::default();
    let node = world.nodes.get_mut(&NodeId::from("n1")).expect("there");
    node.leave(&mut packets);
    let (_, packet) = packets.datagrams.pop().expect("it says that it goes");
    let node = world.nodes.get_mut(&NodeId::from("n0")).expect("there");
    assert!(node.hear(&"n2".into(), &packet, now, &mut actions).is_err());
}

#[test]
fn any_bytes_are_heard_without_a_panic() {
    let mut world = cluster(3);
    world.run(Duration::from_secs(3));
    let chance = Randomness::seeded(9);
    let mut packets = Actions::default();
    world
        .nodes
        .get_mut(&NodeId::from("n1"))
        .expect("there")
        .leave(&mut packets);
    let seeds: Vec<Bytes> = packets
        .datagrams
        .into_iter()
        .map(|(_, bytes)| bytes)
        .chain(packets.messages.into_iter().map(|(_, bytes)| bytes))
        .collect();
    let now = world.now;
    let node = world.nodes.get_mut(&NodeId::from("n0")).expect("there");
    for round in 0..20_000_usize {
        let mut message = seeds[round % seeds.len()].to_vec();
        for _ in 0..=chance.number() % 4 {
            let place = chance.number() as usize % message.len();
            message[place] = chance.number() as u8;
        }
        message.truncate(1 + chance.number() as usize % message.len());
        let mut actions = Actions::default();
        let _ = node.hear(&"n1".into(), &message, now, &mut actions);
        node.tick(now, &mut actions);
    }
}

/// Microseconds since 1970: an hour after the members were born.
const NOW: u64 = 1_700_003_600_000_000;
/// How long every way takes.
const WAY: Duration = Duration::from_millis(30);
