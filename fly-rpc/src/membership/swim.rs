//! Who is alive: the SWIM protocol, as foca implements it, without a clock or a network.
//!
//! What foca does not tell is found by comparing its state with the last known one; and a death that
//! this node sees with its own eyes, because a connection has fallen silent, need not wait for a probe.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};
use foca::{Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, State, Timer};

use super::{
    chance::Chance,
    member::{Key, Member, Unreadable, array},
    packet::{self, PacketCodec},
};
use crate::fnv::Fnv;

type Core = Foca<Member, PacketCodec, Chance, NoCustomBroadcast>;

/// One node's view of who is alive.
pub(super) struct Swim {
    foca: Core,
    codec: PacketCodec,
    known: BTreeMap<NodeId, foca::Member<Member>>,
    /// The same in foca's order, in which most of it stays from one look to the next.
    seen: Vec<foca::Member<Member>>,
    /// How many may be known.
    most: usize,
    /// The latest record about this node that is not its own.
    pretender: Option<Member>,
    dirty: bool,
}

/// What is to be done after something happened.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Packets, and to whom.
    pub(super) packets: Vec<(Member, Bytes)>,
    /// What is to be handed back, and after how long.
    pub(super) timers: Vec<(Timer<Member>, Duration)>,
    /// Of whom nothing was heard that is not known.
    pub(super) echoes: Vec<NodeId>,
}

impl Swim {
    /// A node that knows nobody, and may know `most`. `now` is in microseconds since 1970.
    pub(super) fn new(me: Member, randomness: Randomness, now: u64, most: usize) -> Self {
        let codec = PacketCodec::default();
        codec.it_is(now);
        Self {
            foca: Foca::new(me, config(1), Chance(randomness), codec.clone()),
            codec,
            known: BTreeMap::new(),
            seen: Vec::new(),
            most,
            pretender: None,
            dirty: false,
        }
    }

    /// What this node says of itself.
    pub(super) fn me(&self) -> &Member {
        self.foca.identity()
    }

    /// The time goes on.
    pub(super) fn it_is(&self, now: u64) {
        self.codec.it_is(now);
    }

    /// A packet came from the node `from`, which has proved that it is that node.
    pub(super) fn hear(
        &mut self,
        from: &NodeId,
        packet: &[u8],
        effects: &mut Effects,
    ) -> Result<(), Unreadable> {
        let mut updates = packet;
        let header = self.codec.header(&mut updates)?;
        if header.src.node() != from {
            return Err(Unreadable("a packet in another node's name"));
        }
        if self.known.len() >= self.most && self.names_a_stranger(from, updates)? {
            return Err(Unreadable("it names more members than there may be"));
        }
        self.dirty = true;
        match self.foca.handle_data(packet, effects) {
            Err(foca::Error::Decode(_) | foca::Error::MalformedPacket) => {
                Err(Unreadable("a packet that breaks off"))
            }
            Err(foca::Error::DataTooBig) => Err(Unreadable("a packet that is too long")),
            // The others are no fault of the packet's.
            _ => Ok(()),
        }
    }

    /// A timer of [`Effects`] is due.
    pub(super) fn expire(&mut self, timer: Timer<Member>, effects: &mut Effects) {
        self.dirty = true;
        if let Err(error) = self.foca.handle_timer(timer, effects) {
            tracing::debug!(%error, "a probe was not made");
        }
    }

    /// Takes over what another node knows: one record after the other.
    pub(super) fn learn(
        &mut self,
        mut records: &[u8],
        effects: &mut Effects,
    ) -> Result<(), Unreadable> {
        let mut learnt = Vec::new();
        while !records.is_empty() {
            let member = self.codec.read(&mut records)?;
            // News comes from several sides; foca would look at everybody for each.
            if self.known.get(member.id().node()) == Some(&member) {
                effects.echoes.push(member.id().node().clone());
            } else {
                learnt.push(member);
            }
        }
        if learnt.is_empty() {
            return Ok(());
        }
        let mut room = self.most.saturating_sub(self.known.len());
        learnt.retain(|member| {
            if self.knows(member.id().node()) {
                return true;
            }
            let has_room = room > 0;
            room = room.saturating_sub(1);
            has_room
        });
        self.apply(learnt, effects);
        Ok(())
    }

    /// This node has seen with its own eyes that `node` does not answer: says so, unless it is known
    /// already.
    pub(super) fn suspect(&mut self, node: &NodeId, effects: &mut Effects) -> Option<Suspicion> {
        let known = self
            .known
            .get(node)
            .filter(|known| known.state() == State::Alive)?;
        let (member, incarnation) = (known.id().clone(), known.incarnation());
        let suspect = foca::Member::new(member.clone(), incarnation, State::Suspect);
        self.apply(vec![suspect], effects);
        Some(Suspicion {
            member,
            incarnation,
        })
    }

    /// The time in which a suspicion could be refuted is over.
    pub(super) fn condemn(&mut self, suspicion: &Suspicion, effects: &mut Effects) {
        let Suspicion {
            member,
            incarnation,
        } = suspicion;
        let is_refuted = self.known.get(member.node()).is_none_or(|known| {
            known.id() != member
                || known.incarnation() != *incarnation
                || known.state() != State::Suspect
        });
        if !is_refuted {
            let down = foca::Member::new(member.clone(), *incarnation, State::Down);
            self.apply(vec![down], effects);
        }
    }

    /// This node has something else to say of itself.
    pub(super) fn revise(&mut self, revised: Member, effects: &mut Effects) {
        self.dirty = true;
        if let Err(error) = self.foca.change_identity(revised, effects) {
            tracing::debug!(%error, "nothing new is said of this node");
        }
    }

    /// This node goes, and says so.
    pub(super) fn leave(&mut self, effects: &mut Effects) {
        // Whoever does not hear it finds out.
        let _ = self.foca.leave_cluster(effects);
    }

    /// A later record about this node than its own, which somebody else must have written.
    pub(super) fn take_pretender(&mut self) -> Option<Member> {
        let pretender = self.pretender.take();
        pretender.filter(|pretender| pretender.age(self.me()).is_gt())
    }

    /// What changed since this was asked last.
    pub(super) fn changes(&mut self) -> Vec<foca::Member<Member>> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        let mut count = 0;
        let mut has_moved = false;
        for member in others(&self.foca) {
            let is_seen = self.seen.get(count) == Some(member);
            count += 1;
            if is_seen {
                continue;
            }
            has_moved = true;
            if self.known.get(member.id().node()) != Some(member) {
                self.known
                    .insert(member.id().node().clone(), member.clone());
                changes.push(member.clone());
            }
        }
        if has_moved || count < self.seen.len() {
            self.seen = others(&self.foca).cloned().collect();
        }
        if count < self.known.len() {
            let still: BTreeSet<&NodeId> = others(&self.foca)
                .map(|member| member.id().node())
                .collect();
            self.known.retain(|node, _| still.contains(node));
        }
        if !changes.is_empty() {
            changes.sort_by(|a, b| a.id().node().cmp(b.id().node()));
            // Fails if a period were changed, and none is.
            let _ = self.foca.set_config(config(self.foca.num_members()));
        }
        changes
    }

    /// Everybody who is known, dead ones for as long as they are remembered, as of the last
    /// [`changes`](Self::changes).
    pub(super) fn known(&self) -> &BTreeMap<NodeId, foca::Member<Member>> {
        &self.known
    }

    /// A number that two nodes share which know the same, this node included; and the same for each of
    /// so many parts of what they know.
    pub(super) fn digests(&self, parts: usize) -> (u64, Vec<u16>) {
        let me = foca::Member::alive(self.me().clone());
        let living = self
            .known
            .values()
            .filter(|member| member.state() != State::Down);
        let (mut whole, mut digests) = (0, vec![0; parts]);
        for member in living.chain([&me]) {
            let hash = hash(member);
            whole ^= hash;
            if let Some(part) = part_of(member.id().node(), parts) {
                digests[part] ^= hash as u16;
            }
        }
        (whole, digests)
    }

    fn knows(&self, node: &NodeId) -> bool {
        node == self.me().node() || self.known.contains_key(node)
    }

    /// True if a packet of `from` with these updates would add somebody.
    fn names_a_stranger(&self, from: &NodeId, mut updates: &[u8]) -> Result<bool, Unreadable> {
        if !self.knows(from) {
            return Ok(true);
        }
        if updates.len() < 2 {
            return Ok(false);
        }
        for _ in 0..u16::from_be_bytes(array(&mut updates)?) {
            if !self.knows(self.codec.read(&mut updates)?.id().node()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn apply(&mut self, learnt: Vec<foca::Member<Member>>, effects: &mut Effects) {
        for member in &learnt {
            let is_latest = |pretender: &Member| member.id().age(pretender).is_gt();
            if member.id().node() == self.me().node()
                && is_latest(self.me())
                && self.pretender.as_ref().is_none_or(is_latest)
            {
                self.pretender = Some(member.id().clone());
            }
        }
        self.dirty = true;
        if let Err(error) = self.foca.apply_many(learnt.into_iter(), true, effects) {
            tracing::debug!(%error, "what was learnt could not be passed on");
        }
    }
}

/// Everybody but this node: what it was before it changed is among foca's dead.
fn others(foca: &Core) -> impl Iterator<Item = &foca::Member<Member>> {
    let me = foca.identity().key();
    let all = foca.iter_membership_state();
    all.filter(move |member| member.id().key() != me)
}

/// Somebody who does not answer, and may still say that he is there.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    member: Member,
    incarnation: u16,
}

/// FNV-1a of what is passed on of a member: no secret, and nobody gains by a collision.
fn hash(member: &foca::Member<Member>) -> u64 {
    let mut record = Vec::new();
    packet::write(member, &mut record);
    let mut hash = Fnv::default();
    hash.write(&record);
    hash.finish()
}

/// Which of so many parts a member belongs to; `None` if there are none.
pub(super) fn part_of(node: &NodeId, parts: usize) -> Option<usize> {
    let mut hash = Fnv::default();
    hash.write(node.as_str().as_bytes());
    let part = hash.finish().checked_rem(parts as u64)?;
    Some(part as usize)
}

fn config(members: usize) -> Config {
    let mut config = Config::simple();
    config.probe_period = PROBE_PERIOD;
    config.probe_rtt = PROBE_ROUND_TRIP;
    config.suspect_to_down_after = SUSPICION;
    config.max_packet_size = PACKET;
    config.notify_down_members = true;
    config.remove_down_after = Some(MEMORY);
    config.periodic_announce_to_down_members = Some(PeriodicParams {
        frequency: DOWN_PERIOD,
        num_members: ONE,
    });
    // Each piece of news travels with so many packets: enough to reach all (SWIM, section 4.1: some
    // multiple of the logarithm), beside the faster way over the connections that there are.
    let rounds = 4 * (usize::BITS - members.leading_zeros()) as usize / 3;
    config.max_transmissions = u8::try_from(rounds.clamp(4, 24))
        .ok()
        .and_then(NonZeroU8::new)
        .expect("between 4 and 24");
    config
}

impl foca::Runtime<Member> for &mut Effects {
    fn notify(&mut self, _notification: Notification<'_, Member>) {}

    fn send_to(&mut self, to: Member, data: &[u8]) {
        self.packets.push((to, Bytes::copy_from_slice(data)));
    }

    fn submit_after(&mut self, event: Timer<Member>, after: Duration) {
        self.timers.push((event, after));
    }
}

impl foca::Identity for Member {
    type Addr = Key;

    fn renew(&self) -> Option<Self> {
        Some(self.revised(|_| ()))
    }

    fn addr(&self) -> Key {
        self.key()
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.age(adversary).is_gt()
    }
}

/// How often one member, another each time, is asked whether it is there.
const PROBE_PERIOD: Duration = Duration::from_secs(2);
/// How long the answer may take before others are asked to ask: a connection may have to be made
/// first, which takes two round trips.
const PROBE_ROUND_TRIP: Duration = Duration::from_secs(1);
/// How long a member may take to say that it is there after all.
pub(super) const SUSPICION: Duration = Duration::from_secs(3);
/// How long the dead are remembered, so that nobody who heard late brings them back.
const MEMORY: Duration = Duration::from_secs(600);
/// How often one of the dead is asked whether it is: a partition heals by that.
const DOWN_PERIOD: Duration = Duration::from_secs(10);
const ONE: NonZeroUsize = NonZeroUsize::MIN;
/// Bytes of a packet: a QUIC datagram takes so many on every path.
const PACKET: NonZeroUsize = NonZeroUsize::new(1_099).expect("it is not 0");
