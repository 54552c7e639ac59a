//! The frames that wait to be written to one lane.
//!
//! Whoever has a frame appends it and goes on; one writer task takes everything that is queued in a
//! single write, so that under load many frames share a packet and a wake-up. The queue also knows,
//! for each frame, whether it was ever handed to QUIC: until then a call can be taken back without
//! a trace, and its caller can be told for certain that it did not run.

use std::{
    collections::VecDeque,
    mem,
    ops::Deref,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use quinn::{SendStream, WriteError};
use tokio::sync::Notify;

use super::{pace::Reading, policy, turns::Turns};
use crate::{close::CloseCode, link::Link, lock::lock, wire::FrameKind};

/// A queue of frames with one writer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// Bytes that wait for the network: queued, or taken by the writer and not by QUIC yet. Zero
    /// once nothing is written any more. Changed under the queue's lock only.
    waiting: AtomicUsize,
    filled: Notify,
    room: Notify,
}

/// What follows the head of a frame.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    /// Kept by whoever sends it.
    Kept(&'a Bytes),
    /// Given away.
    Given(BytesMut),
    Nothing,
}

/// The lane no longer takes frames. Nothing of the refused one was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug, Default)]
struct Queue {
    segments: VecDeque<Segment>,
    /// Bytes in `segments`.
    queued: usize,
    /// Bytes ever handed to the writer: the position on the lane where `segments` begins.
    taken: u64,
    end: End,
}

#[derive(Debug)]
enum Segment {
    /// Whole frames, or the head of a frame whose payload is the next segment.
    Batch(BytesMut),
    /// A payload too large to be worth copying.
    Payload(Bytes),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// No more frames are taken; what is queued is still written, then the lane is finished.
    Finishing,
    /// Nothing is written any more, for this reason.
    Broken(CloseCode),
}

impl Outbox {
    /// Appends one frame: what `head` writes, then `payload`. Returns the frame's position on the
    /// lane.
    pub(crate) fn push(
        &self,
        head: impl FnOnce(&mut BytesMut),
        payload: Payload<'_>,
    ) -> Result<u64, Closed> {
        let mut queue = lock(&self.queue);
        if queue.end != End::Open {
            return Err(Closed);
        }
        let was_empty = queue.queued == 0;
        let before = queue.queued;
        let position = queue.taken + before as u64;
        let batch = queue.batch();
        let length = batch.len();
        head(batch);
        let added = batch.len() - length + payload.len();
        if payload.len() <= COPIED_PAYLOAD {
            batch.extend_from_slice(&payload);
        } else {
            let payload = payload.into_bytes();
            queue.segments.push_back(Segment::Payload(payload));
        }
        queue.queued = before + added;
        let waiting = self.waiting.load(Ordering::Relaxed) + added;
        self.waiting.store(waiting, Ordering::Relaxed);
        drop(queue);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(position)
    }

    /// Takes back the frame at `position` if it has not been handed to QUIC. True means that it
    /// never leaves this process.
    pub(crate) fn void(&self, position: u64) -> bool {
        lock(&self.queue).void(position)
    }

    /// Waits until fewer than `limit` bytes wait for the network, or the lane is closed.
    ///
    /// Cancel safe: nothing is held while waiting.
    pub(crate) async fn room(&self, limit: usize) {
        while !self.has_room(limit) {
            let room = self.room.notified();
            if !self.has_room(limit) {
                room.await;
            }
        }
    }

    /// True if [`room`](Self::room) would not wait.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        self.waiting.load(Ordering::Relaxed) < limit
    }

    /// Takes no more frames; what is queued is written and the lane then finished.
    pub(crate) fn finish(&self) {
        self.end(End::Finishing);
    }

    /// Writes nothing more. Frames still queued stay where they are, so that [`void`](Self::void)
    /// still finds them unsent. The peer is told `code`, unless another reason came first.
    pub(crate) fn shut(&self, code: CloseCode) {
        self.end(End::Broken(code));
    }

    fn end(&self, end: End) {
        {
            let mut queue = lock(&self.queue);
            if !matches!(queue.end, End::Broken(_)) {
                queue.end = end;
            }
            self.waiting.store(0, Ordering::Relaxed);
        }
        self.filled.notify_one();
        self.room.notify_waiters();
    }

    /// Writes frames to `stream` until the outbox is finished or broken. The peer of `reader`, if
    /// there is one, must read them at some [pace](Reading).
    /// Large payloads go in `turns`.
    pub(crate) async fn write_to(
        &self,
        mut stream: SendStream,
        turns: &Turns,
        reader: Option<&Link>,
    ) {
        let mut priority = 0;
        loop {
            let filled = self.filled.notified();
            match self.take() {
                Taken::Frames(mut chunks) => {
                    // Small calls on other lanes need not wait for room behind a large payload.
                    let longest = chunks.iter().map(Bytes::len).max().unwrap_or_default();
                    let due = match policy::is_bulk(longest) {
                        true => turns.next(longest),
                        false => 0,
                    };
                    if mem::replace(&mut priority, due) != due {
                        // Fails only if the stream is gone, which the write will tell.
                        let _ = stream.set_priority(due);
                    }
                    let written = match reader {
                        None => stream
                            .write_all_chunks(&mut chunks)
                            .await
                            .map_err(|_| CloseCode::Malformed),
                        Some(link) => write_paced(&mut stream, &mut chunks, link).await,
                    };
                    if let Err(code) = written {
                        self.shut(code);
                    }
                    self.written();
                }
                Taken::Nothing => filled.await,
                Taken::Finished => {
                    // Fails only if the stream is gone already, which is what is wanted.
                    let _ = stream.finish();
                    return;
                }
                Taken::Broken(code) => {
                    // A dropped stream would be finished, and a frame cut in half would look like
                    // the end.
                    let _ = stream.reset(code.varint());
                    return;
                }
            }
        }
    }

    /// What a writer would write now, or `None` if it would end.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn take_written(&self) -> Option<Vec<Bytes>> {
        let written = match self.take() {
            Taken::Frames(chunks) => Some(chunks),
            Taken::Nothing => Some(Vec::new()),
            Taken::Finished | Taken::Broken(_) => None,
        };
        self.written();
        written
    }

    /// What was taken is QUIC's now.
    fn written(&self) {
        let queue = lock(&self.queue);
        if queue.end == End::Open {
            self.waiting.store(queue.queued, Ordering::Relaxed);
        }
        drop(queue);
        self.room.notify_waiters();
    }

    fn take(&self) -> Taken {
        let mut queue = lock(&self.queue);
        if let End::Broken(code) = queue.end {
            return Taken::Broken(code);
        }
        if queue.queued == 0 {
            return if queue.end == End::Finishing {
                Taken::Finished
            } else {
                Taken::Nothing
            };
        }
        queue.taken += queue.queued as u64;
        queue.queued = 0;
        let segments = mem::take(&mut queue.segments);
        drop(queue);
        Taken::Frames(
            segments
                .into_iter()
                .map(Segment::freeze)
                .filter(|chunk| !chunk.is_empty())
                .collect(),
        )
    }
}

impl Payload<'_> {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Kept(bytes) => bytes.clone(),
            Self::Given(bytes) => bytes.freeze(),
            Self::Nothing => Bytes::new(),
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Kept(bytes) => bytes,
            Self::Given(bytes) => bytes,
            Self::Nothing => &[],
        }
    }
}

enum Taken {
    Frames(Vec<Bytes>),
    Nothing,
    Finished,
    Broken(CloseCode),
}

/// Writes the answers of one take at the pace at which the peer reads them, as long as that is one.
async fn write_paced(
    stream: &mut SendStream,
    chunks: &mut [Bytes],
    link: &Link,
) -> Result<(), CloseCode> {
    let mut reading = Reading::begin(link);
    let mut rest = chunks;
    while !rest.is_empty() {
        match reading.write(stream.write_chunks(rest), link).await {
            Ok(Ok(written)) => rest = &mut rest[written.chunks..],
            Ok(Err(error)) => {
                if matches!(error, WriteError::Stopped(_)) {
                    link.offence("a lane was stopped");
                }
                return Err(CloseCode::Malformed);
            }
            Err(lag) => {
                tracing::debug!(peer = %link.node(), %lag, "a lane is closed");
                link.complain("answers were not read");
                return Err(CloseCode::Slow);
            }
        }
    }
    Ok(())
}

impl Queue {
    /// The batch at the end, a fresh one if there is none.
    fn batch(&mut self) -> &mut BytesMut {
        if !matches!(self.segments.back(), Some(Segment::Batch(_))) {
            self.segments
                .push_back(Segment::Batch(BytesMut::with_capacity(BATCH)));
        }
        match self.segments.back_mut() {
            Some(Segment::Batch(batch)) => batch,
            _ => unreachable!("a batch was just put at the end"),
        }
    }

    fn void(&mut self, position: u64) -> bool {
        let Some(mut offset) = position
            .checked_sub(self.taken)
            .and_then(|offset| usize::try_from(offset).ok())
        else {
            return false;
        };
        for segment in &mut self.segments {
            let length = segment.len();
            if offset < length {
                let Segment::Batch(batch) = segment else {
                    return false;
                };
                // The kind stands behind the four bytes of the length; a head is always written to
                // one batch.
                batch[offset + crate::wire::LENGTH] = FrameKind::Void as u8;
                return true;
            }
            offset -= length;
        }
        false
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.len(),
            Self::Payload(payload) => payload.len(),
        }
    }

    fn freeze(self) -> Bytes {
        match self {
            Self::Batch(batch) => batch.freeze(),
            Self::Payload(payload) => payload,
        }
    }
}

/// Payloads up to this size are copied behind their head: one memcpy is cheaper than one more
/// chunk.
const COPIED_PAYLOAD: usize = 4 * 1024;
/// Capacity of a fresh batch: a few packets' worth of small frames.
const BATCH: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;
    use crate::wire::{Assembler, begin_frame, finish_frame};

    fn push(outbox: &Outbox, payload: &Bytes) -> Result<u64, Closed> {
        outbox.push(
            |out| {
                let start = begin_frame(out, FrameKind::Request);
                out.put_u8(7);
                finish_frame(out, start, payload.len());
            },
            Payload::Kept(payload),
        )
    }

    fn kinds(outbox: &Outbox) -> Vec<Option<FrameKind>> {
        let Taken::Frames(chunks) = outbox.take() else {
            return Vec::new();
        };
        let mut assembler = Assembler::new(1 << 20);
        let mut kinds = Vec::new();
        for chunk in chunks {
            assembler.push(chunk);
            while let Some(frame) = assembler.next().expect("sound frames") {
                kinds.push(frame.kind);
            }
        }
        kinds
    }

    #[test]
    fn a_queued_frame_is_taken_back_and_its_neighbours_stay_whole() {
        let outbox = Outbox::default();
        let large = Bytes::from(vec![1; COPIED_PAYLOAD + 1]);
        let positions: Vec<u64> = [
            Bytes::from_static(b"a"),
            large.clone(),
            Bytes::from_static(b"c"),
            large,
        ]
        .iter()
        .map(|p| push(&outbox, p).expect("open"))
        .collect();
        assert!(outbox.void(positions[1]));
        assert!(outbox.void(positions[2]));
        let request = Some(FrameKind::Request);
        let void = Some(FrameKind::Void);
        assert_eq!(kinds(&outbox), [request, void, void, request]);
    }

    #[test]
    fn a_frame_that_the_writer_took_is_not_taken_back() {
        let outbox = Outbox::default();
        let first = push(&outbox, &Bytes::new()).expect("open");
        kinds(&outbox);
        let second = push(&outbox, &Bytes::new()).expect("open");
        assert!(!outbox.void(first));
        assert!(outbox.void(second));
    }

    #[test]
    fn a_broken_outbox_still_tells_what_never_left() {
        let outbox = Outbox::default();
        let sent = push(&outbox, &Bytes::new()).expect("open");
        kinds(&outbox);
        let queued = push(&outbox, &Bytes::new()).expect("open");
        outbox.shut(CloseCode::Malformed);
        assert_eq!(push(&outbox, &Bytes::new()), Err(Closed));
        assert!(!outbox.void(sent));
        assert!(outbox.void(queued));
    }
}
