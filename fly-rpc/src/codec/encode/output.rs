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
        if self.filled == 0 {
            return;
        }
        if let Some(written) = self.block.get(..self.filled) {
            self.out.extend_from_slice(written);
        }
        self.filled = 0;
    }

    /// Takes all that was written, if there was nothing before.
    pub(super) fn take(&mut self) -> Bytes {
        if self.out.is_empty() {
            let written = self.block.get(..self.filled);
            return Bytes::copy_from_slice(written.unwrap_or_default());
        }
        self.flush();
        std::mem::take(self.out).freeze()
    }

    /// Where in the block the next byte belongs, of so many that may come; there is room for one.
    #[inline]
    pub(super) fn make_room(&mut self, count: usize) -> usize {
        if self.filled == BLOCK {
            // Doubling alone would copy what is written a few times over.
            self.out.reserve(BLOCK + count.min(AHEAD));
            self.flush();
        }
        self.filled
    }

    /// Bytes of the block that are written.
    #[inline]
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Writes a byte into room that was made, and does not count it yet.
    #[inline]
    pub(super) fn put(&mut self, at: usize, byte: u8) {
        if let Some(free) = self.block.get_mut(at) {
            *free = byte;
        }
    }

    /// Counts what was put.
    #[inline]
    pub(super) fn set_filled(&mut self, filled: usize) {
        self.filled = filled;
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
            Some(free) if bytes.len() < LONG => {
                free.copy_from_slice(bytes);
                self.filled = end;
            }
            _ => self.pass(bytes),
        }
    }

    /// Writes what the block has no room for, or what is not worth being copied twice.
    fn pass(&mut self, bytes: &[u8]) {
        let len = self.filled + bytes.len();
        if self.out.capacity() == 0 {
            // Quicker than growing, and as large as it is if nothing follows.
            *self.out = BytesMut::with_capacity(len);
        } else {
            self.out.reserve(len);
        }
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
pub(super) const BLOCK: usize = 128;

/// What is not copied twice: of 64 bytes it would cost 5 ns more.
const LONG: usize = 64;

/// Bytes for which room is made before they are known to come.
const AHEAD: usize = 1 << 20;
