//! Frames: a little-endian `u32` length, then that many bytes, the first of which is the kind
//! (PROTOCOL.md, *Frames*).
//!
//! The length is of fixed width so that a frame is written in one pass and its length filled in
//! afterwards, and so that a queued frame can be turned into a [`FrameKind::Void`] in place when
//! its call is given up before it left.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::share::Share;
use crate::counters::Counters;

/// The kinds of frames. Numbers below 16 travel on lanes, others on the control stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    /// Nothing: whatever it holds is skipped. A request that was given up before it left becomes
    /// one.
    Void = 0,
    Request = 1,
    Response = 2,
    Cancel = 3,
    Hello = 16,
    Catalogue = 17,
    Draining = 18,
    Retire = 19,
    Done = 20,
    Ping = 21,
    Pong = 22,
    View = 23,
    Gossip = 24,
}

impl FrameKind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Void,
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Cancel,
            16 => Self::Hello,
            17 => Self::Catalogue,
            18 => Self::Draining,
            19 => Self::Retire,
            20 => Self::Done,
            21 => Self::Ping,
            22 => Self::Pong,
            23 => Self::View,
            24 => Self::Gossip,
            _ => return None,
        })
    }
}

/// One frame as it came: its kind (`None` if this build does not know it) and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Option<FrameKind>,
    pub(crate) body: Bytes,
    /// True if `body` is only the beginning: the rest is not kept.
    pub(crate) cut: bool,
}

/// Why a stream of frames cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of {size} bytes, the limit is {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error("an empty frame")]
    Empty,
}

/// Starts a frame at the end of `out`; returns where, for [`finish_frame`].
pub(crate) fn begin_frame(out: &mut BytesMut, kind: FrameKind) -> usize {
    let start = out.len();
    out.put_u32_le(0);
    out.put_u8(kind as u8);
    start
}

/// Fills in the length of the frame begun at `start`, counting `beyond` bytes that will follow
/// `out` on the wire.
pub(crate) fn finish_frame(out: &mut BytesMut, start: usize, beyond: usize) {
    let length = out.len() - start - LENGTH + beyond;
    out[start..start + LENGTH].copy_from_slice(&length_prefix(length));
}

/// What stands before a frame of so many bytes.
pub(super) fn length_prefix(length: usize) -> [u8; LENGTH] {
    u32::try_from(length)
        .expect("messages are limited to far less than 4 GiB before they are framed")
        .to_le_bytes()
}

/// Cuts a stream of chunks into frames. A frame inside one chunk is a slice of it; only one that
/// spans chunks is copied, and memory for it grows with the bytes that came, not with the length
/// that was promised.
#[derive(Debug)]
pub(crate) struct Assembler {
    chunk: Bytes,
    partial: Vec<u8>,
    /// Bytes of a cut frame that came, and that are still to come.
    skipped: usize,
    to_skip: usize,
    limit: usize,
    share: Option<Share>,
    /// Frames that are not in the endpoint's count yet.
    uncounted: u64,
    counters: Arc<Counters>,
}

impl Assembler {
    /// Takes as much memory as its stream makes it.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            partial: Vec::new(),
            skipped: 0,
            to_skip: 0,
            limit,
            share: None,
            uncounted: 0,
            counters: Arc::default(),
        }
    }

    /// Takes no more than there is in `share`. A frame that would need more is [cut](Frame::cut) as
    /// soon as its beginning is there, and so is one of a kind that is skipped anyway.
    pub(crate) fn sharing(limit: usize, share: Share) -> Self {
        let mut assembler = Self::new(limit);
        assembler.share = Some(share);
        assembler
    }

    /// Counts its frames there: the whole ones of a chunk together, one that is broken or cut off
    /// as well.
    pub(crate) fn counting(mut self, counters: &Arc<Counters>) -> Self {
        self.counters = Arc::clone(counters);
        self
    }

    /// Gives the next bytes of the stream. Every frame of the chunk before must have been taken.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "frames were left untaken");
        self.chunk = chunk;
    }

    /// The next whole or cut frame, or `None` until more bytes come.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let frame = self.next_frame();
        match frame {
            Ok(Some(_)) => self.uncounted += 1,
            Ok(None) | Err(_) => self.count(),
        }
        frame
    }

    fn count(&mut self) {
        if self.uncounted > 0 {
            self.counters
                .read_frames(std::mem::take(&mut self.uncounted));
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.to_skip > 0 {
            self.skip();
        }
        if self.partial.is_empty() {
            if let Some(length) = self.checked_length(&self.chunk)?
                && self.chunk.len() >= LENGTH + length
            {
                self.chunk.advance(LENGTH);
                let kind = FrameKind::from_byte(self.chunk.get_u8());
                return Ok(Some(Frame {
                    kind,
                    body: self.chunk.split_to(length - 1),
                    cut: false,
                }));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
        }
        self.keep(LENGTH);
        let Some(length) = self.checked_length(&self.partial)? else {
            return Ok(None);
        };
        let whole = LENGTH + length;
        self.keep(whole.min(HEAD));
        if self.partial.len() < whole.min(HEAD) {
            return Ok(None);
        }
        if self.is_skipped_anyway() || !self.keep(whole) {
            return Ok(Some(self.cut(whole)));
        }
        if self.partial.len() < whole {
            return Ok(None);
        }
        self.release();
        let mut frame = Bytes::from(std::mem::take(&mut self.partial));
        frame.advance(LENGTH);
        Ok(Some(split_kind(frame)))
    }

    /// True if the stream may end here: no frame is half-read.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.came() == 0 && self.chunk.is_empty()
    }

    /// Bytes that have come of the frame that is half-read, kept or not.
    pub(crate) fn came(&self) -> usize {
        self.partial.len() + self.skipped
    }

    /// Moves bytes of the chunk to `partial` until that has `wanted`. False if there is no memory
    /// for them; the first [`HEAD`] are always kept.
    fn keep(&mut self, wanted: usize) -> bool {
        let missing = wanted
            .saturating_sub(self.partial.len())
            .min(self.chunk.len());
        let length = self.partial.len() + missing;
        if length > self.partial.capacity() {
            // Doubled, as a vector would, but not beyond what the frame can need; and all that it
            // needs, as soon as enough has come to be trusted: then hardly a byte is copied twice.
            let doubled = length
                .max(2 * self.partial.capacity())
                .min(wanted)
                .max(HEAD);
            let capacity = match length.saturating_mul(TRUST) >= wanted {
                true => wanted.max(HEAD),
                false => doubled,
            };
            let Some(capacity) = [capacity, doubled]
                .into_iter()
                .find(|size| self.share.as_mut().is_none_or(|share| share.cover(*size)))
            else {
                return false;
            };
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial
            .extend_from_slice(&self.chunk.split_to(missing));
        true
    }

    /// What is skipped as a whole need not be kept.
    fn is_skipped_anyway(&self) -> bool {
        let kind = self.partial.get(LENGTH).copied();
        self.share.is_some()
            && matches!(
                kind.and_then(FrameKind::from_byte),
                None | Some(FrameKind::Void)
            )
    }

    fn cut(&mut self, whole: usize) -> Frame {
        let partial = std::mem::take(&mut self.partial);
        self.release();
        self.skipped = partial.len();
        self.to_skip = whole - partial.len();
        self.skip();
        Frame {
            cut: true,
            ..split_kind(Bytes::copy_from_slice(&partial[LENGTH..whole.min(HEAD)]))
        }
    }

    fn skip(&mut self) {
        let skipped = self.chunk.split_to(self.to_skip.min(self.chunk.len()));
        self.to_skip -= skipped.len();
        self.skipped = if self.to_skip == 0 {
            0
        } else {
            self.skipped + skipped.len()
        };
    }

    fn release(&mut self) {
        if let Some(share) = &mut self.share {
            share.release();
        }
    }

    fn checked_length(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = bytes.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let size = u32::from_le_bytes(*prefix) as usize;
        match size {
            0 => Err(FrameError::Empty),
            _ if size > self.limit => Err(FrameError::TooLarge {
                size,
                limit: self.limit,
            }),
            _ => Ok(Some(size)),
        }
    }
}

impl Drop for Assembler {
    fn drop(&mut self) {
        // What is left is the beginning of a frame that was broken or cut off.
        self.uncounted += u64::from(!self.is_at_boundary());
        self.count();
    }
}

/// `bytes` is at least the kind.
fn split_kind(mut bytes: Bytes) -> Frame {
    Frame {
        kind: FrameKind::from_byte(bytes.get_u8()),
        body: bytes,
        cut: false,
    }
}

/// Bytes of a frame that are enough to know its kind, its call and its status (PROTOCOL.md,
/// *Frames* and *Response*: 4 + 1 + 10 + 1), rounded up.
const HEAD: usize = 64;

/// Times what has come of a frame for which memory is taken ahead. The allocator hands out what is
/// not written to yet without a page behind it, so that it is rather less.
const TRUST: usize = 8;

/// Bytes of the length prefix.
pub(crate) const LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::HalfRead;

    fn frames(bodies: &[Vec<u8>]) -> Bytes {
        let mut out = BytesMut::new();
        for body in bodies {
            let start = begin_frame(&mut out, FrameKind::Request);
            out.put_slice(body);
            finish_frame(&mut out, start, 0);
        }
        out.freeze()
    }

    fn drain(assembler: &mut Assembler, into: &mut Vec<Vec<u8>>) {
        while let Some(frame) = assembler.next().expect("a sound stream") {
            assert_eq!(frame.kind, Some(FrameKind::Request));
            into.push(frame.body.to_vec());
        }
    }

    proptest! {
        #[test]
        fn frames_come_back_however_the_stream_is_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            cuts in prop::collection::vec(1_usize..30, 1..60),
        ) {
            let mut stream = frames(&bodies);
            let memory = HalfRead::new(0);
            let mut assembler = Assembler::sharing(1024, memory.share(1024));
            let mut seen = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !stream.is_empty() {
                let cut = cuts.next().unwrap_or(1).min(stream.len());
                assembler.push(stream.split_to(cut));
                drain(&mut assembler, &mut seen);
            }
            prop_assert!(assembler.is_at_boundary());
            prop_assert_eq!(seen, bodies);
        }

        #[test]
        fn no_bytes_make_the_assembler_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let memory = HalfRead::new(16);
            let mut assembler = Assembler::sharing(512, memory.share(80));
            for chunk in chunks {
                assembler.push(chunk.into());
                loop {
                    match assembler.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
    }

    #[test]
    fn whole_broken_and_cut_frames_are_counted_once_each() {
        let counters = Arc::default();
        let counted = |chunks: &[&'static [u8]]| {
            let before = Counters::frames_read(&counters);
            let mut assembler = Assembler::new(16).counting(&counters);
            for chunk in chunks {
                assembler.push(Bytes::from_static(chunk));
                while let Ok(Some(_)) = assembler.next() {}
            }
            drop(assembler);
            counters.frames_read() - before
        };
        assert_eq!(counted(&[]), 0);
        assert_eq!(counted(&[&[1, 0, 0, 0, 9, 1, 0, 0, 0, 9]]), 2);
        assert_eq!(counted(&[&[1, 0], &[0, 0, 9]]), 1);
        assert_eq!(counted(&[&[1, 0, 0, 0, 9, 1]]), 2);
        assert_eq!(counted(&[&[1, 0, 0, 0, 9], &[0, 0, 0, 0]]), 2);
    }

    #[test]
    fn a_promised_length_takes_no_memory() {
        let mut assembler = Assembler::new(64 * 1024 * 1024);
        assembler.push(Bytes::from_static(&[0, 0, 0, 2, 1]));
        assert_eq!(assembler.next(), Ok(None));
        assert!(assembler.partial.capacity() < 1024);
    }

    #[test]
    fn memory_for_a_whole_frame_is_taken_once_an_eighth_of_it_came() {
        let body = 80_000;
        let mut stream = frames(&[vec![7; body]]);
        let mut assembler = Assembler::new(1 << 20);
        let mut capacities = Vec::new();
        while stream.len() > 1_000 {
            assembler.push(stream.split_to(1_000));
            assert_eq!(assembler.next(), Ok(None));
            let capacity = assembler.partial.capacity();
            assert!(capacity <= TRUST * assembler.came());
            capacities.push(capacity);
        }
        capacities.dedup();
        assert_eq!(capacities.last(), Some(&(LENGTH + 1 + body)));
        assert!(capacities.len() <= 6, "{capacities:?}");
    }

    #[test]
    fn a_frame_that_finds_no_memory_is_cut_and_the_next_one_is_whole() {
        let body = vec![7; 10_000];
        let mut stream = frames(&[body, b"next".to_vec()]);
        let memory = HalfRead::new(4_000);
        let mut assembler = Assembler::sharing(1 << 20, memory.share(1_000));
        let mut seen = Vec::new();
        while !stream.is_empty() {
            assembler.push(stream.split_to(stream.len().min(700)));
            while let Some(frame) = assembler.next().expect("a sound stream") {
                seen.push((frame.cut, frame.body.len()));
            }
            assert!(memory.held() <= 4_000 && assembler.partial.capacity() <= 5_000);
        }
        assert_eq!(seen, [(true, HEAD - LENGTH - 1), (false, 4)]);
        assert!(assembler.is_at_boundary());
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn memory_comes_back_when_a_frame_is_whole_and_when_its_lane_ends() {
        let memory = HalfRead::new(100_000);
        let stream = frames(&[vec![7; 10_000]]);
        let mut assembler = Assembler::sharing(1 << 20, memory.share(100));
        assembler.push(stream.slice(..9_000));
        assert_eq!(assembler.next(), Ok(None));
        assert!(memory.held() >= 8_900);
        assembler.push(stream.slice(9_000..));
        assert!(assembler.next().is_ok_and(|frame| frame.is_some()));
        assert_eq!(memory.held(), 0);
        assembler.push(stream.slice(..9_000));
        assert_eq!(assembler.next(), Ok(None));
        drop(assembler);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn what_is_skipped_anyway_is_not_kept() {
        let memory = HalfRead::new(0);
        let mut assembler = Assembler::sharing(1 << 20, memory.share(1 << 20));
        for kind in [FrameKind::Void as u8, 99] {
            let mut stream = vec![0, 0, 4, 0, kind];
            stream.resize(10_000, 1);
            assembler.push(stream.into());
            let frame = assembler.next().expect("sound").expect("cut");
            assert!(frame.cut && frame.kind != Some(FrameKind::Request));
            assert_eq!(
                (assembler.partial.capacity(), assembler.came()),
                (0, 10_000)
            );
            assembler.push(vec![1; 4 + 0x4_0000 - 10_000].into());
            assert_eq!(assembler.next(), Ok(None));
            assert!(assembler.is_at_boundary());
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
        let mut assembler = Assembler::new(16);
        assembler.push(Bytes::from_static(&[17, 0, 0, 0]));
        assert_eq!(
            assembler.next(),
            Err(FrameError::TooLarge {
                size: 17,
                limit: 16
            })
        );
    }

    #[test]
    fn a_frame_without_a_kind_is_refused() {
        let mut assembler = Assembler::new(16);
        assembler.push(Bytes::from_static(&[0, 0, 0, 0, 1]));
        assert_eq!(assembler.next(), Err(FrameError::Empty));
    }
}
