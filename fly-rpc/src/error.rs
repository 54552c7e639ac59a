//! Why a call failed, and whether the function ran.
//!
//! Every failure answers one question before all others: may it have run? [`RpcError::executed`] is
//! exact: `No` is only said when the function certainly did not start, `Yes` only when it certainly
//! did, and everything else is `Unknown`.

use std::{error::Error, fmt};

use fly_rpc_transport::{DialError, NodeId, Region};

use crate::target::Target;

/// Whether the function of a failed call ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Executed {
    /// It certainly did not start. Calling again cannot make it run twice.
    No,
    /// It certainly started.
    Yes,
    /// Nobody can tell from here: the request may have arrived.
    Unknown,
}

/// What a call waited for when its deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// For a node of the target that can serve it.
    FindingNode,
    /// For a connection to be made.
    Connecting,
    /// For room before the network: the request had not left this process.
    Queued,
    /// The request had arrived too late and was refused unread.
    Expired,
    /// For the answer: the request may have left.
    Answer,
}

/// Why a call gave no value.
///
/// # Delivery
/// [`executed`](Self::executed) tells whether the function ran. Where it is [`Executed::No`], the
/// library has already tried the other nodes that could have served the call, within the deadline,
/// and at most `Limits::attempts` of them.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// No node is started in this process, or it is shut down. Start one, or name one with
    /// [`Call::via`](crate::Call::via). Did not run.
    #[error(
        "no fly-rpc node is running in this process: call Node::from_env()?.start().await first"
    )]
    NotStarted,
    /// The target is not a selector or a region. Correct the text. Did not run.
    #[error(
        "`{text}` is not a target: write a region such as `hkg`, or @primary, @region(hkg), @node(id), @nearest, @elsewhere, @any, or several of these with commas between"
    )]
    BadTarget {
        /// The text that was given.
        text: String,
    },
    /// No node of the target is known. Check the region, or wait for one with
    /// [`Call::wait_ready`](crate::Call::wait_ready). Did not run.
    #[error("no node of {target} is known; known regions: {}", List(known_regions))]
    NoNode {
        /// The target of the call.
        target: Target,
        /// Every region that a connected node, or this one, runs in.
        known_regions: Vec<Region>,
    },
    /// Nodes are there, and none offers this version of the function: the roll-out has not reached
    /// them, or is past it. Keep serving older versions while callers of them live, or name one
    /// with [`Call::or_older`](crate::Call::or_older). Did not run; nothing was sent, but to a node that had
    /// not said hello yet.
    #[error(
        "{function}@{version} is not offered by {target} (nodes checked: {nodes_checked}); offered: {}",
        Versions(function, offered)
    )]
    FunctionUnavailable {
        /// The function's name.
        function: String,
        /// The version that was asked for.
        version: u32,
        /// The target of the call.
        target: Target,
        /// The versions that the nodes of the target do offer, ascending.
        offered: Vec<u32>,
        /// How many nodes were looked at.
        nodes_checked: usize,
    },
    /// Same name and version, other argument or return types: somebody changed the function without
    /// raising its version. Raise it, and keep the old one while it is called. Did not run.
    #[error(
        "{function}@{version} means something else on {node}: here it is {ours}, there {theirs}; a changed function needs a new version"
    )]
    ContractMismatch {
        /// The function's name.
        function: String,
        /// The version that both sides have.
        version: u32,
        /// The node whose contract differs.
        node: NodeId,
        /// The contract of this build.
        ours: String,
        /// The contract of the other build.
        theirs: String,
    },
    /// The function is pinned elsewhere, or the call was meant for the primary: the peer's view of that
    /// differs from ours, and the call followed neither further. Compare `PRIMARY_REGION` on both. Did
    /// not run.
    #[error(
        "{function}@{version} is not served by {node}: it belongs to {pinned}, and that node, in {region}, sees the primary in {primary}"
    )]
    WrongRegion {
        /// The function's name.
        function: String,
        /// The version that was asked for.
        version: u32,
        /// The node that refused.
        node: NodeId,
        /// What the function is pinned to, or the call was meant for, in the selector spelling.
        pinned: String,
        /// Where the node that refused runs.
        region: Region,
        /// Where that node sees the primary.
        primary: Region,
        /// The epoch of that view; 0 if that is its configuration, or if it knows no epochs.
        epoch: u64,
    },
    /// A node of the target is known, but could not be connected. Try again later, or wait with
    /// [`Call::wait_ready`](crate::Call::wait_ready). Did not run.
    #[error("cannot reach {node}: {source}")]
    Unreachable {
        /// The node that was dialled.
        node: NodeId,
        /// Why the last dial failed.
        source: DialError,
    },
    /// Every node that could serve it runs as many handlers as it may. Try again after a while. Did
    /// not run.
    #[error("overloaded: every handler permit is taken")]
    Overloaded,
    /// The only nodes that could serve it are about to stop. Did not run.
    #[error("draining: the node is about to stop and takes no new calls")]
    Draining,
    /// The encoded arguments are over the limit. Split them, or raise `Limits::message_size`
    /// everywhere. Did not run, nothing was sent.
    #[error("the arguments take {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the encoded arguments.
        size: usize,
        /// The limit, the smaller of both sides'.
        limit: usize,
    },
    /// An argument's `Serialize` failed, or wrote something else than its contract says. Did not
    /// run, nothing was sent.
    #[error("the arguments could not be encoded: their Serialize failed")]
    Encode,
    /// The peer could not decode the arguments although the contracts agree: a value that its
    /// `Deserialize` refuses, or one over a bound. Did not run.
    #[error("the peer could not decode the arguments")]
    BadRequest,
    /// The deadline passed. Did not run, until the request may have left; unknown after that.
    #[error("the deadline passed {}", Waiting(*stage))]
    Timeout {
        /// What was waited for.
        stage: Stage,
    },
    /// The connection was lost after the request may have left. Unknown whether it ran: mark the
    /// function `idempotent` if running it twice is harmless, and it is retried.
    #[error("the connection to {node} was lost before the answer came")]
    ConnectionLost {
        /// The node that was asked.
        node: NodeId,
    },
    /// The function panicked. Its message stays in the log of the node that ran it. Ran, partly.
    #[error("{function} panicked on {node}")]
    Panicked {
        /// The function's name.
        function: String,
        /// The node that ran it.
        node: NodeId,
    },
    /// The function ran, but its value could not be encoded or decoded, or is over the limit. Ran.
    #[error("the function ran, but its answer could not be encoded or decoded, or is too large")]
    BadResponse,
}

impl RpcError {
    /// Whether the function ran. Never wrong: what cannot be known is `Unknown`.
    pub fn executed(&self) -> Executed {
        match self {
            Self::NotStarted
            | Self::BadTarget { .. }
            | Self::NoNode { .. }
            | Self::FunctionUnavailable { .. }
            | Self::ContractMismatch { .. }
            | Self::WrongRegion { .. }
            | Self::Unreachable { .. }
            | Self::Overloaded
            | Self::Draining
            | Self::TooLarge { .. }
            | Self::Encode
            | Self::BadRequest => Executed::No,
            Self::Timeout {
                stage: Stage::Answer,
            }
            | Self::ConnectionLost { .. } => Executed::Unknown,
            Self::Timeout { .. } => Executed::No,
            Self::Panicked { .. } | Self::BadResponse => Executed::Yes,
        }
    }
}

/// A failed call of a function that returns a `Result`, in one type: what
/// [`Call::flatten`](crate::Call::flatten) gives.
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The function ran and returned this error.
    App(E),
    /// The call itself failed.
    Rpc(RpcError),
}

impl<E> CallError<E> {
    /// Whether the function ran: it did, if it is its own error that came back.
    pub fn executed(&self) -> Executed {
        match self {
            Self::App(_) => Executed::Yes,
            Self::Rpc(error) => error.executed(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => error.fmt(f),
            Self::Rpc(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::App(error) => error.source(),
            Self::Rpc(error) => error.source(),
        }
    }
}

impl<E> From<RpcError> for CallError<E> {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Versions<'a>(&'a str, &'a [u32]);

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self
            .1
            .iter()
            .map(|version| format!("{}@{version}", self.0))
            .collect();
        List(&versions).fmt(f)
    }
}

struct Waiting(Stage);

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::FindingNode => {
                "while waiting for a node that can serve the call; the function did not run"
            }
            Stage::Connecting => "while connecting; the function did not run",
            Stage::Queued => "while the request was queued; the function did not run",
            Stage::Expired => "before the request was looked at; the function did not run",
            Stage::Answer => "while waiting for the answer; whether the function ran is unknown",
        })
    }
}
