//! The task that gossips for a node: it has the clock, the connections and the timers that the
//! [`Gossiper`] lacks.

mod keeping;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fly_rpc_transport::{CloseCode, DialError, Link, NodeId};
use foca::State;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    gossiper::{Actions, Gossiper},
    member::{Facts, Member},
    roster::Roster,
    spread::Spread,
};
use crate::node::Inner;

/// A node's membership, for the rest of the node.
#[derive(Debug)]
pub(crate) struct Membership {
    inbox: mpsc::Sender<Event>,
    roster: RwLock<Arc<Roster>>,
    /// Bytes that were handed to connections.
    sent: AtomicU64,
}

/// What happens to a node's membership.
enum Event {
    Heard(NodeId, Bytes),
    Changed(Change),
    Dialled(Member, Result<(), DialError>),
    Leave(oneshot::Sender<()>),
}

type Change = Box<dyn FnOnce(&mut Facts) + Send>;

/// The other half of a [`Membership`]: what its task starts with.
#[derive(Debug)]
pub(crate) struct Inbox(mpsc::Receiver<Event>, mpsc::WeakSender<Event>);

impl Membership {
    pub(crate) fn new() -> (Self, Inbox) {
        let (inbox, events) = mpsc::channel(EVENTS);
        let weak = inbox.downgrade();
        let membership = Self {
            inbox,
            roster: RwLock::default(),
            sent: AtomicU64::new(0),
        };
        (membership, Inbox(events, weak))
    }

    /// Who is known.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes of gossip that were handed to connections so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// A message of gossip came. If too many wait it is lost, as it might have been on its way.
    pub(crate) fn hear(&self, from: &NodeId, message: Bytes) {
        let _ = self.inbox.try_send(Event::Heard(from.clone(), message));
    }

    /// What this node says of itself has changed.
    pub(crate) async fn revise(&self, change: impl FnOnce(&mut Facts) + Send + 'static) {
        let _ = self.inbox.send(Event::Changed(Box::new(change))).await;
    }

    /// This node goes: whoever is connected is told.
    pub(crate) async fn leave(&self) {
        let (done, said) = oneshot::channel();
        if self.inbox.send(Event::Leave(done)).await.is_ok() {
            // Fails if the task ended meanwhile: then there is nobody who could say goodbye.
            let _ = said.await;
        }
    }

    fn publish(&self, roster: Roster) {
        let mut current = self.roster.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(roster);
    }
}

/// Gossips for a node that says this of itself, until the node is gone.
pub(crate) async fn gossip(node: Weak<Inner>, me: Facts, inbox: Inbox) {
    let Some((mut driver, endpoint)) = node.upgrade().map(|inner| {
        let driver = Driver::new(&inner, node.clone(), me, inbox.1);
        (driver, inner.endpoint.clone())
    }) else {
        return;
    };
    let mut events = inbox.0;
    let mut changes = endpoint.changes();
    drop(endpoint);
    // It may have moved since this was written.
    driver.compare_primary();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = driver.started + driver.gossiper.due().min(LONGEST);
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => driver.take(event),
                None => return,
            },
            changed = changes.changed() => match changed {
                Ok(()) => {
                    driver.compare_links();
                    driver.compare_primary();
                }
                Err(_) => return,
            },
            Some(sent) = driver.sending.join_next() => driver.send_more(sent.ok()),
            () = sleep_until(due) => driver.tick(),
            _ = look.tick() => driver.look(),
        }
        if node.strong_count() == 0 {
            return;
        }
    }
}

struct Driver {
    node: Weak<Inner>,
    gossiper: Gossiper,
    started: Instant,
    inbox: mpsc::WeakSender<Event>,
    connected: BTreeMap<NodeId, Arc<Link>>,
    /// Those who are connected and silent.
    suspected: BTreeSet<NodeId>,
    /// Those whom messages are being sent to, and what is to follow.
    queues: BTreeMap<NodeId, VecDeque<Bytes>>,
    sending: JoinSet<NodeId>,
    /// Connections that nothing but calls keeps, and since when they were idle.
    idle: BTreeMap<NodeId, (u64, Instant)>,
    spread: Spread,
}

impl Driver {
    fn new(inner: &Inner, node: Weak<Inner>, me: Facts, inbox: mpsc::WeakSender<Event>) -> Self {
        let randomness = inner.endpoint.randomness().clone();
        Self {
            gossiper: Gossiper::new(
                me.into(),
                randomness,
                inner.time_of_day(),
                inner.limits.members,
            ),
            node,
            started: Instant::now(),
            inbox,
            connected: BTreeMap::new(),
            suspected: BTreeSet::new(),
            queues: BTreeMap::new(),
            sending: JoinSet::new(),
            idle: BTreeMap::new(),
            spread: Spread::default(),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Heard(from, message) => {
                // What it said first may be faster than the news that it is connected; an answer, and
                // that it chose this node, would be lost.
                if !self.connected.contains_key(&from) {
                    self.compare_links();
                }
                let heard =
                    self.act(|gossiper, now, actions| gossiper.hear(&from, &message, now, actions));
                if let Some(Err(error)) = heard {
                    tracing::debug!(peer = %from, %error, "gossip is not understood");
                }
                if let Some(pretender) = self.gossiper.take_pretender() {
                    self.examine(pretender);
                }
            }
            Event::Changed(change) => {
                self.act(|gossiper, now, actions| gossiper.revise(change, now, actions));
            }
            Event::Dialled(
                pretender,
                Err(DialError::Refused {
                    code: CloseCode::Duplicate,
                    ..
                }),
            ) => {
                // Several records may have told of it.
                if self.act(|gossiper, _, _| gossiper.yield_to_other()) == Some(true) {
                    tracing::error!(
                        node = %pretender.node(), address = ?pretender.facts().address,
                        "another process, started later, has this node's id; this one yields to it and is no longer announced: give each its own FLY_RPC_NODE_ID"
                    );
                }
            }
            Event::Dialled(pretender, _) => {
                self.act(|gossiper, now, actions| gossiper.refute(&pretender, now, actions));
            }
            Event::Leave(done) => {
                self.act(|gossiper, _, actions| {
                    gossiper.leave(actions);
                    // There is no time to wait until there is room for messages.
                    let known = gossiper.known();
                    let members = actions.messages.drain(..).filter_map(|(node, message)| {
                        Some((known.get(&node)?.id().clone(), message))
                    });
                    let members: Vec<_> = members.collect();
                    actions.datagrams.extend(members);
                });
                // Fails if nobody waits for it any more.
                let _ = done.send(());
            }
        }
    }

    /// Somebody else wrote a record of this node. If there really is another one, it answers where the
    /// record says that it is.
    fn examine(&mut self, pretender: Member) {
        let (Some(inner), Some(inbox)) = (self.node.upgrade(), self.inbox.upgrade()) else {
            return;
        };
        let facts = pretender.facts();
        let mine = self.gossiper.me().facts();
        let elsewhere = facts
            .address
            .filter(|address| Some(*address) != mine.address);
        let (Some(address), true) = (elsewhere, facts.life > mine.life) else {
            self.act(|gossiper, now, actions| gossiper.refute(&pretender, now, actions));
            return;
        };
        let endpoint = inner.endpoint.clone();
        let node = pretender.node().clone();
        tokio::spawn(async move {
            let dialled = endpoint.dial(address, Some(node)).await.map(drop);
            let _ = inbox.send(Event::Dialled(pretender, dialled)).await;
        });
    }

    fn tick(&mut self) {
        if let Some(inner) = self.node.upgrade() {
            self.gossiper.it_is(inner.time_of_day());
        }
        self.act(Gossiper::tick);
    }

    /// Has the gossiper do something, and does what it asks for; `None` if the node is gone.
    fn act<R>(
        &mut self,
        act: impl FnOnce(&mut Gossiper, Duration, &mut Actions) -> R,
    ) -> Option<R> {
        let inner = self.node.upgrade()?;
        let mut actions = Actions::default();
        let done = act(&mut self.gossiper, self.started.elapsed(), &mut actions);
        if actions.has_changed
            && let Some(membership) = &inner.membership
        {
            membership.publish(Roster::of(self.gossiper.known()));
            // Who waits for a node looks again.
            inner.endpoint.refresh();
            self.keep_neighbours(&inner);
            self.part_from_the_dead();
        }
        for (to, packet) in actions.datagrams {
            send_packet(&inner, &to, packet);
        }
        for (to, message) in actions.messages {
            self.send(&inner, &to, message);
        }
        Some(done)
    }

    fn compare_links(&mut self) {
        let Some(inner) = self.node.upgrade() else {
            return;
        };
        let links = inner.endpoint.links();
        let open = links.iter().filter(|link| !link.is_closed());
        let now: BTreeMap<NodeId, Arc<Link>> = open
            .map(|link| (link.node().clone(), Arc::clone(link)))
            .collect();
        let before = std::mem::replace(&mut self.connected, now);
        for (node, link) in &before {
            if !self.connected.contains_key(node) {
                self.suspected.remove(node);
                self.act(|gossiper, now, actions| {
                    gossiper.disconnect(node);
                    if link.is_lost() {
                        gossiper.miss(node, now, actions);
                    }
                });
            }
        }
        for (node, link) in self.connected.clone() {
            let life = |link: &Arc<Link>| link.hello().incarnation;
            let former = before.get(&node).map(life);
            if former != Some(life(&link)) {
                self.act(|gossiper, now, actions| {
                    // What was said to its former life, this one has not heard.
                    gossiper.disconnect(&node);
                    gossiper.connect(&node, now, actions);
                });
            }
            if !link.is_suspect() {
                self.suspected.remove(&node);
            } else if self.suspected.insert(node.clone()) {
                self.act(|gossiper, now, actions| gossiper.miss(&node, now, actions));
            }
        }
        self.part_from_the_dead();
    }

    /// Who is said to be gone is looked at closely, and believed to be if nothing is heard here either:
    /// without the others that would take twice as long. Who hears none of the others is on its own: it
    /// may be this node that is cut off, and what is under way may outlive that.
    fn part_from_the_dead(&self) {
        let is_alone = self.connected.values().all(|link| link.is_silent());
        for (node, link) in &self.connected {
            let said = self.gossiper.known().get(node).map(foca::Member::state);
            let is_doubted = said.is_some_and(|state| state != State::Alive);
            link.watch(is_doubted || self.gossiper.is_watched(node));
            if said == Some(State::Down) && !is_alone && link.is_suspect() && !link.is_closed() {
                link.give_up();
            }
        }
    }

    /// The primary may have moved: everybody is told where this node sees it, and those are kept
    /// connected who are there now.
    fn compare_primary(&mut self) {
        let Some(inner) = self.node.upgrade() else {
            return;
        };
        let primary = inner.primary.region();
        if self.gossiper.me().facts().primary != *primary {
            let primary = primary.clone();
            self.act(|gossiper, now, actions| {
                gossiper.revise(|me| me.primary = primary, now, actions);
            });
        }
    }

    fn send(&mut self, inner: &Inner, to: &NodeId, message: Bytes) {
        if let Some(queue) = self.queues.get_mut(to) {
            // What is too much is asked for again.
            if queue.len() < QUEUE {
                count_sent(inner, &message);
                queue.push_back(message);
            }
            return;
        }
        if let Some(link) = self.connected.get(to) {
            count_sent(inner, &message);
            let (link, to) = (Arc::clone(link), to.clone());
            self.queues.insert(to.clone(), VecDeque::new());
            self.sending.spawn(async move {
                link.send_gossip(message).await;
                to
            });
        }
    }

    fn send_more(&mut self, sent: Option<NodeId>) {
        let Some(to) = sent else { return };
        let Some(mut queue) = self.queues.remove(&to).filter(|queue| !queue.is_empty()) else {
            return;
        };
        let Some(link) = self.connected.get(&to).cloned() else {
            return;
        };
        self.queues.insert(to.clone(), VecDeque::new());
        self.sending.spawn(async move {
            for message in queue.drain(..) {
                link.send_gossip(message).await;
            }
            to
        });
    }
}

fn count_sent(inner: &Inner, message: &Bytes) {
    if let Some(membership) = &inner.membership {
        let bytes = message.len() as u64;
        membership.sent.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Sends a packet to a member, which is dialled for it if need be.
fn send_packet(inner: &Arc<Inner>, to: &Member, packet: Bytes) {
    count_sent(inner, &packet);
    if let Some(link) = inner.endpoint.link(to.node()) {
        return link.send_datagram(packet);
    }
    let known = || inner.roster().address(to.node());
    let Some(address) = to.facts().address.or_else(known) else {
        return;
    };
    let reaching = inner.reach(to.node(), address);
    inner.endpoint.runtime().spawn(async move {
        if let Ok(link) = reaching.await {
            link.send_datagram(packet);
        }
    });
}

/// Events that wait for the task. Beyond, gossip is lost: it comes again.
const EVENTS: usize = 4_096;
/// Messages that wait for one slow peer.
const QUEUE: usize = 256;
/// How often it is looked whom to keep connected.
const LOOK: Duration = Duration::from_secs(1);
/// Beyond that nothing is due.
const LONGEST: Duration = Duration::from_secs(3_600);
