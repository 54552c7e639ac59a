//! Waiting for the primary to move.

use fly_rpc_transport::watch;

use super::{PrimaryView, seat::News};

/// Tells when a node's view of the primary changes:
/// [`Node::primary_changes`](crate::Node::primary_changes).
#[derive(Debug)]
pub struct PrimaryChanges {
    news: watch::Receiver<News>,
}

impl PrimaryChanges {
    pub(super) fn new(news: watch::Receiver<News>) -> Self {
        Self { news }
    }

    /// Waits until the view changed since the last one that was awaited here, at first since this was
    /// made; returns what it is now. Of several changes between two looks only the last is seen.
    /// `None` once the node is shut down.
    ///
    /// # Cancel safety
    /// A change that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<PrimaryView> {
        if !self.news.now().ended {
            self.news.changed().await.ok()?;
        }
        let news = self.news.now();
        (!news.ended).then_some(news.view)
    }
}
