//! What one node tells and hears of the cluster: without a clock, a network or a task.
//!
//! SWIM alone spreads news with its probes, which takes some ten of them in a large cluster. So news is
//! also told at once to a few neighbours, each of whom tells theirs; the probes remain as the safety
//! net, and for those whom no neighbour watches. A node that joins, or whose picture differs from its
//! neighbour's, asks for everything.

mod comparing;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{NodeId, Randomness};
use foca::{State, Timer};

use self::comparing::{FIRST_QUESTIONS, QUESTIONS};
use super::{
    member::{Facts, Member, Unreadable, array},
    neighbours::{CONFIDANTS, Neighbours},
    packet,
    swim::{Effects, SUSPICION, Suspicion, Swim},
};

/// A node's part in the gossip. All times are since its start.
pub(super) struct Gossiper {
    swim: Swim,
    connected: BTreeSet<NodeId>,
    /// Connected nodes that chose this one to tell news to, and to hear it from.
    choosers: BTreeSet<NodeId>,
    neighbours: Neighbours,
    /// Whom there is news of, and who has it already.
    news: BTreeMap<NodeId, BTreeSet<NodeId>>,
    timers: BTreeMap<(Duration, u64), Timer<Member>>,
    timers_set: u64,
    suspicions: Vec<(Duration, Suspicion)>,
    /// When everything was told to whom.
    answered: BTreeMap<NodeId, Duration>,
    next_telling: Duration,
    next_question: Duration,
    /// Whom pictures have not been compared with since news goes to and fro: when that is due, and when
    /// at the latest.
    fresh: BTreeMap<NodeId, (Duration, Duration)>,
    last_change: Duration,
    /// It has said goodbye: from then on it neither says nor hears anything.
    has_left: bool,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// To members that may have to be dialled first; it may be lost.
    pub(super) datagrams: Vec<(Member, Bytes)>,
    /// To nodes that are connected; it should arrive.
    pub(super) messages: Vec<(NodeId, Bytes)>,
    /// True if somebody is known, or something known of somebody, that was not before.
    pub(super) has_changed: bool,
}

impl Actions {
    /// Sends packets of SWIM.
    fn send(&mut self, packets: Vec<(Member, Bytes)>) {
        let messages = packets
            .into_iter()
            .map(|(to, packet)| (to, [&[SWIM], &packet[..]].concat().into()));
        self.datagrams.extend(messages);
    }
}

impl Gossiper {
    /// A node that knows nobody, and may know `most`. `time_of_day` is in microseconds since 1970.
    pub(super) fn new(me: Member, randomness: Randomness, time_of_day: u64, most: usize) -> Self {
        Self {
            swim: Swim::new(me, randomness, time_of_day, most),
            connected: BTreeSet::new(),
            choosers: BTreeSet::new(),
            neighbours: Neighbours::default(),
            news: BTreeMap::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            suspicions: Vec::new(),
            answered: BTreeMap::new(),
            next_telling: Duration::ZERO,
            next_question: Duration::ZERO,
            fresh: BTreeMap::new(),
            last_change: Duration::ZERO,
            has_left: false,
        }
    }

    /// Everybody who is known.
    pub(super) fn known(&self) -> &BTreeMap<NodeId, foca::Member<Member>> {
        self.swim.known()
    }

    /// To whom connections are kept.
    pub(super) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// What this node says of itself.
    pub(super) fn me(&self) -> &Member {
        self.swim.me()
    }

    /// The time of day goes on, in microseconds since 1970.
    pub(super) fn it_is(&self, time_of_day: u64) {
        self.swim.it_is(time_of_day);
    }

    /// A connection to `node` is there.
    pub(super) fn connect(&mut self, node: &NodeId, now: Duration, actions: &mut Actions) {
        if !self.connected.insert(node.clone()) {
            return;
        }
        let me = foca::Member::alive(self.me().clone());
        tell(node, [&me].into_iter(), actions);
        if self.neighbours.confidants.contains(node) {
            actions.messages.push((node.clone(), choice(true)));
            self.befriend(node, now);
        }
        if now >= self.next_question {
            self.ask(node, now, actions);
        }
    }

    /// The last connection to `node` is gone.
    pub(super) fn disconnect(&mut self, node: &NodeId) {
        self.connected.remove(node);
        self.choosers.remove(node);
        self.answered.remove(node);
        self.fresh.remove(node);
    }

    /// A connection to `node` is there and nothing comes over it, although something was asked.
    pub(super) fn miss(&mut self, node: &NodeId, now: Duration, actions: &mut Actions) {
        let mut effects = Effects::default();
        let suspicion = self.swim.suspect(node, &mut effects);
        self.suspicions
            .extend(suspicion.map(|suspicion| (now + SUSPICION, suspicion)));
        self.conclude(None, effects, now, actions);
    }

    /// A message came from the connected node `from`.
    ///
    /// # Errors
    /// If it cannot be read. What could be read of it counts.
    pub(super) fn hear(
        &mut self,
        from: &NodeId,
        message: &[u8],
        now: Duration,
        actions: &mut Actions,
    ) -> Result<(), Unreadable> {
        if self.has_left {
            return Ok(());
        }
        let mut body = message;
        let [kind] = array(&mut body)?;
        let mut effects = Effects::default();
        let outcome = match kind {
            SWIM => self.swim.hear(from, body, &mut effects),
            RECORDS => self.swim.learn(body, &mut effects),
            QUESTION => {
                let digest = u64::from_le_bytes(array(&mut body)?);
                self.answer(from, digest, body.as_chunks().0, now, actions);
                Ok(())
            }
            CHOICE => {
                let [chosen] = array(&mut body)?;
                if chosen == 1 && self.connected.contains(from) {
                    self.choosers.insert(from.clone());
                    self.befriend(from, now);
                } else {
                    self.choosers.remove(from);
                }
                Ok(())
            }
            // Of a newer build.
            _ => Ok(()),
        };
        self.conclude(Some(from), effects, now, actions);
        outcome
    }

    /// This node has something else to say of itself.
    pub(super) fn revise(
        &mut self,
        change: impl FnOnce(&mut Facts),
        now: Duration,
        actions: &mut Actions,
    ) {
        if self.has_left {
            return;
        }
        let mut effects = Effects::default();
        self.swim.revise(self.me().revised(change), &mut effects);
        self.tell_audience(&foca::Member::alive(self.me().clone()), actions);
        self.conclude(None, effects, now, actions);
        // Who is likely to be called depends on where the primary is.
        self.choose_neighbours(now, actions);
    }

    /// Somebody else's record about this node, later than its own.
    pub(super) fn take_pretender(&mut self) -> Option<Member> {
        self.swim.take_pretender()
    }

    /// Says what this node is in a record that is later than the pretender's.
    pub(super) fn refute(&mut self, pretender: &Member, now: Duration, actions: &mut Actions) {
        let Facts { life, revision, .. } = *pretender.facts();
        self.revise(
            |mine| {
                let (life, revision) = match revision.checked_add(1) {
                    Some(revision) => (life, revision),
                    None => (life.saturating_add(1), 0),
                };
                if life != mine.life {
                    mine.rest = Facts::rest(false);
                }
                (mine.life, mine.revision) = (life, revision);
            },
            now,
            actions,
        );
    }

    /// This node goes, and says so; it takes no part any more.
    pub(super) fn leave(&mut self, actions: &mut Actions) {
        if mem::replace(&mut self.has_left, true) {
            return;
        }
        let mut effects = Effects::default();
        self.swim.leave(&mut effects);
        self.tell_audience(&foca::Member::down(self.me().clone()), actions);
        actions.send(effects.packets);
    }

    /// Takes no part any more, and says nothing of it: another process has this node's name. False if it
    /// took no part before.
    pub(super) fn yield_to_other(&mut self) -> bool {
        !mem::replace(&mut self.has_left, true)
    }

    /// True if this node should notice soon when `node` falls silent: everybody has a few who do.
    pub(super) fn is_watched(&self, node: &NodeId) -> bool {
        self.neighbours.confidants.contains(node) || self.choosers.contains(node)
    }

    /// Does what is due; to be called when [`due`](Self::due) says, or earlier.
    pub(super) fn tick(&mut self, now: Duration, actions: &mut Actions) {
        if self.has_left {
            return;
        }
        let mut effects = Effects::default();
        while let Some(entry) = self
            .timers
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            self.swim.expire(entry.remove(), &mut effects);
        }
        for (_, suspicion) in self.suspicions.extract_if(.., |(due, _)| *due <= now) {
            self.swim.condemn(&suspicion, &mut effects);
        }
        self.conclude(None, effects, now, actions);
        self.compare_with_fresh(now, actions);
        if now >= self.next_question {
            // The one whose turn it is, so that all are asked in time.
            let audience = self.audience();
            let turn = (now.as_secs() / QUESTIONS.as_secs()) as usize;
            match audience.iter().nth(turn % audience.len().max(1)) {
                Some(node) => self.ask(node, now, actions),
                None => self.next_question = now + FIRST_QUESTIONS,
            }
        }
        if now >= self.next_telling {
            self.tell_news(now, actions);
        }
    }

    /// When [`tick`](Self::tick) is to be called next.
    pub(super) fn due(&self) -> Duration {
        if self.has_left {
            return Duration::MAX;
        }
        let timer = self.timers.first_key_value().map(|((due, _), _)| *due);
        let suspicion = self.suspicions.iter().map(|(due, _)| *due).min();
        let telling = (!self.news.is_empty()).then_some(self.next_telling);
        let comparing = self.fresh.values().map(|(due, _)| *due).min();
        let others = [timer, suspicion, telling, comparing].into_iter().flatten();
        others.fold(self.next_question, Duration::min)
    }

    fn conclude(
        &mut self,
        from: Option<&NodeId>,
        effects: Effects,
        now: Duration,
        actions: &mut Actions,
    ) {
        actions.send(effects.packets);
        for (timer, after) in effects.timers {
            self.timers_set += 1;
            self.timers.insert((now + after, self.timers_set), timer);
        }
        for echo in &effects.echoes {
            if let (Some(heard), Some(from)) = (self.news.get_mut(echo), from) {
                heard.insert(from.clone());
            }
        }
        let changes = self.swim.changes();
        if changes.is_empty() {
            return;
        }
        actions.has_changed = true;
        self.last_change = now;
        if self.news.is_empty() {
            // What comes in the same moment travels together.
            self.next_telling = self.next_telling.max(now + self.gathering());
        }
        for change in changes {
            let heard = from.into_iter().cloned().collect();
            self.news.insert(change.id().node().clone(), heard);
        }
        self.choose_neighbours(now, actions);
    }

    fn choose_neighbours(&mut self, now: Duration, actions: &mut Actions) {
        let alive = self.swim.known().values();
        let alive = alive.filter(|member| member.state() != State::Down);
        let facts = self.swim.me().facts();
        let chosen = Neighbours::choose(
            &facts.node,
            (&facts.region, &facts.primary),
            alive.map(foca::Member::id),
        );
        let former = mem::replace(&mut self.neighbours, chosen);
        let (before, after) = (&former.confidants, &self.neighbours.confidants);
        let dropped = before.difference(after).map(|node| (node.clone(), false));
        let added = after.difference(before).map(|node| (node.clone(), true));
        for (node, chosen) in dropped.chain(added).collect::<Vec<_>>() {
            if self.connected.contains(&node) {
                if chosen {
                    self.befriend(&node, now);
                }
                actions.messages.push((node, choice(chosen)));
            }
        }
    }

    /// Those to whom news is told: not all who chose this node, if they are very many, since each of them
    /// chose others too.
    fn audience(&self) -> BTreeSet<NodeId> {
        let confidants = &self.neighbours.confidants;
        let choosers = self.choosers.difference(confidants).take(CHOOSERS);
        let confidants = confidants.intersection(&self.connected);
        confidants.chain(choosers).cloned().collect()
    }

    /// Who has many to tell waits until some of them have told it themselves.
    fn gathering(&self) -> Duration {
        let usual = 2 * CONFIDANTS as u32;
        GATHERING * (self.audience().len() as u32).max(usual) / usual
    }

    fn tell_news(&mut self, now: Duration, actions: &mut Actions) {
        let news = mem::take(&mut self.news);
        if news.is_empty() {
            return;
        }
        self.next_telling = now + self.gathering();
        let known = self.swim.known();
        for node in self.audience() {
            let unheard = news.iter().filter(|(_, heard)| !heard.contains(&node));
            tell(
                &node,
                unheard.filter_map(|(about, _)| known.get(about)),
                actions,
            );
        }
        // Who is said to be gone, and is not, hears of it at once and says so.
        for about in news.keys().filter(|about| self.connected.contains(*about)) {
            if let Some(member) = known
                .get(about)
                .filter(|known| known.state() != State::Alive)
            {
                tell(about, [member].into_iter(), actions);
            }
        }
    }

    fn tell_audience(&self, member: &foca::Member<Member>, actions: &mut Actions) {
        for node in self.audience() {
            tell(&node, [member].into_iter(), actions);
        }
    }
}

/// Puts records into as few messages as possible.
fn tell<'a>(
    to: &NodeId,
    members: impl Iterator<Item = &'a foca::Member<Member>>,
    actions: &mut Actions,
) {
    let mut message = vec![RECORDS];
    let mut record = Vec::new();
    for member in members {
        record.clear();
        packet::write(member, &mut record);
        if message.len() + record.len() > MESSAGE {
            let full = mem::replace(&mut message, vec![RECORDS]);
            actions.messages.push((to.clone(), full.into()));
        }
        message.extend_from_slice(&record);
    }
    if message.len() > 1 {
        actions.messages.push((to.clone(), message.into()));
    }
}

fn choice(chosen: bool) -> Bytes {
    Bytes::copy_from_slice(&[CHOICE, chosen.into()])
}

/// A packet of SWIM.
const SWIM: u8 = 1;
/// Records, one after the other.
const RECORDS: u8 = 2;
/// Asks for what differs: a digest of everything, and one of each part of it.
const QUESTION: u8 = 3;
/// Whether the sender tells its news to the receiver, and wants to hear its.
const CHOICE: u8 = 4;

/// Choosers who are told news. On average there are three; one in thirty nodes has more than six, and
/// the one that has most of a thousand would say twice as much as it should.
const CHOOSERS: usize = 6;
/// Bytes of a message.
const MESSAGE: usize = fly_rpc_transport::Link::gossip_size();
/// How long news is gathered before it is told: at each of some five steps through the cluster, by who
/// has as many to tell as there are on average.
const GATHERING: Duration = Duration::from_millis(100);
