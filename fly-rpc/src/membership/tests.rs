//! Whole clusters of gossipers, in the model's time and on its network.

use std::time::Duration;

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};

use super::{
    gossiper::Actions,
    model::{MOST, NOW, cluster, id, member},
};

#[test]
fn everybody_knows_everybody_soon() {
    for size in [2, 3, 16, 60] {
        let mut world = cluster(size, 5, WAY);
        world.run(Duration::from_secs(5));
        assert_eq!(world.unknown(), 0, "of {size}");
    }
}

#[test]
fn after_a_tick_nothing_is_due_at_once() {
    for size in [1, 2, 20] {
        let mut world = cluster(size, 5, WAY);
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
    let mut world = cluster(40, 5, WAY);
    world.run(Duration::from_secs(10));
    let dead: Vec<NodeId> = (0..4).map(|number| id(number * 7 + 2)).collect();
    for node in &dead {
        world.kill(node);
    }
    world.run(Duration::from_secs(10));
    for node in &dead {
        assert_eq!(world.believers(node), 0, "{node}");
    }
    assert_eq!(world.unknown(), 0);
}

#[test]
fn who_comes_back_in_another_life_and_place_is_known_as_that() {
    let mut world = cluster(10, 5, WAY);
    world.run(Duration::from_secs(5));
    world.kill(&"n4".into());
    world.run(Duration::from_secs(1));
    let later = member("n4", "elsewhere").revised(|facts| facts.life += 1_000_000);
    world.start(later, &[id(0)]);
    world.run(Duration::from_secs(10));
    assert_eq!(world.unknown(), 0);
    for (other, node) in &world.nodes {
        if other.as_str() != "n4" {
            let facts = node.known()[&NodeId::from("n4")].id().facts();
            assert_eq!(facts.region, "elsewhere".into(), "as {other} knows it");
        }
    }
}

#[test]
fn what_a_node_says_of_itself_reaches_all_within_a_second_in_a_cluster_of_sixty() {
    let mut world = cluster(60, 5, WAY);
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
fn who_sees_the_primary_elsewhere_says_so_and_keeps_those_who_are_there() {
    let mut world = cluster(60, 5, WAY);
    world.run(Duration::from_secs(10));
    let speaker = id(7);
    world.act(&speaker, |node, now, actions| {
        node.revise(|facts| facts.primary = "r3".into(), now, actions);
    });
    let speaks = &world.nodes[&speaker];
    let kept = speaks.neighbours().iter().filter(|node| {
        let known = speaks.known().get(*node);
        known.is_some_and(|known| known.id().facts().region == "r3".into())
    });
    assert!(kept.count() >= 2, "{:?}", speaks.neighbours());
    world.run(Duration::from_secs(1));
    for (other, node) in world.nodes.iter().filter(|(other, _)| **other != speaker) {
        let facts = node.known()[&speaker].id().facts();
        assert_eq!(facts.primary, "r3".into(), "as {other} knows it");
    }
}

#[test]
fn who_leaves_is_gone_at_once() {
    let mut world = cluster(20, 5, WAY);
    world.run(Duration::from_secs(5));
    world.act(&"n3".into(), |node, _, actions| node.leave(actions));
    world.run(Duration::from_secs(1));
    // Who left is the only one who may still believe in himself.
    world.dead.insert(id(3));
    assert_eq!(world.believers(&id(3)), 0);
}

#[test]
fn who_is_said_to_be_dead_or_somebody_else_says_that_he_is_not() {
    let mut world = cluster(12, 5, WAY);
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
        assert_eq!(world.unknown(), 0, "after {lie:?}");
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
    let mut world = cluster(3, 5, WAY);
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
    assert_eq!(world.unknown(), 0);

    let mut packets = Actions::default();
    let node = world.nodes.get_mut(&NodeId::from("n1")).expect("there");
    node.leave(&mut packets);
    let (_, packet) = packets.datagrams.pop().expect("it says that it goes");
    let node = world.nodes.get_mut(&NodeId::from("n0")).expect("there");
    assert!(node.hear(&"n2".into(), &packet, now, &mut actions).is_err());
}

#[test]
fn of_members_that_somebody_invents_only_so_many_are_remembered() {
    let mut world = cluster(3, 3, WAY);
    world.run(Duration::from_secs(3));
    let now = world.now;
    let node = world.nodes.get_mut(&id(0)).expect("there");
    for number in 0..2 * MOST {
        let invented = member(&format!("x{number}"), "r1");
        let mut message = vec![2];
        super::packet::write(&foca::Member::alive(invented), &mut message);
        let mut actions = Actions::default();
        let heard = node.hear(&id(1), &message, now, &mut actions);
        heard.expect("each could be true");
    }
    assert!(node.known().len() <= MOST);
    // Those who were there are known as before.
    assert!(node.known().contains_key(&id(1)) && node.known().contains_key(&id(2)));
}

#[test]
fn any_bytes_are_heard_without_a_panic() {
    let mut world = cluster(3, 5, WAY);
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

/// How long every way takes.
const WAY: Duration = Duration::from_millis(30);
