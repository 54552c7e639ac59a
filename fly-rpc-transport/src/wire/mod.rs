//! What travels, as bytes: pure functions from values to frames and back, no tasks, clocks or
//! sockets.
//!
//! `PROTOCOL.md` is the normative text; golden bytes in the tests of this folder pin it.

mod catalogue;
mod frame;
mod head;
mod hello;
mod message;
mod read;
mod share;
mod status;
mod view;

pub use catalogue::{Catalogue, Offer};
pub(crate) use frame::{
    Assembler, Frame, FrameError, FrameKind, LENGTH, begin_frame, finish_frame,
};
pub(crate) use hello::{DIGESTS, Greeting, HelloError};
pub use hello::{Hello, PROTOCOL_VERSIONS};
pub use message::{CallId, Request, RequestBody, RequestHead, Response, ResponseFrame};
pub(crate) use message::{cancel_frame, decode_call_id};
pub(crate) use read::{Malformed, Reader, put_bytes, put_varint};
pub(crate) use share::HalfRead;
pub use status::Status;
pub use view::View;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
