//! The lanes that this node opened on one connection.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

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
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    lanes: Vec<Arc<CallerLane>>,
    finished: bool,
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
            open: Mutex::default(),
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
        let lanes = lock(&self.open).lanes.clone();
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
        lane.room(self.limits.lane_queue).await;
        Ok(lane)
    }

    /// Takes no more calls; those in flight are still answered.
    pub(crate) fn finish(&self) {
        let mut open = lock(&self.open);
        open.finished = true;
        for lane in &open.lanes {
            lane.finish();
        }
    }

    /// Waits, after [`finish`](Self::finish), until every answer that can come has come.
    pub(crate) async fn finished(&self) {
        let lanes = lock(&self.open).lanes.clone();
        for lane in lanes {
            lane.ended().await;
        }
    }

    fn choose(
        &self,
        size: usize,
        round_trip: Duration,
    ) -> Result<Option<Arc<CallerLane>>, NotSent> {
        let mut open = lock(&self.open);
        if open.finished {
            return Err(NotSent::Closed);
        }
        let choice = policy::choose(
            open.lanes.iter().map(|lane| lane.load()),
            round_trip,
            size,
            self.most(),
        );
        match choice {
            Choice::Take(index) if open.lanes[index].has_ended() => {
                open.lanes.retain(|lane| !lane.has_ended());
                Ok(None)
            }
            Choice::Take(index) => Ok(Some(Arc::clone(&open.lanes[index]))),
            Choice::Open => {
                open.lanes.retain(|lane| !lane.has_ended());
                Ok(None)
            }
        }
    }

    /// Pending while there is no lane at all.
    async fn least_loaded(&self) -> Arc<CallerLane> {
        let least = {
            let open = lock(&self.open);
            let living = open.lanes.iter().filter(|lane| !lane.has_ended());
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
        let mut open = lock(&self.open);
        if open.finished {
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
        open.lanes.push(Arc::clone(&lane));
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
