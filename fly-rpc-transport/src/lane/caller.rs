//! The calling end of a lane.

use std::{
    future::Future,
    iter, mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant as StdInstant},
};

use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};
use tokio::{sync::Notify, time::Instant};

use super::{
    awaited::Awaited,
    calls::{Calls, Rejected, Unanswered},
    chunks::Chunks,
    outbox::{Outbox, Payload},
    policy::LaneLoad,
    turns::Turns,
};
use crate::{
    close::CloseCode,
    lock::lock,
    reactor::Reactor,
    wire::{Assembler, FrameKind, RequestBody, RequestHead, Response, cancel_frame},
};

/// A lane that this node opened.
#[derive(Debug)]
pub(crate) struct CallerLane {
    calls: Mutex<Calls>,
    outbox: Outbox,
    in_flight: AtomicUsize,
    /// The calls of all lanes of the link.
    awaited: Arc<Awaited>,
    has_ended: AtomicBool,
    ended: Notify,
    bulk: bool,
}

/// How the answers of a lane are read.
pub(crate) struct Answers {
    pub(crate) assembler: Assembler,
    /// Bytes of one value.
    pub(crate) limit: usize,
}

impl Answers {
    /// Stores the answers that are whole. False if nothing after them can be read.
    fn take_whole(&mut self, calls: &mut Calls, wakers: &mut Vec<Waker>, now: StdInstant) -> bool {
        loop {
            match self.assembler.next() {
                Ok(Some(frame)) if frame.kind == Some(FrameKind::Response) => {
                    let cut = frame.cut;
                    let Ok((id, mut response)) = Response::decode(frame.body) else {
                        return false;
                    };
                    if cut || response.body.len() > self.limit {
                        response = response.without_body();
                    }
                    response.read_at = Some(now);
                    wakers.extend(calls.answer(id, response));
                }
                // Void, or a kind of a newer peer.
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

/// The request was not sent; nothing of it left this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// The lane or its connection is closing; another connection may do.
    Closed,
    /// Too many calls are pending.
    Full,
}

impl CallerLane {
    /// A lane that nobody writes or reads yet.
    pub(crate) fn new(awaited: Arc<Awaited>, bulk: bool) -> Self {
        Self {
            calls: Mutex::default(),
            outbox: Outbox::default(),
            in_flight: AtomicUsize::new(0),
            awaited,
            has_ended: AtomicBool::new(false),
            ended: Notify::new(),
            bulk,
        }
    }

    /// Has `reactor` write and read a fresh lane.
    pub(crate) fn start(
        reactor: &Reactor,
        send: SendStream,
        recv: RecvStream,
        answers: Answers,
        turns: Arc<Turns>,
        awaited: Arc<Awaited>,
        bulk: bool,
    ) -> Arc<Self> {
        let lane = Arc::new(Self::new(awaited, bulk));
        let writer = Arc::clone(&lane);
        reactor.spawn(async move { writer.outbox.write_to(send, &turns, None).await });
        reactor.spawn(Reader(Arc::clone(&lane)).read(recv, answers));
        lane
    }

    /// Sends a request that is `due` here, and of which the peer is told that `remaining` is left. If a
    /// `waker` is given, the first poll must be one with this very waker: it is pending, whatever has come.
    pub(crate) fn call(
        self: &Arc<Self>,
        head: &RequestHead<'_>,
        arguments: RequestBody<'_>,
        due: Instant,
        remaining: Duration,
        waker: Option<&Waker>,
    ) -> Result<PendingCall, NotSent> {
        let id = {
            let mut calls = lock(&self.calls);
            let id = calls.insert(due.into_std(), waker.cloned());
            self.count(&calls);
            id.map_err(|rejected| match rejected {
                Rejected::Ended => NotSent::Closed,
                Rejected::Full => NotSent::Full,
            })?
        };
        let write = |out: &mut BytesMut| {
            head.put(out, id, remaining, arguments.size());
            out.extend_from_slice(arguments.prefix);
        };
        match self.outbox.push(write, Payload::Kept(arguments.rest)) {
            Ok(position) => {
                self.awaited.enter(due);
                Ok(PendingCall {
                    lane: Arc::clone(self),
                    id,
                    position,
                    has_waker: waker.is_some(),
                    over: false,
                })
            }
            Err(_closed) => {
                let mut calls = lock(&self.calls);
                calls.remove(id);
                self.count(&calls);
                Err(NotSent::Closed)
            }
        }
    }

    /// Under the lock of the calls, so that nobody counts from an older number.
    fn count(&self, calls: &Calls) {
        self.in_flight.store(calls.len(), Ordering::Relaxed);
    }

    /// True if fewer than `limit` bytes are queued before the network.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.outbox.has_room(limit)
    }

    /// Waits until there is.
    pub(crate) async fn room(&self, limit: usize) {
        self.outbox.room(limit).await;
    }

    /// Wakes the callers of calls that are due by `now`; returns when the next one is.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let mut wakers = Vec::new();
        let next = lock(&self.calls).expire(now.into_std(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        next.map(Instant::from_std)
    }

    /// Takes no more calls; those in flight are still answered, or cancelled, and then the lane is
    /// finished.
    pub(crate) fn finish(&self) {
        let mut calls = lock(&self.calls);
        calls.finish();
        self.finish_if_idle(&calls);
    }

    fn finish_if_idle(&self, calls: &Calls) {
        if calls.is_finished() {
            self.outbox.finish();
        }
    }

    /// Waits until no answer can come any more.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.has_ended() {
                return;
            }
            ended.await;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    pub(crate) fn load(&self) -> LaneLoad {
        LaneLoad {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            bulk: self.bulk,
        }
    }

    /// Hands answers to their calls until the peer finishes the lane or it breaks.
    async fn read_answers(&self, recv: RecvStream, mut answers: Answers) {
        let mut chunks = Chunks::new(recv);
        let mut wakers = Vec::new();
        while let Ok(Some(chunk)) = chunks.read().await {
            let all = iter::once(chunk).chain(iter::from_fn(|| chunks.taken()));
            if !self.take_answers(all, &mut answers, &mut wakers) {
                tracing::warn!("a peer sent answers that break the protocol; the lane is closed");
                chunks.stop(CloseCode::Malformed.varint());
                return;
            }
        }
    }

    /// Takes the answers of some chunks: all are stored under one lock, and their callers woken
    /// after it. False if the lane cannot be read on.
    pub(crate) fn take_answers(
        &self,
        mut chunks: impl Iterator<Item = Bytes>,
        answers: &mut Answers,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        // Read once for all of them, and not by each caller.
        let now = StdInstant::from(Instant::now());
        let is_sound = {
            let mut calls = lock(&self.calls);
            chunks.all(|chunk| {
                answers.assembler.push(chunk);
                answers.take_whole(&mut calls, wakers, now)
            })
        };
        for waker in wakers.drain(..) {
            waker.wake();
        }
        is_sound
    }

    /// What the queue holds is now as good as sent. `None` if the lane is finished or broken.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn take_written(&self) -> Option<Vec<Bytes>> {
        self.outbox.take_written()
    }

    /// The network takes no more.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn break_writer(&self) {
        self.outbox.shut(CloseCode::Malformed);
    }

    pub(crate) fn end(&self) {
        self.outbox.shut(CloseCode::Malformed);
        let wakers = {
            let mut calls = lock(&self.calls);
            self.has_ended.store(true, Ordering::Release);
            calls.end()
        };
        for waker in wakers {
            waker.wake();
        }
        self.ended.notify_waiters();
    }
}

/// Whoever reads a lane. It ends with them, however they end: also when the runtime stops on which
/// they are polled, and callers on another one still wait.
struct Reader(Arc<CallerLane>);

impl Reader {
    async fn read(self, recv: RecvStream, answers: Answers) {
        self.0.read_answers(recv, answers).await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A request on its way: resolves to the answer, or to [`CallLost::Due`] when its deadline has
/// passed.
///
/// # Cancel safety
/// Dropping it takes the request back if it has not left, and otherwise asks the peer to drop the
/// handler. [`abandon`](Self::abandon) does the same and tells which.
#[derive(Debug)]
#[must_use = "dropping a pending call cancels it"]
pub struct PendingCall {
    lane: Arc<CallerLane>,
    id: u64,
    position: u64,
    /// True until the first poll, if its waker was there before.
    has_waker: bool,
    over: bool,
}

/// There is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallLost {
    /// The lane ended, and the request never left this process.
    NeverLeft,
    /// The lane ended, and the request may have reached the peer.
    MayHaveLeft,
    /// The deadline passed. The answer may come all the same:
    /// [`abandon`](PendingCall::abandon) tells what became of the call.
    Due,
}

/// What became of a call that was given up.
#[derive(Clone, Debug)]
pub enum Abandoned {
    /// The request never left this process.
    NeverLeft,
    /// The request may have reached the peer; it was asked to drop the handler.
    MayHaveLeft,
    /// The answer had already come.
    Answered(Response),
}

impl PendingCall {
    /// Gives the call up.
    pub fn abandon(mut self) -> Abandoned {
        self.give_up()
    }

    fn give_up(&mut self) -> Abandoned {
        self.leave();
        // Under one lock: a lane that finishes must do so behind the cancel.
        let mut calls = lock(&self.lane.calls);
        let answer = calls.remove(self.id);
        self.lane.count(&calls);
        let abandoned = match answer {
            Some(response) => Abandoned::Answered(response),
            None if self.lane.outbox.void(self.position) => Abandoned::NeverLeft,
            None => {
                // If the lane is gone there is no handler left to be cancelled.
                let cancel = |out: &mut _| cancel_frame(out, self.id);
                let _ = self.lane.outbox.push(cancel, Payload::Nothing);
                Abandoned::MayHaveLeft
            }
        };
        self.lane.finish_if_idle(&calls);
        abandoned
    }

    fn leave(&mut self) {
        self.over = true;
        self.lane.awaited.leave();
    }
}

impl Future for PendingCall {
    type Output = Result<Response, CallLost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if mem::take(&mut self.has_waker) {
            return Poll::Pending;
        }
        let outcome = {
            let mut calls = lock(&self.lane.calls);
            let outcome = ready!(calls.poll(self.id, cx));
            self.lane.count(&calls);
            self.lane.finish_if_idle(&calls);
            outcome
        };
        if matches!(outcome, Err(Unanswered::Due)) {
            return Poll::Ready(Err(CallLost::Due));
        }
        if !self.over {
            self.leave();
        }
        Poll::Ready(outcome.map_err(|_ended| {
            if self.lane.outbox.void(self.position) {
                CallLost::NeverLeft
            } else {
                CallLost::MayHaveLeft
            }
        }))
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if !self.over {
            self.give_up();
        }
    }
}
