//! The lanes that this node opened on one connection.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use arc_swap::ArcSwap;
use quinn::Connection;
use tokio::time::Instant;

use super::{
    awaited::Awaited,
    caller::{Answers, CallerLane, NotSent},
    policy::{self, Choice},
    turns::Turns,
};
use crate::{
    counters::Counters,
    limits::Limits,
    lock::lock,
    reactor::Reactor,
    wire::{Assembler, HalfRead},
};

/// Opens lanes as the [policy](super::policy) asks, until it is told to finish.
#[derive(Debug)]
pub(crate) struct LaneSet {
    connection: Connection,
    reactor: Reactor,
    limits: Arc<Limits>,
    counters: Arc<Counters>,
    awaited: Arc<Awaited>,
    /// The memory of answers that are half-read.
    half_read: Arc<HalfRead>,
    turns: Arc<Turns>,
    /// The open lanes, which every call looks at. Replaced as a whole, under the lock of `finished`.
    lanes: ArcSwap<Vec<Arc<CallerLane>>>,
    /// True once no lane is opened any more.
    finished: Mutex<bool>,
}

impl LaneSet {
    pub(crate) fn new(
        connection: Connection,
        reactor: Reactor,
        limits: Arc<Limits>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            connection,
            reactor,
            awaited: Arc::new(Awaited::new(Instant::now())),
            half_read: HalfRead::new(limits.partial_frames),
            limits,
            counters,
            turns: Arc::default(),
            lanes: ArcSwap::default(),
            finished: Mutex::default(),
        }
    }

    /// The calls of all lanes that await an answer.
    pub(crate) fn awaited(&self) -> &Awaited {
        &self.awaited
    }

    /// The order of large payloads; answers that this node sends belong into it too.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Wakes the callers of calls that are due by `now`; returns when the next one is.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let lanes = self.lanes.load_full();
        lanes.iter().filter_map(|lane| lane.expire(now)).min()
    }

    /// The lane for a call of `size` bytes, with room for it, if there is one now.
    pub(crate) fn lane_now(
        &self,
        size: usize,
        round_trip: Duration,
    ) -> Result<Option<Arc<CallerLane>>, NotSent> {
        let lane = self.choose(size, round_trip)?;
        Ok(lane.filter(|lane| lane.has_room(self.limits.lane_queue)))
    }

    /// The lane for a call of `size` bytes, with room for it.
    ///
    /// Cancel safe: a lane that was opened meanwhile is kept for the next call.
    pub(crate) async fn lane(
        &self,
        size: usize,
        round_trip: Duration,
    ) -> Result<Arc<CallerLane>, NotSent> {
        let lane = match self.choose(size, round_trip)? {
            Some(lane) => lane,
            None => tokio::select! {
                biased;
                opened = self.open(policy::is_bulk(size)) => opened?,
                // The peer allows no more lanes for now: sharing one is better than waiting for
                // one.
                shared = self.least_loaded() => shared,
            },
        };
        // A lane on its way out may never have room again, and another connection may have some now.
        if !lane.has_room(self.limits.lane_queue) && *lock(&self.finished) {
            return Err(NotSent::Closed);
        }
        lane.room(self.limits.lane_queue).await;
        Ok(lane)
    }

    /// Takes no more calls; those in flight are still answered.
    pub(crate) fn finish(&self) {
        let mut finished = lock(&self.finished);
        *finished = true;
        for lane in self.lanes.load().iter() {
            lane.finish();
        }
    }

    /// Waits, after [`finish`](Self::finish), until every answer that can come has come.
    pub(crate) async fn finished(&self) {
        for lane in self.lanes.load_full().iter() {
            lane.ended().await;
        }
    }

    fn choose(
        &self,
        size: usize,
        round_trip: Duration,
    ) -> Result<Option<Arc<CallerLane>>, NotSent> {
        let lanes = self.lanes.load();
        let loads = lanes.iter().map(|lane| lane.load());
        let taken = match policy::choose(loads, round_trip, size, self.most()) {
            Choice::Take(index) => lanes.get(index).filter(|lane| !lane.has_ended()),
            Choice::Open => None,
        };
        if taken.is_none() {
            self.forget_ended()?;
        }
        // If the set is finished, so is the lane, and says so.
        Ok(taken.cloned())
    }

    /// Room for a lane is made before one is opened.
    fn forget_ended(&self) -> Result<(), NotSent> {
        let finished = lock(&self.finished);
        if *finished {
            return Err(NotSent::Closed);
        }
        if self.lanes.load().iter().any(|lane| lane.has_ended()) {
            self.replace(&finished, None);
        }
        Ok(())
    }

    /// Leaves out the lanes that have ended, and adds `lane`.
    fn replace(&self, _finished: &MutexGuard<'_, bool>, lane: Option<Arc<CallerLane>>) {
        let lanes = self.lanes.load();
        let living = lanes.iter().filter(|lane| !lane.has_ended()).cloned();
        self.lanes.store(Arc::new(living.chain(lane).collect()));
    }

    /// Pending while there is no lane at all.
    async fn least_loaded(&self) -> Arc<CallerLane> {
        let least = {
            let lanes = self.lanes.load();
            let living = lanes.iter().filter(|lane| !lane.has_ended());
            living.min_by_key(|lane| lane.load().in_flight).cloned()
        };
        match least {
            Some(lane) => lane,
            None => std::future::pending().await,
        }
    }

    async fn open(&self, bulk: bool) -> Result<Arc<CallerLane>, NotSent> {
        let (send, recv) = self
            .connection
            .open_bi()
            .await
            .map_err(|_| NotSent::Closed)?;
        let finished = lock(&self.finished);
        if *finished {
            return Err(NotSent::Closed);
        }
        let share = self.half_read.share(self.limits.header_size);
        let answers = Answers {
            assembler: Assembler::sharing(self.limits.frame_size(), share).counting(&self.counters),
            limit: self.limits.message_size,
        };
        let awaited = Arc::clone(&self.awaited);
        let turns = Arc::clone(&self.turns);
        let lane = CallerLane::start(&self.reactor, send, recv, answers, turns, awaited, bulk);
        self.replace(&finished, Some(Arc::clone(&lane)));
        Ok(lane)
    }

    /// Fewer than the peer allows: some of its allowance is the control stream, some may be lanes
    /// on their way out.
    fn most(&self) -> usize {
        (self.limits.lanes as usize)
            .saturating_sub(SPARE_LANES)
            .max(1)
    }
}

/// Streams of the peer's allowance that are left unused.
const SPARE_LANES: usize = 16;
