//! The serving end of a lane: requests in, answers out.
//!
//! A handler that completes at its first poll is answered from the reading task itself; only one
//! that waits gets a task, and those behind one that took long: while handlers hold the reading
//! task, requests queue that should be refused, and answers that should be written. A request that cannot be read ends as a refusal of that call; only bytes
//! that leave no way to find the next frame end the lane, and nothing here ends the connection.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use tokio::{
    task::{AbortHandle, yield_now},
    time::Instant,
};

use super::outbox::Outbox;
use crate::{
    close::CloseCode,
    link::Link,
    lock::lock,
    service::{Served, Service},
    wire::{Assembler, FrameKind, Request, ResponseFrame, Status, decode_call_id},
};

/// Serves one lane until the peer has finished it and every answer is written, or it breaks.
pub(crate) async fn serve_lane(
    link: Arc<Link>,
    service: Arc<dyn Service>,
    send: SendStream,
    recv: RecvStream,
) {
    let lane = Arc::new(ServedLane {
        outbox: Outbox::default(),
        running: Mutex::default(),
    });
    let read = async {
        let finished = lane.read_requests(&link, &*service, recv).await;
        lane.stop_reading(finished);
    };
    tokio::select! {
        biased;
        _ = async { tokio::join!(lane.outbox.write_to(send), read) } => {}
        // A lane that was read to its end would not notice otherwise.
        () = link.closed() => lane.stop_reading(false),
    }
}

#[derive(Debug)]
struct ServedLane {
    outbox: Outbox,
    running: Mutex<Running>,
}

/// The handlers that have not completed yet. `None` stands for one that runs to its end whatever
/// happens.
#[derive(Debug, Default)]
struct Running {
    handlers: BTreeMap<u64, Option<AbortHandle>>,
    reading_is_over: bool,
}

impl ServedLane {
    /// True if the peer finished the lane at the end of a frame.
    async fn read_requests(
        self: &Arc<Self>,
        link: &Arc<Link>,
        service: &dyn Service,
        mut recv: RecvStream,
    ) -> bool {
        let limits = link.limits();
        let mut assembler = Assembler::new(limits.frame_size()).counting(link.counters());
        let mut pace = Pace::default();
        loop {
            let chunk = match recv.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return assembler.is_at_boundary(),
                Err(_) => return false,
            };
            assembler.push(chunk.bytes);
            loop {
                let frame = match assembler.next() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(peer = %link.node(), %error, "a lane breaks the protocol and is closed");
                        let _ = recv.stop(CloseCode::Malformed.varint());
                        return false;
                    }
                };
                match frame.kind {
                    Some(FrameKind::Request) => {
                        // Answers that the peer does not read hold back its requests.
                        self.outbox.room(limits.lane_queue).await;
                        let begun = Instant::now();
                        self.request(link, service, frame.body, pace.is_easy());
                        if pace.took(begun.elapsed()) {
                            // Answers are written by this very task.
                            yield_now().await;
                        }
                    }
                    Some(FrameKind::Cancel) => self.cancel(frame.body),
                    // Void, or a kind of a newer peer.
                    _ => {}
                }
            }
        }
    }

    fn request(
        self: &Arc<Self>,
        link: &Arc<Link>,
        service: &dyn Service,
        body: Bytes,
        poll_here: bool,
    ) {
        let request = match Request::decode(body) {
            Ok(request) => request,
            Err((call, error)) => {
                tracing::debug!(peer = %link.node(), %error, "a request cannot be read");
                if let Some(call) = call {
                    self.answer(ResponseFrame::new(call, Status::BadRequest));
                }
                return;
            }
        };
        let call = request.call;
        match service.serve(link, request) {
            Served::Answer(frame) => self.answer(frame),
            Served::Handler {
                mut future,
                cancellable,
            } => {
                if !poll_here {
                    return self.spawn(call, future, cancellable);
                }
                let waker = std::task::Waker::noop();
                match future.as_mut().poll(&mut Context::from_waker(waker)) {
                    Poll::Ready(frame) => self.answer(frame),
                    Poll::Pending => self.spawn(call, future, cancellable),
                }
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        call: u64,
        future: Pin<Box<dyn Future<Output = ResponseFrame> + Send>>,
        cancellable: bool,
    ) {
        // Listed before it is spawned: it may complete, or be dropped, before `spawn` returns.
        lock(&self.running).handlers.insert(call, None);
        let completion = Completion {
            lane: Arc::clone(self),
            call,
        };
        let task = tokio::spawn(async move {
            let frame = future.await;
            completion.lane.answer(frame);
        });
        if cancellable && let Some(handler) = lock(&self.running).handlers.get_mut(&call) {
            *handler = Some(task.abort_handle());
        }
    }

    fn answer(&self, frame: ResponseFrame) {
        let bytes = frame.finish();
        // Fails only when the lane is gone, and with it whoever would read the answer.
        let _ = if bytes.len() <= SMALL_ANSWER {
            self.outbox
                .push(|out| out.extend_from_slice(&bytes), &Bytes::new())
        } else {
            self.outbox.push(|_| (), &bytes.freeze())
        };
    }

    fn cancel(&self, body: Bytes) {
        let Ok(call) = decode_call_id(body) else {
            return;
        };
        if let Some(Some(handler)) = lock(&self.running).handlers.get(&call) {
            handler.abort();
        }
    }

    fn stop_reading(&self, finished: bool) {
        let mut running = lock(&self.running);
        running.reading_is_over = true;
        if finished {
            running.finish_if_idle(&self.outbox);
        } else {
            self.outbox.shut();
            // Nobody is left to be answered.
            for handler in running.handlers.values().flatten() {
                handler.abort();
            }
        }
    }
}

/// How the reading task spends its time.
#[derive(Debug, Default)]
struct Pace {
    /// Since answers were last written.
    spent: Duration,
    /// Requests whose handlers get a task before one is polled here again.
    tasks: u32,
}

impl Pace {
    /// True if a handler may be polled by the reading task.
    fn is_easy(&self) -> bool {
        self.tasks == 0
    }

    /// Notes how long one request took; true if it is time for the answers.
    fn took(&mut self, time: Duration) -> bool {
        self.tasks = if time >= LONG {
            TASKS
        } else {
            self.tasks.saturating_sub(1)
        };
        self.spent += time;
        let is_time = self.spent >= TURN;
        if is_time {
            self.spent = Duration::ZERO;
        }
        is_time
    }
}

impl Running {
    fn finish_if_idle(&self, outbox: &Outbox) {
        if self.reading_is_over && self.handlers.is_empty() {
            outbox.finish();
        }
    }
}

/// Takes a handler off the list however its task ends: completed, aborted or panicked.
struct Completion {
    lane: Arc<ServedLane>,
    call: u64,
}

impl Drop for Completion {
    fn drop(&mut self) {
        let mut running = lock(&self.lane.running);
        running.handlers.remove(&self.call);
        running.finish_if_idle(&self.lane.outbox);
    }
}

/// Answers up to this size are copied into the batch of the lane.
const SMALL_ANSWER: usize = 4 * 1024;
/// A first poll that takes this long costs so much more than a task that the next ones get theirs.
const LONG: Duration = Duration::from_micros(200);
/// How many after such a one: where all take long, few are waited for.
const TASKS: u32 = 32;
/// Requests are read for this long before answers are written: hundreds of small ones.
const TURN: Duration = Duration::from_micros(500);
