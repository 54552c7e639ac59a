//! Why a node closes a connection or resets a lane: the application error codes of PROTOCOL.md,
//! *Codes*.
//!
//! The code travels, its number says enough for a peer to act; the reason for people stays in the
//! local log. Strangers get none of them: they are refused by TLS before this protocol begins.

use quinn::{ConnectionError, VarInt};

/// An application error code of a connection or a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum CloseCode {
    /// The node stops. Nothing that it answered is lost.
    Shutdown = 0,
    /// Both ends moved their calls to the other connection between them.
    Retired = 1,
    /// A later incarnation of the same node is connected.
    Replaced = 2,
    /// The hello did not come in time.
    HelloTimeout = 3,
    /// The hello could not be read.
    BadHello = 4,
    /// No protocol version in common.
    Protocol = 5,
    /// The node belongs to another cluster.
    Cluster = 6,
    /// The node reached itself.
    Itself = 7,
    /// The node id in the hello is not the one in the certificate.
    Impostor = 8,
    /// Another living node has this node id.
    Duplicate = 9,
    /// Nothing was heard for too long.
    Silent = 10,
    /// A frame broke the protocol; on a lane, only that lane ends.
    Malformed = 11,
    /// Too much of what no sound peer has a reason to do: frames that cannot be read or mean
    /// nothing, lanes that are opened and thrown away.
    ExcessiveLoad = 12,
    /// A lane whose half-sent request, or whose unread answers, made too little progress.
    Slow = 13,
    /// The node is not the one that the dialler took it for, but a later life of it, or in another
    /// region. Nothing that came behind the dialler's hello was looked at.
    Mistaken = 14,
}

impl CloseCode {
    pub(crate) fn varint(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// True if a node says it only before it has served anything on that connection.
    pub(crate) fn comes_before_serving(self) -> bool {
        matches!(
            self,
            Self::HelloTimeout
                | Self::BadHello
                | Self::Protocol
                | Self::Cluster
                | Self::Itself
                | Self::Impostor
                | Self::Mistaken
        )
    }

    /// What the other end closed a connection with, if it did and that says anything to this build.
    pub(crate) fn of(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Self::from_number(close.error_code.into_inner())
            }
            _ => None,
        }
    }

    /// The code behind a number, if this build knows it.
    pub fn from_number(number: u64) -> Option<Self> {
        const ALL: [CloseCode; 15] = [
            CloseCode::Shutdown,
            CloseCode::Retired,
            CloseCode::Replaced,
            CloseCode::HelloTimeout,
            CloseCode::BadHello,
            CloseCode::Protocol,
            CloseCode::Cluster,
            CloseCode::Itself,
            CloseCode::Impostor,
            CloseCode::Duplicate,
            CloseCode::Silent,
            CloseCode::Malformed,
            CloseCode::ExcessiveLoad,
            CloseCode::Slow,
            CloseCode::Mistaken,
        ];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number() {
        for number in 0..=14 {
            let code = CloseCode::from_number(number).expect("a known code");
            assert_eq!(u64::from(code as u32), number);
        }
        assert_eq!(CloseCode::from_number(15), None);
        assert_eq!(CloseCode::from_number(u64::MAX), None);
    }
}
