//! Frames of a shared stream: length, id, body. All that has arrived is read at once.

use bytes::{Buf, Bytes, BytesMut};
use quinn::RecvStream;

/// The receiving end of the stream.
#[derive(Debug)]
pub(super) struct Frames {
    recv: RecvStream,
    assembly: Assembly,
}

impl Frames {
    pub(super) fn new(recv: RecvStream) -> Self {
        Self {
            recv,
            assembly: Assembly::default(),
        }
    }

    /// Waits for bytes; the frames that they complete, perhaps none. `None` at the stream's end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<(u32, Bytes)>>> {
        let mut chunks = [const { Bytes::new() }; CHUNKS];
        let Some(count) = self.recv.read_chunks(&mut chunks).await? else {
            return Ok(None);
        };
        let mut frames = Vec::new();
        for chunk in chunks.into_iter().take(count) {
            self.assembly.add(chunk, &mut frames);
        }
        Ok(Some(frames))
    }
}

/// Frames from chunks that are cut anywhere.
#[derive(Debug, Default)]
struct Assembly {
    /// The beginning of a frame.
    partial: BytesMut,
}

impl Assembly {
    fn add(&mut self, mut chunk: Bytes, frames: &mut Vec<(u32, Bytes)>) {
        while !chunk.is_empty() {
            if self.partial.is_empty()
                && let Some(length) = frame_length(&chunk)
                && length <= chunk.len()
            {
                frames.push(open(chunk.split_to(length)));
                continue;
            }
            let wanted = match frame_length(&self.partial) {
                Some(length) => length - self.partial.len(),
                None => HEADER - self.partial.len(),
            };
            self.partial
                .extend_from_slice(&chunk.split_to(wanted.min(chunk.len())));
            if let Some(length) = frame_length(&self.partial) {
                if length == self.partial.len() {
                    frames.push(open(self.partial.split().freeze()));
                } else {
                    self.partial.reserve(length - self.partial.len());
                }
            }
        }
    }
}

/// Bytes of the whole frame that begins with `start`, once they can be told.
fn frame_length(start: &[u8]) -> Option<usize> {
    let length = start.get(..HEADER)?.first_chunk()?;
    Some(HEADER + u32::from_be_bytes(*length) as usize)
}

fn open(mut frame: Bytes) -> (u32, Bytes) {
    frame.advance(size_of::<u32>());
    (frame.get_u32(), frame)
}

const HEADER: usize = 2 * size_of::<u32>();
/// Chunks that one read takes: more than a flight of packets has.
const CHUNKS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_however_the_stream_is_cut() {
        let stream = b"\0\0\0\x03\0\0\0\x07abc\0\0\0\0\0\0\0\x08\0\0\0\x01\0\0\0\x09d";
        for size in 1..=stream.len() {
            let (mut assembly, mut frames) = (Assembly::default(), Vec::new());
            for chunk in stream.chunks(size) {
                assembly.add(Bytes::copy_from_slice(chunk), &mut frames);
            }
            let bodies: [(u32, &[u8]); 3] = [(7, b"abc"), (8, b""), (9, b"d")];
            assert_eq!(frames, bodies.map(|(id, body)| (id, Bytes::from(body))));
        }
    }
}
