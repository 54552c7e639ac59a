//! Where the primary is, while it moves: who says so, and who believes whom.
//!
//! **Views.** A node has one *view*: a region and an epoch. Views are ordered by epoch, those of one
//! epoch by the region's text, and the greatest that a node has heard of is the one it acts on,
//! whoever said it. So all nodes that can hear each other agree as soon as the news has gone round,
//! whichever way it went, and nothing has to be elected. It travels with the hello, with a message to
//! every peer when it changes, and with each refusal.
//!
//! **Authority.** New views are made by *sources* ([`PrimarySource`]) and by hand
//! ([`Node::set_primary_region`](crate::Node::set_primary_region)). A word without an epoch gets the
//! next one: what was said later, by somebody who had heard of the former, counts. A word with an
//! epoch, such as the term of a lease, keeps it, and a stale one loses. A node whose source says
//! otherwise than the greatest view acts on the view all the same. One that refuses writes which it
//! could have taken is the lesser evil beside two that take them; and mostly its source is a second
//! late, and the others were quicker. What a node was configured with has epoch 0: it is its own
//! opinion until anybody says anything, and nobody takes it over.
//!
//! **Vouching.** A node whose source says what its view says *vouches* for it, and tells its peers. A
//! node whose source says otherwise objects: if nobody that it is connected to vouches for the view
//! for [`PATIENCE`], its source's word becomes the next view. So neither a word whose author is gone
//! or was corrected, nor an absurd epoch, holds for ever. Two living sources that disagree do not push
//! the primary back and forth: each word counts once, the greatest stays, and the others are named in
//! the log for as long as that lasts. A node without a source never objects.
//!
//! **Partitions.** Each side acts on what it has heard. The side that the primary left without a word
//! goes on as before, with all that this means: fly-rpc routes and refuses, and the fence is the
//! database's, which can be given [`Node::primary`](crate::Node::primary)'s epoch. When they meet
//! again the greater view counts, within one message. If both sides moved it, the one with more moves
//! wins.
//!
//! **Absurd epochs.** A source may say at most [`LARGEST_SAID`], which leaves as many above it as
//! nobody can use up by saying one word after another; a peer's view of more than [`LARGEST`] is not
//! taken over. After a source said something absurd, words without an epoch and by hand simply count
//! on from there; words with a smaller epoch count once the author of the absurd one is gone or has
//! changed its word, by objection.
//!
//! A member that lies can move the primary: membership is what is authenticated (SECURITY.md).

mod belief;
mod changes;
mod follow;
mod places;
mod pursuit;
mod seat;

use std::{fmt, future::Future, pin::Pin, time::Duration};

use fly_rpc_transport::{NameError, Region};

pub use changes::PrimaryChanges;
pub(crate) use follow::{follow, listen};
pub(crate) use pursuit::{Pursuit, Turns};
pub(crate) use seat::Seat;

/// Where a node sees the primary, and since which move.
///
/// Ordered as views count: by epoch, then by the region's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PrimaryView {
    /// Grows with every move; 0 as long as nothing was said but this node's configuration. Suited as
    /// a fencing token where words have epochs of their own.
    pub epoch: u64,
    /// The primary's region.
    pub region: Region,
}

impl fmt::Display for PrimaryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (epoch {})", self.region, self.epoch)
    }
}

/// What a source says: the primary is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryWord {
    region: Region,
    epoch: Option<u64>,
}

impl PrimaryWord {
    /// The primary is in `region`, as of now.
    pub fn new(region: impl Into<Region>) -> Self {
        Self {
            region: region.into(),
            epoch: None,
        }
    }

    /// The epoch of this word, from 1 to 2⁶²: the term of a lease, the index of an entry in a log. Of
    /// two words the one with the higher epoch counts, whichever was heard first. Either all sources
    /// of a cluster say epochs, or none does: without one a word gets the next.
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }
}

/// Says where the primary is, again and again: a file that is watched, a lease that is polled.
///
/// Given to [`NodeBuilder::primary_source`](crate::NodeBuilder::primary_source). It need not be on
/// every node: the others follow. If it is on several, they should look at the same thing; each may
/// notice a move at its own time, and the first one moves all.
///
/// # Examples
/// ```
/// use std::{future::Future, pin::Pin};
///
/// use fly_rpc::{PrimarySource, PrimaryWord};
/// use tokio::sync::mpsc;
///
/// /// Whatever is sent to it.
/// struct Told(mpsc::Receiver<String>);
///
/// impl PrimarySource for Told {
///     fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<PrimaryWord>> + Send + '_>> {
///         Box::pin(async { Some(PrimaryWord::new(self.0.recv().await?)) })
///     }
/// }
/// ```
pub trait PrimarySource: Send + 'static {
    /// Waits until there is something to say: the first time for what is so now, then for changes. To
    /// repeat what was said changes nothing. `None` if nothing will ever be said again; the last word
    /// stands. A source that cannot tell says nothing and tries again: silence changes nothing either.
    ///
    /// A word that is no region, or has an epoch out of range, is logged and not heeded; a panic ends
    /// the source. At most ten words a second are heard.
    ///
    /// # Cancel safety
    /// It is dropped only when the node stops; a source for one node needs none.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<PrimaryWord>> + Send + '_>>;
}

/// Why a word about the primary is not heeded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrimaryError {
    /// It names no region.
    #[error(transparent)]
    Region(#[from] NameError),
    /// Its epoch is 0, which is that of configurations, or so large that it leaves no room above it.
    #[error("epoch {epoch} is not between 1 and 2^62")]
    Epoch {
        /// The epoch that was given.
        epoch: u64,
    },
    /// The primary was in so many regions during the life of this node that no other is remembered.
    #[error("the primary was in too many regions since this node started")]
    TooManyRegions,
}

/// The highest epoch that a source may say.
pub(crate) const LARGEST_SAID: u64 = 1 << 62;
/// The highest epoch that is heeded.
pub(crate) const LARGEST: u64 = (1 << 63) - 1;
/// How long a view that nobody vouches for holds against a source: longer than a connection takes to
/// come back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
