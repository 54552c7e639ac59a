//! Everything that can happen to a lane, in any order, beside a model that knows what must come of
//! it.
//!
//! The calling end is the real one, without its two tasks: its queue, its pending calls and what it
//! concludes when one is given up. The network is two buffers, and the serving end is whoever the
//! bytes make of it.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::Input;
use crate::{
    lane::{Abandoned, Answers, Awaited, CallLost, CallerLane, NotSent, PendingCall},
    wire::{
        Assembler, FrameKind, Request, RequestBody, RequestHead, ResponseFrame, Status,
        decode_call_id,
    },
};

/// One event for each byte, and for some a few more bytes that say how.
///
/// # Panics
///
/// If the lane does other than the model says.
pub fn lane_events(data: &[u8]) {
    let mut input = Input(data);
    let mut world = World::new();
    while !input.is_empty() {
        match input.byte() % 14 {
            0 | 1 => world.open(input.short()),
            2 => world.write(),
            3 | 4 => world.deliver_requests(input.short()),
            5 => world.answer(input.byte()),
            6 => world.answer_nobody(input.short()),
            7 | 8 => world.deliver_answers(input.short()),
            9 => world.poll(input.byte()),
            10 => world.abandon(input.byte()),
            11 => world.forget(input.byte()),
            12 => match input.byte() % 8 {
                0 => world.break_writer(),
                1 | 2 => world.end(),
                3 => world.garble(),
                4 => world.expire(),
                _ => world.finish(),
            },
            _ => world.check(),
        }
    }
    world.close();
}

/// Which call it was: the arguments say it, and so does the answer.
type Serial = u32;

/// The lane, the network and the peer, and what is known of them.
struct World {
    lane: Arc<CallerLane>,
    awaited: Arc<Awaited>,
    begun: Instant,
    opened: Serial,
    /// Calls whose caller still waits.
    live: Vec<Live>,
    /// Requests and cancels that are queued.
    queued: Vec<Sent>,
    /// What the peer will read next.
    expected: VecDeque<Sent>,
    requests: BytesMut,
    peer: Assembler,
    /// Calls by the ids that the peer saw.
    ids: HashMap<u64, Serial>,
    /// Requests that the peer has read.
    served: Vec<(u64, Serial)>,
    answers: BytesMut,
    /// Where in `answers` each answer ends, and whom it is for.
    answered: VecDeque<(usize, Option<Serial>)>,
    reader: Answers,
    finishing: bool,
    writer_is_broken: bool,
    has_ended: bool,
}

struct Live {
    serial: Serial,
    call: PendingCall,
    has_answer: bool,
    is_due: bool,
    /// Set once it was polled in vain, raised when it is woken.
    waiting: Option<Arc<Flag>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Request(Serial),
    /// Was a request.
    Void,
    Cancel(Serial),
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World {
    fn new() -> Self {
        let begun = Instant::now();
        let awaited = Arc::new(Awaited::new(begun));
        Self {
            lane: Arc::new(CallerLane::new(Arc::clone(&awaited), false)),
            awaited,
            begun,
            opened: 0,
            live: Vec::new(),
            queued: Vec::new(),
            expected: VecDeque::new(),
            requests: BytesMut::new(),
            peer: Assembler::new(1 << 20),
            ids: HashMap::new(),
            served: Vec::new(),
            answers: BytesMut::new(),
            answered: VecDeque::new(),
            reader: Answers {
                assembler: Assembler::new(1 << 20),
                limit: 1 << 20,
            },
            finishing: false,
            writer_is_broken: false,
            has_ended: false,
        }
    }

    fn open(&mut self, padding: usize) {
        let serial = self.opened;
        let mut arguments = serial.to_le_bytes().to_vec();
        arguments.resize(arguments.len() + padding % MOST_PADDING, serial as u8);
        let head = RequestHead {
            function: "f",
            version: 1,
            contract: [7; 16],
            trace: None,
            for_primary: false,
        };
        // Every other one is listed with its waker.
        let waiting = (padding % 2 == 1).then(Arc::<Flag>::default);
        let waker = waiting.clone().map(Waker::from);
        // Some of them have a few bytes apart.
        let arguments = Bytes::from(arguments);
        let (apart, rest) = arguments.split_at(padding % 11 % arguments.len());
        let body = RequestBody {
            prefix: apart,
            rest: &arguments.slice_ref(rest),
        };
        let opened = self
            .lane
            .call(&head, body, self.begun + TIMEOUT, TIMEOUT, waker.as_ref());
        let is_closed = self.finishing || self.has_ended || self.writer_is_broken;
        match opened {
            Ok(mut call) => {
                assert!(!is_closed);
                if let Some(waker) = &waker {
                    let first = Pin::new(&mut call).poll(&mut Context::from_waker(waker));
                    assert!(first.is_pending());
                }
                self.opened += 1;
                self.queued.push(Sent::Request(serial));
                self.live.push(Live {
                    serial,
                    call,
                    has_answer: false,
                    is_due: false,
                    waiting,
                });
            }
            Err(refused) => {
                assert_eq!(refused, NotSent::Closed);
                assert!(is_closed);
            }
        }
    }

    /// The writer takes everything.
    fn write(&mut self) {
        let is_over = self.queued.is_empty() && self.finishing && self.live.is_empty();
        match self.lane.take_written() {
            Some(chunks) => {
                assert!(!self.writer_is_broken && !is_over);
                for chunk in chunks {
                    self.requests.extend_from_slice(&chunk);
                }
                self.expected.extend(self.queued.drain(..));
            }
            None => assert!(self.writer_is_broken || is_over),
        }
    }

    fn deliver_requests(&mut self, count: usize) {
        let count = count.min(self.requests.len());
        self.peer.push(self.requests.split_to(count).freeze());
        while let Some(frame) = self.peer.next().expect("a sound lane") {
            let sent = match frame.kind {
                Some(FrameKind::Void) => Sent::Void,
                Some(FrameKind::Request) => Sent::Request(self.read_request(frame.body)),
                Some(FrameKind::Cancel) => {
                    let id = decode_call_id(frame.body).expect("a sound cancel");
                    Sent::Cancel(self.ids[&id])
                }
                other => panic!("{other:?} on a lane"),
            };
            assert_eq!(Some(sent), self.expected.pop_front());
        }
    }

    fn read_request(&mut self, body: Bytes) -> Serial {
        let request = Request::decode(body).expect("a sound request");
        let (serial, padding) = request.arguments.split_first_chunk().expect("four bytes");
        let serial = Serial::from_le_bytes(*serial);
        assert!(padding.iter().all(|&byte| byte == serial as u8));
        assert_eq!(
            self.ids.insert(request.call, serial),
            None,
            "an id came twice"
        );
        self.served.push((request.call, serial));
        serial
    }

    /// The peer answers a request, perhaps not for the first time.
    fn answer(&mut self, which: u8) {
        if let Some(&(id, serial)) = pick(&self.served, which) {
            self.put_answer(id, Some(serial));
        }
    }

    /// The peer answers what was never asked.
    fn answer_nobody(&mut self, id: usize) {
        // Ids that are given count calls from bit 20 on.
        self.put_answer(id as u64, None);
    }

    fn put_answer(&mut self, id: u64, to: Option<Serial>) {
        let answer = ResponseFrame::new(id, Status::Ok);
        let detail = to.unwrap_or(Serial::MAX).to_le_bytes();
        let answer = answer.with_detail(&detail).finish();
        self.answers.extend_from_slice(&answer);
        self.answered.push_back((answer.len(), to));
    }

    fn deliver_answers(&mut self, count: usize) {
        if self.has_ended {
            return;
        }
        let mut count = count.min(self.answers.len());
        let chunk = self.answers.split_to(count).freeze();
        while let Some((left, to)) = self.answered.front_mut() {
            if count < *left {
                *left -= count;
                break;
            }
            count -= *left;
            let call = to.and_then(|to| self.live.iter_mut().find(|live| live.serial == to));
            if let Some(call) = call {
                call.has_answer = true;
            }
            self.answered.pop_front();
        }
        let is_sound =
            self.lane
                .take_answers([chunk].into_iter(), &mut self.reader, &mut Vec::new());
        assert!(is_sound);
        self.nobody_sleeps();
    }

    /// The peer sends what is no frame.
    fn garble(&mut self) {
        self.deliver_answers(usize::MAX);
        if !self.has_ended && self.reader.assembler.is_at_boundary() {
            let chunks = [Bytes::from_static(&[0; 4])].into_iter();
            let is_sound = self
                .lane
                .take_answers(chunks, &mut self.reader, &mut Vec::new());
            assert!(!is_sound);
            self.end();
        }
    }

    fn poll(&mut self, which: u8) {
        let Some(at) = place(&self.live, which) else {
            return;
        };
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let live = &mut self.live[at];
        let outcome = Pin::new(&mut live.call).poll(&mut Context::from_waker(&waker));
        match outcome {
            Poll::Pending => {
                assert!(!live.has_answer && !live.is_due && !self.has_ended);
                live.waiting = Some(flag);
            }
            Poll::Ready(Err(CallLost::Due)) => {
                assert!(!live.has_answer && live.is_due && !self.has_ended);
            }
            Poll::Ready(Ok(answer)) => {
                assert!(live.has_answer);
                assert_eq!(answer.body[..], live.serial.to_le_bytes());
                self.live.swap_remove(at);
            }
            Poll::Ready(Err(lost)) => {
                assert!(!live.has_answer && self.has_ended);
                let serial = self.live.swap_remove(at).serial;
                let never_left = self.take_back(serial);
                assert_eq!(lost == CallLost::NeverLeft, never_left);
            }
        }
    }

    fn abandon(&mut self, which: u8) {
        let Some(at) = place(&self.live, which) else {
            return;
        };
        let live = self.live.swap_remove(at);
        match live.call.abandon() {
            Abandoned::Answered(answer) => {
                assert!(live.has_answer);
                assert_eq!(answer.body[..], live.serial.to_le_bytes());
            }
            Abandoned::NeverLeft => {
                assert!(!live.has_answer);
                assert!(self.take_back(live.serial), "it has left");
            }
            Abandoned::MayHaveLeft => {
                assert!(!live.has_answer);
                assert!(!self.take_back(live.serial), "it has not left");
                self.cancel(live.serial);
            }
        }
    }

    /// As `abandon`, by a caller who does not want to know.
    fn forget(&mut self, which: u8) {
        let Some(at) = place(&self.live, which) else {
            return;
        };
        let live = self.live.swap_remove(at);
        drop(live.call);
        if !live.has_answer && !self.take_back(live.serial) {
            self.cancel(live.serial);
        }
    }

    /// True if the request was still queued.
    fn take_back(&mut self, serial: Serial) -> bool {
        let request = Sent::Request(serial);
        let queued = self.queued.iter_mut().find(|sent| **sent == request);
        queued.map(|sent| *sent = Sent::Void).is_some()
    }

    fn cancel(&mut self, serial: Serial) {
        if !self.writer_is_broken {
            self.queued.push(Sent::Cancel(serial));
        }
    }

    fn break_writer(&mut self) {
        self.lane.break_writer();
        self.writer_is_broken = true;
    }

    /// The peer finishes or resets its side.
    fn end(&mut self) {
        self.lane.end();
        self.has_ended = true;
        self.writer_is_broken = true;
        self.nobody_sleeps();
    }

    /// Every deadline passes.
    fn expire(&mut self) {
        let end = self.begun + TIMEOUT;
        let before = end
            .checked_sub(Duration::from_nanos(1))
            .expect("later than nothing");
        let waits = |live: &Live| !live.has_answer && !live.is_due && !self.has_ended;
        let next = self.live.iter().any(waits).then_some(end);
        assert_eq!(self.lane.expire(before), next);
        assert_eq!(self.lane.expire(end), None);
        self.live.iter_mut().for_each(|live| live.is_due = true);
        self.nobody_sleeps();
    }

    fn finish(&mut self) {
        self.lane.finish();
        self.finishing = true;
    }

    /// Who polled in vain is woken when there is something to see.
    fn nobody_sleeps(&self) {
        for live in &self.live {
            if let Some(flag) = &live.waiting
                && (live.has_answer || live.is_due || self.has_ended)
            {
                assert!(flag.0.load(Ordering::Relaxed), "{} sleeps", live.serial);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.awaited.count(), self.live.len());
        assert_eq!(self.lane.load().in_flight, self.live.len());
        assert_eq!(self.lane.has_ended(), self.has_ended);
    }

    /// Everybody leaves; what was queued arrives, and nothing else.
    fn close(mut self) {
        self.check();
        while !self.live.is_empty() {
            self.forget(0);
        }
        self.check();
        self.finish();
        if !self.writer_is_broken && !self.queued.is_empty() {
            self.write();
        }
        assert!(self.lane.take_written().is_none());
        self.deliver_requests(usize::MAX);
        assert!(self.peer.is_at_boundary());
        assert_eq!(self.expected, []);
    }
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    place(all, which).map(|at| &all[at])
}

fn place<T>(all: &[T], which: u8) -> Option<usize> {
    usize::from(which).checked_rem(all.len())
}

/// Some arguments are copied behind their head, and some are too long for that.
const MOST_PADDING: usize = 6000;
/// No deadline passes by itself.
const TIMEOUT: Duration = Duration::from_secs(3600);
