//! The head of a frame, put together on the stack.
//!
//! A field that is appended to a `BytesMut` pays for its bookkeeping each time, some sixty instructions
//! with the copy; here it pays for a comparison, and the whole leaves in one piece.

use bytes::BytesMut;

use super::{FrameKind, LENGTH, frame::length_prefix, put_varint};

/// Room for `N` bytes: the longest head that is put together in it.
pub(super) struct Head<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Head<N> {
    pub(super) fn new(kind: FrameKind) -> Self {
        let mut head = Self {
            bytes: [0; N],
            filled: LENGTH,
        };
        head.byte(kind as u8);
        head
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes[self.filled] = byte;
        self.filled += 1;
    }

    #[inline]
    pub(super) fn varint(&mut self, value: u64) {
        let mut free = &mut self.bytes[self.filled..];
        put_varint(&mut free, value);
        self.filled = N - free.len();
    }

    #[inline]
    pub(super) fn slice(&mut self, slice: &[u8]) {
        let end = self.filled + slice.len();
        self.bytes[self.filled..end].copy_from_slice(slice);
        self.filled = end;
    }

    /// Appends it to `out`, with a length that counts `beyond` bytes which will follow it.
    pub(super) fn put(mut self, out: &mut BytesMut, beyond: usize) {
        let length = self.filled - LENGTH + beyond;
        self.bytes[..LENGTH].copy_from_slice(&length_prefix(length));
        out.extend_from_slice(&self.bytes[..self.filled]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{begin_frame, finish_frame};

    #[test]
    fn a_head_is_what_the_fields_one_by_one_would_be() {
        for value in [0, 1, 0x7f, 0x80, 300, u64::MAX] {
            let mut head = Head::<64>::new(FrameKind::Request);
            head.varint(value);
            head.slice(b"name");
            head.byte(7);
            let mut together = BytesMut::from(&b"before"[..]);
            head.put(&mut together, 1000);

            let mut apart = BytesMut::from(&b"before"[..]);
            let start = begin_frame(&mut apart, FrameKind::Request);
            put_varint(&mut apart, value);
            apart.extend_from_slice(b"name\x07");
            finish_frame(&mut apart, start, 1000);
            assert_eq!(together, apart);
        }
    }
}
