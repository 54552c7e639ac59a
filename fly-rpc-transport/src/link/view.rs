//! What is known of a link, for whoever chooses one or shows it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use quinn::ConnectionError;

use super::Link;
use crate::{
    close::CloseCode,
    lock::read,
    name::{NodeId, Region},
    wire::Catalogue,
};

impl Link {
    /// Who is at the other end.
    pub fn node(&self) -> &NodeId {
        &self.hello.node
    }

    /// Where the other end runs.
    pub fn region(&self) -> &Region {
        &self.hello.region
    }

    /// The address that the other end's packets come from.
    pub fn address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// What the other end serves now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&read(&self.catalogue))
    }

    /// True if this node dialled.
    pub fn is_dialled(&self) -> bool {
        self.dialled
    }

    /// The round-trip time, smoothed by QUIC.
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip.load(Ordering::Relaxed))
    }

    /// Calls of this node that await an answer.
    pub fn in_flight(&self) -> usize {
        self.lanes.awaited().count()
    }

    /// Requests that were ever queued on this link.
    pub fn requests_sent(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Grows with each request that either end makes.
    pub fn activity(&self) -> u64 {
        self.requests_sent() + self.accepted.load(Ordering::Relaxed)
    }

    /// The count of handlers that run for the node at the other end, over whichever link; the layer
    /// above raises and lowers it.
    pub fn serving(&self) -> &Arc<AtomicUsize> {
        &self.serving
    }

    /// What the layer above keeps beside this link, which is what `make` returns the first time.
    ///
    /// # Panics
    /// If another type of thing is kept already: there is one layer above.
    pub fn attachment<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        self.attachment
            .get_or_init(|| Box::new(make()))
            .downcast_ref()
            .expect("one layer is above, and attaches one thing")
    }

    /// True if the other end takes no new calls.
    pub fn is_draining(&self) -> bool {
        self.peer_is_draining.load(Ordering::Relaxed)
    }

    /// True if nothing was heard for so long that another node is the better choice.
    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    /// True if new calls belong on another link.
    pub fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Acquire)
    }

    /// True once the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.progress.now().closed
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        self.until(|progress| progress.closed).await;
    }

    /// Why the other end closed the connection, if it did and said so.
    pub fn close_code(&self) -> Option<CloseCode> {
        CloseCode::of(&self.connection.close_reason()?)
    }

    /// True if the connection ended and neither end meant it to.
    pub fn is_lost(&self) -> bool {
        match self.connection.close_reason() {
            Some(ConnectionError::TimedOut | ConnectionError::Reset) => true,
            // This end gave up waiting.
            Some(ConnectionError::LocallyClosed) => self.is_suspect(),
            _ => false,
        }
    }
}
