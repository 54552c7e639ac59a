//! What the layer above does with requests. The transport knows frames and peers; functions are
//! this trait's side.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    ptr,
    sync::{Arc, LazyLock},
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    link::Link,
    name::{NodeId, Region},
    wire::{Request, ResponseFrame, View},
};

/// Serves the requests of all peers.
pub trait Service: Send + Sync + 'static {
    /// Looks at one request. Called on the task that reads the lane: it must not block, and what is
    /// to take time goes into the returned future.
    fn serve(&self, link: &Arc<Link>, request: Request) -> Served;

    /// Learns that a handler kept the task that reads the lane, which polls it first, for [`KEPT`] or longer. By
    /// default nobody cares.
    fn kept(&self, _function: &str, _version: u32, _held: Duration) {}

    /// Hears what a peer tells of the cluster. Called on the task that reads the connection: it must
    /// not block. By default nobody listens.
    fn gossip(&self, _link: &Arc<Link>, _message: Bytes) {}

    /// What is said of a node that is about to be dialled. By default, nothing.
    fn said_of(&self, _node: &NodeId) -> Option<Hearsay> {
        None
    }
}

/// What is said of a node before it is met. If it is wrong, two round trips are lost and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearsay {
    /// The life that all of this is said of, if the node is known to close a connection at once on which it
    /// is taken for another: then calls need not wait for its hello.
    pub incarnation: Option<u64>,
    /// Where it runs.
    pub region: Region,
    /// Its view, as far as that is said: without an epoch.
    pub view: View,
    /// The digest of the catalogue that it is said to serve: one of this node's own need not be told
    /// to it.
    pub catalogue: [u8; 16],
}

/// How a request is served.
pub enum Served {
    /// Answered already.
    Answer(ResponseFrame),
    /// Answered when this future completes. It must not panic: a panic is the layer above's to
    /// catch.
    Handler {
        /// The running function.
        future: Pin<Box<dyn Future<Output = ResponseFrame> + Send>>,
        /// True if it is dropped when the caller gives up.
        cancellable: bool,
    },
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(frame) => f.debug_tuple("Answer").field(frame).finish(),
            Self::Handler { cancellable, .. } => f
                .debug_struct("Handler")
                .field("cancellable", cancellable)
                .finish_non_exhaustive(),
        }
    }
}

/// From here on a poll of a handler is worth a word: ten thousand times what it should take.
pub const KEPT: Duration = Duration::from_secs(1);

/// Wakes nobody: who does not complete at the first poll is polled again by a task of its own. It is known by
/// its place, since one `Waker::noop` need not be equal to another.
static FIRST_POLL: LazyLock<Waker> = LazyLock::new(|| Waker::noop().clone());

/// What a handler is polled with by the task that reads the lane.
pub(crate) fn first_poll() -> Context<'static> {
    Context::from_waker(&FIRST_POLL)
}

/// True while a handler is polled by the task that reads the lane, which looks at the time itself
/// ([`Service::kept`]).
pub fn is_first_poll(cx: &Context<'_>) -> bool {
    ptr::eq(cx.waker(), &*FIRST_POLL)
}
