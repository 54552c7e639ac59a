//! What the fuzz target `gossip` of `fuzz/` runs, and ordinary tests beside it: a node that hears what
//! nobody vouches for, between all that may happen to it.

use std::time::Duration;

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};

use super::{
    gossiper::{Actions, Gossiper},
    member::{DIGEST, Facts, Member, array, take},
};

/// What happens, one after the other: a byte that says what, and what belongs to it.
///
/// # Panics
/// If the node says what another one does not understand, knows itself or more than it may, wants to
/// be called at once for ever, or cannot refute what is said of it.
pub fn gossip(data: &[u8]) {
    let mut script = data;
    let mut node = Gossiper::new(member(0), Randomness::seeded(1), NOW, MOST);
    let mut now = Duration::ZERO;
    while let Ok([what, whom]) = array(&mut script) {
        let peer: NodeId = format!("n{}", 1 + whom % PEERS).into();
        let mut actions = Actions::default();
        match what % 8 {
            0 => node.connect(&peer, now, &mut actions),
            1 => node.disconnect(&peer),
            2 => node.miss(&peer, now, &mut actions),
            3 => now += Duration::from_millis(50) * u32::from(whom),
            4 => node.revise(|me| me.draining = !me.draining, now, &mut actions),
            5 if whom == 0 => node.leave(&mut actions),
            _ => {
                let Ok([length]) = array(&mut script) else {
                    return;
                };
                let Ok(message) = take(&mut script, length.into()) else {
                    return;
                };
                // What cannot be read is nobody's fault here.
                let _ = node.hear(&peer, message, now, &mut actions);
            }
        }
        if let Some(pretender) = node.take_pretender() {
            node.refute(&pretender, now, &mut actions);
            assert!(node.me().age(&pretender).is_gt(), "{pretender:?}");
        }
        node.tick(now, &mut actions);
        assert!(node.due() > now, "it wants to be called for ever");
        assert!(node.known().len() <= MOST, "{:?}", node.known().keys());
        assert!(
            !node.known().contains_key(node.me().node()),
            "it knows itself"
        );
        is_understood(node.me().node(), actions, now);
    }
}

/// A node that is new hears all of it.
fn is_understood(from: &NodeId, actions: Actions, now: Duration) {
    let Actions {
        datagrams,
        messages,
        ..
    } = actions;
    let datagrams = datagrams.into_iter().map(|(to, packet)| {
        assert!(packet.len() <= DATAGRAM, "{} bytes", packet.len());
        (to.node().clone(), packet)
    });
    let heard: Vec<(NodeId, Bytes)> = datagrams.chain(messages).collect();
    if heard.is_empty() {
        return;
    }
    let mut listener = Gossiper::new(member(PEERS + 1), Randomness::seeded(2), NOW, 2 * MOST);
    for (to, message) in heard {
        assert!(message.len() <= fly_rpc_transport::Link::gossip_size());
        let understood = listener.hear(from, &message, now, &mut Actions::default());
        assert!(understood.is_ok(), "{understood:?}, told to {to}");
    }
}

fn member(number: u8) -> Member {
    Facts {
        node: format!("n{number}").into(),
        life: NOW - 1,
        revision: 0,
        address: Some(([127, 0, 0, 1], 7411).into()),
        region: "r".into(),
        primary: "r".into(),
        catalogue: [0; DIGEST],
        draining: false,
        rest: Box::default(),
    }
    .into()
}

/// Those who are said to say something.
const PEERS: u8 = 3;
/// Members that the node may know: few, so that there are soon too many.
const MOST: usize = 6;
/// Microseconds since 1970.
const NOW: u64 = 1_700_003_600_000_000;
/// Bytes that QUIC carries in a datagram on every path.
const DATAGRAM: usize = 1_100;

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{super::packet, *};

    #[test]
    fn every_input_that_fuzzing_kept_is_harmless() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/gossip");
        let inputs = fs::read_dir(corpus).expect("a corpus");
        let run = inputs.map(|input| {
            let path = input.expect("a file").path();
            println!("{}", path.display());
            gossip(&fs::read(path).expect("readable"));
        });
        assert_ne!(run.count(), 0);
    }

    /// What a cluster says of its own accord, from which fuzzing starts.
    #[test]
    fn what_nodes_say_is_heard() {
        let mut script = Vec::new();
        for (number, kind) in [(1_u8, 0_u8), (2, 1), (3, 2)] {
            let mut records = vec![2];
            let told = foca::Member::new(
                member(number),
                kind.into(),
                if kind == 2 {
                    foca::State::Down
                } else {
                    foca::State::Alive
                },
            );
            packet::write(&told, &mut records);
            script.extend([0, number - 1]);
            script.extend([7, number - 1, records.len() as u8]);
            script.extend(records);
            script.extend([3, 40]);
        }
        gossip(&script);
        let mut speaker = Gossiper::new(member(1), Randomness::seeded(3), NOW, MOST);
        let mut actions = Actions::default();
        let mut told = vec![2];
        packet::write(&foca::Member::alive(member(0)), &mut told);
        let now = Duration::from_secs(1);
        speaker.connect(&"n0".into(), now, &mut actions);
        speaker
            .hear(&"n0".into(), &told, now, &mut actions)
            .expect("it is sound");
        speaker.tick(now + Duration::from_secs(3), &mut actions);
        let datagrams = actions.datagrams.into_iter().map(|(_, packet)| packet);
        let messages = actions.messages.into_iter().map(|(_, message)| message);
        let said: Vec<Bytes> = datagrams.chain(messages).collect();
        assert!(said.len() > 2, "{said:?}");
        let mut script = vec![0, 0];
        for message in &said {
            script.extend([7, 0, message.len() as u8]);
            script.extend_from_slice(message);
        }
        gossip(&script);
    }
}
