//! The calls of one lane that await their answer.
//!
//! A slab: finding the call of an answer is an index, not a hash. An id is never used twice on its
//! lane (its upper bits count), so an answer that comes late for a call that was given up cannot be
//! taken for another call's answer.

use std::{
    task::{Context, Poll, Waker},
    time::Instant,
};

use crate::wire::Response;

/// The table of pending calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    free: Vec<usize>,
    started: u64,
    /// No call is added any more.
    finishing: bool,
    ended: bool,
}

/// Why no call can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The lane is gone.
    Ended,
    /// As many calls are pending as a lane may carry.
    Full,
}

/// There is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The lane ended before it came. The call is forgotten.
    Ended,
    /// The deadline passed. The call is kept until it is removed: its answer may still come.
    Due,
}

#[derive(Debug)]
struct Slot {
    id: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting { due: Instant, waker: Option<Waker> },
    Due,
    Answered(Response),
    Ended,
}

impl Calls {
    /// Adds a call that `waker` waits for, if somebody does already; returns its id.
    pub(crate) fn insert(&mut self, due: Instant, waker: Option<Waker>) -> Result<u64, Rejected> {
        if self.ended || self.finishing {
            return Err(Rejected::Ended);
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < SLOTS => {
                self.slots.push(Slot {
                    id: 0,
                    state: State::Free,
                });
                self.slots.len() - 1
            }
            None => return Err(Rejected::Full),
        };
        self.started += 1;
        let id = self.started << SLOT_BITS | index as u64;
        self.slots[index] = Slot {
            id,
            state: State::Waiting { due, waker },
        };
        Ok(id)
    }

    /// Stores an answer; returns whom to wake. An answer that nobody awaits is dropped.
    pub(crate) fn answer(&mut self, id: u64, response: Response) -> Option<Waker> {
        let slot = self.slot(id)?;
        match &mut slot.state {
            State::Waiting { waker, .. } => {
                let waker = waker.take();
                slot.state = State::Answered(response);
                waker
            }
            State::Due => {
                slot.state = State::Answered(response);
                None
            }
            _ => None,
        }
    }

    /// Takes the answer of a call if it is there, else notes whom to wake.
    pub(crate) fn poll(
        &mut self,
        id: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response, Unanswered>> {
        let Some(slot) = self.slot(id) else {
            return Poll::Ready(Err(Unanswered::Ended));
        };
        match &mut slot.state {
            State::Waiting {
                waker: Some(waker), ..
            } => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            State::Waiting { waker, .. } => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Due => Poll::Ready(Err(Unanswered::Due)),
            _ => Poll::Ready(self.remove(id).ok_or(Unanswered::Ended)),
        }
    }

    /// Gives up waiting for calls that are due by `now`, adds whom to wake, and returns when the
    /// next one is.
    pub(crate) fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for slot in &mut self.slots {
            if let State::Waiting { due, waker } = &mut slot.state {
                if *due > now {
                    next = Some(next.map_or(*due, |next| next.min(*due)));
                } else {
                    wakers.extend(waker.take());
                    slot.state = State::Due;
                }
            }
        }
        next
    }

    /// Forgets a call; returns its answer if it had come.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Response> {
        let index = index(id);
        let slot = self.slot(id)?;
        let state = std::mem::replace(&mut slot.state, State::Free);
        slot.id = 0;
        self.free.push(index);
        match state {
            State::Answered(response) => Some(response),
            _ => None,
        }
    }

    /// The lane is gone: nobody will be answered any more. Returns whom to wake.
    pub(crate) fn end(&mut self) -> Vec<Waker> {
        self.ended = true;
        let mut wakers = Vec::new();
        for slot in &mut self.slots {
            match &mut slot.state {
                State::Waiting { waker, .. } => wakers.extend(waker.take()),
                State::Due => {}
                State::Free | State::Answered(_) | State::Ended => continue,
            }
            slot.state = State::Ended;
        }
        wakers
    }

    /// Takes no more calls.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }

    /// True once no call is left and none will come.
    pub(crate) fn is_finished(&self) -> bool {
        self.finishing && self.len() == 0
    }

    /// Calls that hold a slot.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn slot(&mut self, id: u64) -> Option<&mut Slot> {
        self.slots
            .get_mut(index(id))
            .filter(|slot| slot.id == id && id != 0)
    }
}

fn index(id: u64) -> usize {
    // Twenty bits fit every usize that tokio runs on.
    (id & (SLOTS as u64 - 1)) as usize
}

/// The lower bits of an id are its slot: a million calls on one lane.
const SLOT_BITS: u32 = 20;
const SLOTS: usize = 1 << SLOT_BITS;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::wire::Status;

    fn response(text: &'static str) -> Response {
        Response {
            status: Status::Ok,
            body: Bytes::from_static(text.as_bytes()),
            read_at: None,
        }
    }

    fn poll(calls: &mut Calls, id: u64) -> Poll<Result<Bytes, Unanswered>> {
        calls
            .poll(id, &mut Context::from_waker(Waker::noop()))
            .map_ok(|response| response.body)
    }

    #[test]
    fn a_late_answer_never_reaches_the_call_that_reuses_its_slot() {
        let mut calls = Calls::default();
        let first = calls.insert(Instant::now(), None).expect("room");
        assert!(calls.remove(first).is_none());
        let second = calls.insert(Instant::now(), None).expect("room");
        assert_eq!(index(first), index(second));
        calls.answer(first, response("late"));
        assert_eq!(poll(&mut calls, second), Poll::Pending);
        calls.answer(second, response("mine"));
        assert_eq!(
            poll(&mut calls, second),
            Poll::Ready(Ok(Bytes::from_static(b"mine")))
        );
    }

    #[test]
    fn a_second_answer_changes_nothing() {
        let mut calls = Calls::default();
        let id = calls.insert(Instant::now(), None).expect("room");
        calls.answer(id, response("first"));
        calls.answer(id, response("second"));
        assert_eq!(
            poll(&mut calls, id),
            Poll::Ready(Ok(Bytes::from_static(b"first")))
        );
        assert_eq!(poll(&mut calls, id), Poll::Ready(Err(Unanswered::Ended)));
    }

    #[test]
    fn the_end_of_a_lane_reaches_those_who_wait_and_spares_those_who_were_answered() {
        let mut calls = Calls::default();
        let answered = calls.insert(Instant::now(), None).expect("room");
        let waiting = calls.insert(Instant::now(), None).expect("room");
        calls.answer(answered, response("in time"));
        calls.end();
        assert_eq!(
            poll(&mut calls, answered),
            Poll::Ready(Ok(Bytes::from_static(b"in time")))
        );
        assert_eq!(
            poll(&mut calls, waiting),
            Poll::Ready(Err(Unanswered::Ended))
        );
        assert_eq!(calls.insert(Instant::now(), None), Err(Rejected::Ended));
    }

    #[test]
    fn a_call_that_is_due_wakes_its_caller_once_and_still_takes_an_answer() {
        let mut calls = Calls::default();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let [due, late] = [now, now + second].map(|due| calls.insert(due, None).expect("room"));
        assert_eq!(poll(&mut calls, due), Poll::Pending);
        assert_eq!(poll(&mut calls, late), Poll::Pending);
        let mut wakers = Vec::new();
        assert_eq!(calls.expire(now, &mut wakers), Some(now + second));
        assert_eq!(wakers.len(), 1);
        assert_eq!(poll(&mut calls, late), Poll::Pending);
        assert_eq!(poll(&mut calls, due), Poll::Ready(Err(Unanswered::Due)));
        assert!(calls.answer(due, response("late")).is_none());
        assert_eq!(
            calls.remove(due).map(|answer| answer.body),
            Some("late".into())
        );
        assert_eq!(calls.expire(now + second, &mut wakers), None);
        assert_eq!(wakers.len(), 2);
    }

    #[test]
    fn ids_that_were_never_given_are_ignored() {
        let mut calls = Calls::default();
        for id in [0, 1, 1 << SLOT_BITS, u64::MAX] {
            assert!(calls.answer(id, response("?")).is_none());
        }
    }
}
