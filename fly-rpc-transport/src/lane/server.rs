//! The serving end of a lane: requests in, answers out.
//!
//! A handler that completes at its first poll is answered from the reading task itself; only one
//! that waits gets a task, and those behind one that took long: while handlers hold the reading
//! task, requests queue that should be refused, and answers that should be written. A request that
//! cannot be read ends as a refusal of that call; only bytes that leave no way to find the next
//! frame, or that come too slowly, end the lane. Nothing here ends the connection but too many
//! [offences](crate::tally).

use std::{
    collections::BTreeMap,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use quinn::{ReadError, RecvStream, SendStream};
use tokio::{
    task::{AbortHandle, yield_now},
    time::Instant,
};

use super::{
    chunks::Chunks,
    outbox::{Outbox, Payload},
    pace::Pace,
    strain::Strain,
};
use crate::{
    close::CloseCode,
    link::Link,
    lock::lock,
    reactor::attention,
    service::{KEPT, Served, Service, first_poll},
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
        let finished = match lane.read_requests(&link, &*service, recv).await {
            Ok(()) => true,
            Err(code) => {
                lane.outbox.shut(code);
                false
            }
        };
        lane.stop_reading(finished);
        std::future::pending().await
    };
    tokio::select! {
        biased;
        () = read => {}
        // Not before what is there was read, since it wakes the connection's task. It ends behind the last
        // answer; or because nobody reads them, and then nothing is to be read here either.
        () = lane.outbox.write_to(send, link.turns(), Some(&link)) => lane.stop_reading(false),
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
    /// Reads until the peer finishes the lane at the end of a frame, or it has to be closed.
    async fn read_requests(
        self: &Arc<Self>,
        link: &Arc<Link>,
        service: &dyn Service,
        recv: RecvStream,
    ) -> Result<(), CloseCode> {
        let mut chunks = Chunks::new(recv);
        let limits = link.limits();
        let share = link.half_read().share(limits.header_size);
        let assembler = Assembler::sharing(limits.frame_size(), share);
        let mut assembler = assembler.counting(link.counters());
        let mut strain = Strain::default();
        let mut pace: Option<Pace> = None;
        // Read once for each request: the end of one is the beginning of the next.
        let mut clock;
        let mut requests = 0_u64;
        let mut cancels = 0_u64;
        loop {
            let came = assembler.came();
            let read = if came == 0 {
                chunks.read().await
            } else {
                let pace = pace.get_or_insert_with(|| Pace::of_frame(link));
                match pace.read(&mut chunks, came, link).await {
                    Ok(read) => read,
                    Err(lag) => {
                        tracing::debug!(peer = %link.node(), %lag, "a lane is closed");
                        // No offence: a very narrow way may look the same.
                        link.complain("a request was not sent to its end");
                        chunks.stop(CloseCode::Slow.varint());
                        return Err(CloseCode::Slow);
                    }
                }
            };
            match read {
                Ok(Some(chunk)) => {
                    assembler.push(chunk);
                    if attention::is_awaited() {
                        yield_now().await;
                    }
                    clock = Instant::now();
                }
                Ok(None) if assembler.is_at_boundary() => {
                    if requests == 0 {
                        link.offence("a lane without a request");
                    }
                    return Ok(());
                }
                Ok(None) => {
                    link.offence("a lane ended inside a frame");
                    return Err(CloseCode::Malformed);
                }
                Err(error) => {
                    if matches!(error, ReadError::Reset(_)) {
                        link.offence("a lane was reset");
                    }
                    return Err(CloseCode::Malformed);
                }
            }
            loop {
                let frame = match assembler.next() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(peer = %link.node(), %error, "a lane breaks the protocol and is closed");
                        link.offence("bytes that are no frame");
                        chunks.stop(CloseCode::Malformed.varint());
                        return Err(CloseCode::Malformed);
                    }
                };
                pace = None;
                match frame.kind {
                    Some(FrameKind::Request) => {
                        requests += 1;
                        // Answers that the peer does not read hold back its requests.
                        if !self.outbox.has_room(limits.lane_queue) {
                            self.outbox.room(limits.lane_queue).await;
                            clock = Instant::now();
                        }
                        if frame.cut {
                            self.refuse_half_read(link, frame.body);
                            continue;
                        }
                        let poll_here = strain.is_light();
                        let done = self.request(link, service, frame.body, clock, poll_here);
                        let took = done - mem::replace(&mut clock, done);
                        if strain.took(took) {
                            // Answers are written by this very task.
                            yield_now().await;
                            clock = Instant::now();
                        }
                    }
                    Some(FrameKind::Cancel) => {
                        cancels += 1;
                        if cancels > requests {
                            link.offence("a cancel of no request");
                        }
                        self.cancel(frame.body);
                    }
                    // A request that was given up: it never was as short as this.
                    Some(FrameKind::Void) if frame.body.len() >= SHORTEST_REQUEST => {
                        requests += 1;
                    }
                    Some(FrameKind::Void) => link.offence("a void that never was a request"),
                    // A kind of a newer peer.
                    _ => link.offence("a frame of a kind that is not known here"),
                }
            }
        }
    }

    /// Refuses a request of which there is only the beginning, for want of memory. Nothing ran.
    fn refuse_half_read(&self, link: &Link, beginning: Bytes) {
        tracing::debug!(peer = %link.node(), "a request is refused: too many are half-read");
        match decode_call_id(beginning) {
            Ok(call) => self.answer(ResponseFrame::new(call, Status::Overloaded)),
            Err(_) => link.offence("a request that cannot be read"),
        }
    }

    /// Serves a request; `arrived` is when its turn came, behind those that were read with it. Says when that was
    /// done.
    fn request(
        self: &Arc<Self>,
        link: &Arc<Link>,
        service: &dyn Service,
        body: Bytes,
        arrived: Instant,
        poll_here: bool,
    ) -> Instant {
        let request = self.read_request(link, body, arrived);
        let called = request.and_then(|request| {
            let called = (request.function_bytes(), request.version);
            let is_handled = self.serve(link, service, request, poll_here);
            is_handled.then_some(called)
        });
        let done = Instant::now();
        let held = done - arrived;
        if held >= KEPT
            && let Some((function, version)) = called
        {
            service.kept(&String::from_utf8_lossy(&function), version, held);
        }
        done
    }

    /// `None` if it is none that may be served; then it is answered.
    fn read_request(&self, link: &Link, body: Bytes, arrived: Instant) -> Option<Request> {
        let mut request = match Request::decode(body) {
            Ok(request) => request,
            Err((call, error)) => {
                tracing::debug!(peer = %link.node(), %error, "a request cannot be read");
                link.offence("a request that cannot be read");
                if let Some(call) = call {
                    self.answer(ResponseFrame::new(call, Status::BadRequest));
                }
                return None;
            }
        };
        let (size, limit) = (request.arguments.len(), link.limits().message_size);
        if size > limit {
            tracing::debug!(peer = %link.node(), size, limit, "a request is over the limit");
            link.offence("a request over the limit");
            self.answer(request.respond(Status::BadRequest));
            return None;
        }
        request.arrived = Some(arrived.into_std());
        Some(request)
    }

    /// True if a handler was made of it.
    fn serve(
        self: &Arc<Self>,
        link: &Arc<Link>,
        service: &dyn Service,
        request: Request,
        poll_here: bool,
    ) -> bool {
        let call = request.call;
        match service.serve(link, request) {
            Served::Answer(frame) => {
                self.answer(frame);
                false
            }
            Served::Handler {
                mut future,
                cancellable,
            } => {
                let first = match poll_here {
                    true => future.as_mut().poll(&mut first_poll()),
                    false => Poll::Pending,
                };
                match first {
                    Poll::Ready(frame) => self.answer(frame),
                    Poll::Pending => self.spawn(link, call, future, cancellable),
                }
                true
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        link: &Arc<Link>,
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
        let link = Arc::clone(link);
        let task = tokio::spawn(async move {
            let frame = future.await;
            let limit = link.limits().lane_queue;
            if !completion.lane.outbox.has_room(limit) {
                // An answer that nobody reads counts like a handler that runs: whoever leaves them
                // unread uses up what it may run.
                let _unread = Unread::count(link.serving());
                completion.lane.outbox.room(limit).await;
            }
            completion.lane.answer(frame);
        });
        if cancellable && let Some(handler) = lock(&self.running).handlers.get_mut(&call) {
            *handler = Some(task.abort_handle());
        }
    }

    fn answer(&self, frame: ResponseFrame) {
        let (head, body, rest) = frame.split();
        // Fails only when the lane is gone, and with it whoever would read the answer.
        let _ = match rest.is_empty() {
            true => self.outbox.push(|out| head.put(out), Payload::Given(body)),
            false => {
                let put = |out: &mut BytesMut| {
                    head.put(out);
                    out.extend_from_slice(&body);
                };
                self.outbox.push(put, Payload::Kept(&rest))
            }
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
            self.outbox.shut(CloseCode::Malformed);
            // Nobody is left to be answered.
            for handler in running.handlers.values().flatten() {
                handler.abort();
            }
        }
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

/// One of the handlers of a peer, as far as their limit is concerned.
struct Unread<'a>(&'a AtomicUsize);

impl<'a> Unread<'a> {
    fn count(handlers: &'a AtomicUsize) -> Self {
        handlers.fetch_add(1, Ordering::Relaxed);
        Self(handlers)
    }
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of the shortest request: call, flags, time, name, version and contract (PROTOCOL.md,
/// *Request*).
const SHORTEST_REQUEST: usize = 1 + 1 + 1 + 1 + 1 + 16;
