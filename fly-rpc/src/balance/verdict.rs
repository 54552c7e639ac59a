//! What the outcome of one attempt says of the node that was asked.
//!
//! | outcome | verdict | because |
//! |---|---|---|
//! | a value, the application's own errors among them | answered | the node did what it was asked; what it said is between caller and function |
//! | `BadResponse` | answered | the function ran; what it returned cannot travel, from whichever node |
//! | `Panicked`, `BadRequest` | lived | one function's fault, or the caller's: the fence held, and every node of that build does the same. It came back too soon to say how slow the node is |
//! | `Overloaded` | refused | it lives and has no room: a reason to prefer others, and to leave it alone only if it does nothing else ([`breaker`](super::breaker)) |
//! | `Timeout` while waiting for the answer | silent | if the caller waited for longer than the node's answers take: a deadline below that says more of the caller |
//! | `ConnectionLost` | lost | it may have taken the request with it. However many calls were on one connection, its end is counted once |
//! | `Unreachable` | lost | likewise: it went before it was asked |
//! | `Draining`, `WrongRegion`, `FunctionUnavailable`, `ContractMismatch` | nothing | what was known of the node was old; that is corrected, and no fault |
//! | `Timeout` before that, `TooLarge`, what this node's own bounds refuse | nothing | the node was not asked |
//! | the caller dropped the call | given up | nobody knows; but it took so long without an answer |

use std::time::Duration;

use crate::error::{RpcError, Stage};

/// What an attempt says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did what it was asked, in the time that it took.
    Answered,
    /// It answered, and not what it was asked.
    Lived,
    /// It has no room.
    Refused,
    /// It did not answer within the time that it usually takes.
    Silent,
    /// Its connection ended.
    Lost,
    /// The caller waited no longer.
    GivenUp,
    /// Nothing.
    Nothing,
}

impl Verdict {
    /// What an attempt that took `waited` says of a node whose answers take about `usual`.
    pub(crate) fn of<T>(
        outcome: &Result<T, RpcError>,
        waited: Duration,
        usual: impl FnOnce() -> Duration,
    ) -> Self {
        match outcome {
            Ok(_) | Err(RpcError::BadResponse) => Self::Answered,
            Err(RpcError::Panicked { .. } | RpcError::BadRequest) => Self::Lived,
            Err(RpcError::Overloaded) => Self::Refused,
            Err(RpcError::Timeout {
                stage: Stage::Answer,
            }) if waited >= usual() => Self::Silent,
            Err(RpcError::Timeout {
                stage: Stage::Answer,
            }) => Self::GivenUp,
            Err(RpcError::ConnectionLost { .. } | RpcError::Unreachable { .. }) => Self::Lost,
            Err(_) => Self::Nothing,
        }
    }

    /// True if something came from the node.
    pub(crate) fn is_sign_of_life(self) -> bool {
        matches!(self, Self::Answered | Self::Lived | Self::Refused)
    }
}
