//! The links that calls take, as they stood at one moment.
//!
//! What the layer above concludes from them is kept beside them and dropped with them. It needs no
//! number that says which links it was made from, it cannot be found by anybody who has newer ones,
//! and it keeps no link that has ended.

use std::{
    any::Any,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use crate::{link::Link, name::NodeId};

/// The link to each connected node, ordered by node id. Replaced as a whole, after the fact,
/// whenever a link comes, goes, drains, retires, or falls under suspicion or from it, and whenever
/// a catalogue changes.
#[derive(Debug, Default)]
pub struct Links {
    all: Box<[Arc<Link>]>,
    conclusion: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Links {
    /// The link to one node.
    pub fn get(&self, node: &NodeId) -> Option<&Arc<Link>> {
        let place = self.all.binary_search_by(|link| link.node().cmp(node));
        self.all.get(place.ok()?)
    }

    /// What was concluded from these links, which is what `conclude` returns the first time.
    ///
    /// What it says of a link may be older than the link itself, which goes on changing; but a
    /// change that is announced ([`Endpoint::changes`](crate::Endpoint::changes)) was preceded by
    /// newer links, about which nothing is concluded yet.
    ///
    /// # Panics
    /// If another type of conclusion is kept already: there is one layer above.
    pub fn conclusion<T: Send + Sync + 'static>(&self, conclude: impl FnOnce() -> T) -> &T {
        self.conclusion
            .get_or_init(|| Box::new(conclude()))
            .downcast_ref()
            .expect("one layer is above, and concludes one thing")
    }
}

impl Deref for Links {
    type Target = [Arc<Link>];

    fn deref(&self) -> &[Arc<Link>] {
        &self.all
    }
}

impl FromIterator<Arc<Link>> for Links {
    fn from_iter<I: IntoIterator<Item = Arc<Link>>>(links: I) -> Self {
        Self {
            all: links.into_iter().collect(),
            conclusion: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_concluded_from_once_and_newer_ones_anew() {
        let links = Links::default();
        assert_eq!(*links.conclusion(|| 1), 1);
        assert_eq!(*links.conclusion(|| 2), 1);
        assert_eq!(*Links::default().conclusion(|| 3), 3);
    }
}
