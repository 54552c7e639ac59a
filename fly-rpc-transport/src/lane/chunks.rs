//! What came on a lane, taken from QUIC many chunks at a time: each time takes the connection's
//! lock, and a chunk is one packet's.

use bytes::Bytes;
use quinn::{ReadError, RecvStream, VarInt};

/// The reading end of a lane.
#[derive(Debug)]
pub(super) struct Chunks {
    stream: RecvStream,
    taken: Box<[Bytes]>,
    next: usize,
    end: usize,
}

impl Chunks {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            taken: vec![Bytes::new(); MOST].into(),
            next: 0,
            end: 0,
        }
    }

    /// The next chunk that was taken already.
    pub(super) fn taken(&mut self) -> Option<Bytes> {
        let chunk = self.taken[..self.end].get_mut(self.next)?;
        self.next += 1;
        Some(std::mem::take(chunk))
    }

    /// The next chunk; `None` at the end of the lane.
    ///
    /// Cancel safe: what was not returned is returned by the next call.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.next == self.end {
            let count = self.stream.read_chunks(&mut self.taken).await?;
            self.end = count.unwrap_or(0);
            self.next = 0;
        }
        Ok(self.taken())
    }

    /// Wants no more.
    pub(super) fn stop(&mut self, code: VarInt) {
        // Fails only if nothing more would come.
        let _ = self.stream.stop(code);
    }
}

/// Chunks that are taken at a time. They are some 20 kB that count as read while they wait here.
const MOST: usize = 16;
