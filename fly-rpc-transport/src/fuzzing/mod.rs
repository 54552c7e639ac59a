//! What the fuzz targets of `fuzz/` run: each function takes bytes that nobody vouches for and
//! panics if what is read from them breaks a rule that holds for all bytes.
//!
//! Ordinary tests run the same functions, on the corpora that fuzzing has left behind and on bytes
//! made up on the spot. The module is there only for them: in tests and with the feature `fuzzing`.

mod frames;
mod headers;
mod hello;
mod input;
mod lane_events;

pub use self::{frames::frames, headers::headers, hello::hello, lane_events::lane_events};
pub(crate) use input::Input;

/// A leaf that a stranger presents: bytes, or a certificate that a trusted authority has signed.
pub fn certificate(data: &[u8]) {
    crate::identity::fuzzing::certificate(data);
}

#[cfg(test)]
mod tests;
