//! A stream, cut anywhere, is the same frames.

use bytes::Bytes;

use super::Input;
use crate::wire::{Assembler, Frame, FrameError, FrameKind, LENGTH};

/// A limit, then cuts up to a zero, then the stream.
///
/// # Panics
///
/// If the frames are other than those that a reader finds who has the whole stream before him.
pub fn frames(data: &[u8]) {
    let mut input = Input(data);
    let limit = input.short();
    let (cuts, stream) = match input.0.iter().position(|&byte| byte == 0) {
        Some(end) => (&input.0[..end], &input.0[end + 1..]),
        None => (&[][..], input.0),
    };
    assert_eq!(assembled(stream, cuts, limit), read(stream, limit));
}

/// Frames, and how the stream ended: at a boundary, inside a frame or with an error.
type Outcome = (Vec<Frame>, Result<bool, FrameError>);

/// By the assembler, from chunks.
fn assembled(mut stream: &[u8], cuts: &[u8], limit: usize) -> Outcome {
    let mut frames = Vec::new();
    let mut assembler = Assembler::new(limit);
    let mut cuts = cuts.iter().cycle();
    while !stream.is_empty() {
        let cut = cuts.next().map_or(stream.len(), |&cut| usize::from(cut));
        let (chunk, rest) = stream.split_at(cut.min(stream.len()));
        stream = rest;
        assembler.push(Bytes::copy_from_slice(chunk));
        loop {
            match assembler.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(assembler.is_at_boundary()))
}

/// As PROTOCOL.md says it, from the whole.
fn read(mut stream: &[u8], limit: usize) -> Outcome {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk::<LENGTH>() {
        let size = u32::from_le_bytes(*length) as usize;
        if size == 0 {
            return (frames, Err(FrameError::Empty));
        }
        if size > limit {
            return (frames, Err(FrameError::TooLarge { size, limit }));
        }
        let Some((frame, rest)) = rest.split_at_checked(size) else {
            return (frames, Ok(false));
        };
        frames.push(Frame {
            kind: FrameKind::from_byte(frame[0]),
            body: Bytes::copy_from_slice(&frame[1..]),
            cut: false,
        });
        stream = rest;
    }
    (frames, Ok(stream.is_empty()))
}
