//! How a request ended, in one byte whose range already says whether the function ran.
//!
//! A newer peer may answer with a status that this build does not know. It must still be able to
//! tell its caller whether the function ran, so the ranges, not only the values, are part of the
//! protocol.

/// The first byte of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The function ran; its value follows.
    Ok,
    /// Not run: the arguments could not be decoded, or the request head could not be read.
    BadRequest,
    /// Not run: this node has no such function and version; the versions it has follow.
    UnknownFunction,
    /// Not run: this node has another contract under that name and version; its readable form
    /// follows.
    ContractMismatch,
    /// Not run: the function is pinned to another region than this node's.
    WrongRegion,
    /// Not run: every handler permit is taken.
    Overloaded,
    /// Not run: the node is about to stop.
    Draining,
    /// Not run: the deadline had passed when the request was looked at.
    Expired,
    /// Not run, for a reason that a newer peer knows.
    OtherNotRun(u8),
    /// Ran and panicked.
    Panicked,
    /// Ran, and its value could not be encoded, or is over the limit.
    BadResponse,
    /// Ran, and failed for a reason that a newer peer knows.
    OtherRan(u8),
    /// Perhaps ran: it was started and dropped at its deadline, or a newer peer has another reason.
    Interrupted,
    /// Perhaps ran, for a reason that a newer peer knows.
    OtherUnknown(u8),
}

impl Status {
    /// The byte on the wire: 0 is success, 1–63 did not run, 64–127 ran, 128–255 perhaps.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::BadRequest => 1,
            Self::UnknownFunction => 2,
            Self::ContractMismatch => 3,
            Self::WrongRegion => 4,
            Self::Overloaded => 5,
            Self::Draining => 6,
            Self::Expired => 7,
            Self::Panicked => 64,
            Self::BadResponse => 65,
            Self::Interrupted => 128,
            Self::OtherNotRun(byte) | Self::OtherRan(byte) | Self::OtherUnknown(byte) => byte,
        }
    }

    /// The meaning of a byte. Every byte has one.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Ok,
            1 => Self::BadRequest,
            2 => Self::UnknownFunction,
            3 => Self::ContractMismatch,
            4 => Self::WrongRegion,
            5 => Self::Overloaded,
            6 => Self::Draining,
            7 => Self::Expired,
            8..=63 => Self::OtherNotRun(byte),
            64 => Self::Panicked,
            65 => Self::BadResponse,
            66..=127 => Self::OtherRan(byte),
            128 => Self::Interrupted,
            129.. => Self::OtherUnknown(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_status_and_comes_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(Status::from_byte(byte).to_byte(), byte);
        }
    }
}
