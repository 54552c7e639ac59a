//! Where postcard writes: a block on the stack, and behind it the frame.
//!
//! A byte that is pushed to a [`BytesMut`] pays for its bookkeeping, some ten cycles each time. In
//! the block it pays for a comparison, and most values leave the block only once, when all is known
//! of them: those of [`encode`] are then allocated as large as they are.
//!
//! [`encode`]: crate::codec::encode

use bytes::{Bytes, BytesMut};
use postcard::ser_flavors::Flavor;

/// Appends, and cannot fail.
pub(super) struct Output<'o> {
    /// What left the block.
    out: &'o mut BytesMut,
    block: [u8; BLOCK],
    /// Bytes of the block that are written.
    filled: usize,
}

impl<'o> Output<'o> {
    /// What is written goes behind what is in `out`, at the latest when it is [flushed](Self::flush).
    #[inline]
    pub(super) fn new(out: &'o mut BytesMut) -> Self {
        Self {
            out,
            block: [0; BLOCK],
            filled: 0,
        }
    }

    /// Empties the block.
    pub(super) fn flush(&mut self) {
        if let Some(written) = self.block.get(..self.filled) {
            self.out.extend_from_slice(written);
        }
        self.filled = 0;
    }

    /// All that was written, if there was nothing before.
    pub(super) fn into_bytes(mut self) -> Bytes {
        if self.out.is_empty() {
            let written = self.block.get(..self.filled);
            return Bytes::copy_from_slice(written.unwrap_or_default());
        }
        self.flush();
        std::mem::take(self.out).freeze()
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if self.filled == BLOCK {
            self.flush();
        }
        if let Some(free) = self.block.get_mut(self.filled) {
            *free = byte;
            self.filled += 1;
        }
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.filled.saturating_add(bytes.len());
        match self.block.get_mut(self.filled..end) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.filled = end;
            }
            None => self.pass(bytes),
        }
    }

    /// Writes what the block has no room for.
    fn pass(&mut self, bytes: &[u8]) {
        self.out.reserve(self.filled + bytes.len());
        self.flush();
        self.out.extend_from_slice(bytes);
    }
}

impl Flavor for Output<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.extend(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Most arguments fit, and it is cleared with a few instructions.
const BLOCK: usize = 256;
