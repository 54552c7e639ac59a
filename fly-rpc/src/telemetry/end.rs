//! How a call or a request ended, as spans and metrics name it.
//!
//! A closed list, so that it can be a label: what a peer says never adds a name to it.

use fly_rpc_transport::Status;

use crate::error::{Executed, RpcError};

/// An end of a call, of one attempt at it, or of a request that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Its place in [`ENDS`].
    pub(super) number: usize,
    /// The name of the error's variant, [`OK`](Self::OK) or [`GIVEN_UP`](Self::GIVEN_UP).
    pub(super) outcome: &'static str,
    /// Whether the function ran.
    pub(super) executed: &'static str,
}

impl End {
    /// With a value.
    pub(super) const OK: Self = ENDS[0];
    /// The caller dropped it, or the node that served it was closed around it.
    pub(super) const GIVEN_UP: Self = ENDS[1];
    /// How many ends there are.
    #[cfg(feature = "metrics")]
    pub(super) const COUNT: usize = ENDS.len();

    pub(super) fn of(error: &RpcError) -> Self {
        let number = match error {
            RpcError::NotStarted => 2,
            RpcError::BadTarget { .. } => 3,
            RpcError::NoNode { .. } => 4,
            RpcError::FunctionUnavailable { .. } => 5,
            RpcError::ContractMismatch { .. } => 6,
            RpcError::WrongRegion { .. } => 7,
            RpcError::Unreachable { .. } => 8,
            RpcError::Overloaded => 9,
            RpcError::Draining => 10,
            RpcError::TooLarge { .. } => 11,
            RpcError::Encode => 12,
            RpcError::BadRequest => 13,
            RpcError::Timeout { .. } if error.executed() == Executed::No => 14,
            RpcError::Timeout { .. } => 15,
            RpcError::ConnectionLost { .. } => 16,
            RpcError::Panicked { .. } => 17,
            RpcError::BadResponse => 18,
        };
        ENDS[number]
    }

    /// The end of a request by what its caller is told.
    pub(super) fn of_status(status: Status) -> Self {
        ENDS[match status {
            Status::Ok => 0,
            Status::BadRequest => 13,
            Status::UnknownFunction => 5,
            Status::ContractMismatch => 6,
            Status::WrongRegion => 7,
            Status::Overloaded | Status::OtherNotRun(_) => 9,
            Status::Draining => 10,
            Status::Expired => 14,
            Status::Panicked => 17,
            Status::BadResponse | Status::OtherRan(_) => 18,
            // The function was dropped at its deadline, or with the runtime.
            _ => 15,
        }]
    }

    pub(super) fn is_ok(self) -> bool {
        self == Self::OK
    }
}

const fn end(number: usize, outcome: &'static str, executed: &'static str) -> End {
    End {
        number,
        outcome,
        executed,
    }
}

/// Every end, each at its number.
const ENDS: [End; 19] = [
    end(0, "ok", YES),
    end(1, "given_up", UNKNOWN),
    end(2, "not_started", NO),
    end(3, "bad_target", NO),
    end(4, "no_node", NO),
    end(5, "function_unavailable", NO),
    end(6, "contract_mismatch", NO),
    end(7, "wrong_region", NO),
    end(8, "unreachable", NO),
    end(9, "overloaded", NO),
    end(10, "draining", NO),
    end(11, "too_large", NO),
    end(12, "encode", NO),
    end(13, "bad_request", NO),
    end(14, "timeout", NO),
    end(15, "timeout", UNKNOWN),
    end(16, "connection_lost", UNKNOWN),
    end(17, "panicked", YES),
    end(18, "bad_response", YES),
];

const NO: &str = "no";
const YES: &str = "yes";
const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Stage;

    #[test]
    fn an_end_says_of_an_error_whether_it_ran_as_the_error_does() {
        let node = || "n".into();
        let stages = [
            Stage::FindingNode,
            Stage::Connecting,
            Stage::Queued,
            Stage::Expired,
            Stage::Answer,
        ];
        let errors = [
            RpcError::NotStarted,
            RpcError::Overloaded,
            RpcError::Draining,
            RpcError::Encode,
            RpcError::BadRequest,
            RpcError::BadResponse,
            RpcError::ConnectionLost { node: node() },
            RpcError::Panicked {
                function: "f".to_owned(),
                node: node(),
            },
        ];
        let timeouts = stages.map(|stage| RpcError::Timeout { stage });
        for error in errors.into_iter().chain(timeouts) {
            let executed = match error.executed() {
                Executed::No => NO,
                Executed::Yes => YES,
                Executed::Unknown => UNKNOWN,
            };
            assert_eq!(End::of(&error).executed, executed, "{error}");
        }
    }

    #[test]
    fn every_end_stands_at_its_number_and_no_two_are_alike() {
        for (number, end) in ENDS.iter().enumerate() {
            assert_eq!(end.number, number);
            let alike =
                |other: &&End| (other.outcome, other.executed) == (end.outcome, end.executed);
            assert_eq!(ENDS.iter().filter(alike).count(), 1, "{}", end.outcome);
        }
    }

    #[test]
    fn every_status_says_whether_it_ran_as_its_range_does() {
        for byte in 0..=u8::MAX {
            let end = End::of_status(Status::from_byte(byte));
            let ranges = match byte {
                0 => YES,
                1..64 => NO,
                64..128 => YES,
                128.. => UNKNOWN,
            };
            assert_eq!(end.executed, ranges, "{byte}");
        }
    }
}
