//! Views of the primary, told and heard (PROTOCOL.md, *Views of the primary*).
//!
//! Only the latest view counts, so what could not be told at once is not queued but kept, and
//! replaced by what is newer: a peer that reads nothing costs one view.

use std::sync::{Arc, Mutex, RwLock};

use super::Link;
use crate::{
    control::Control,
    lock::{lock, read, write},
    wire::View,
};

/// What a link knows of both ends' views.
#[derive(Debug)]
pub(super) struct Views {
    theirs: RwLock<View>,
    /// This node's, as long as it has to be told.
    untold: Mutex<Option<View>>,
}

impl Views {
    pub(super) fn new(theirs: View) -> Self {
        Self {
            theirs: RwLock::new(theirs),
            untold: Mutex::default(),
        }
    }

    /// The other end's own, in place of what was said of it.
    pub(super) fn hear_first(&self, theirs: View) {
        *write(&self.theirs) = theirs;
    }
}

impl Link {
    /// Where the other end sees the primary now.
    pub fn view(&self) -> View {
        read(&self.views.theirs).clone()
    }

    /// Looks at the same without a copy. What `look` does must be short: who hears of a change waits
    /// for it.
    pub fn look_at_view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&read(&self.views.theirs))
    }

    /// Tells the peer this node's view, now or with the next look at the link. A build without epochs
    /// is not told: it would skip it.
    pub(crate) fn announce_view(&self, view: &View) {
        if self.hello().view.epoch.is_some() {
            *lock(&self.views.untold) = Some(view.clone());
            self.tell_view();
        }
    }

    /// Tells what is left to tell, if there is room.
    pub(super) fn tell_view(&self) {
        let mut untold = lock(&self.views.untold);
        if let Some(view) = untold.take()
            && !self.control.send_now(&Control::View(view.clone()))
        {
            *untold = Some(view);
        }
    }

    /// Hears the peer's view, unless there were too many of late. True if it is another one.
    pub(super) fn hear_view(self: &Arc<Self>, view: View) -> bool {
        if !self.admits("changes its view of the primary too often") {
            return false;
        }
        let mut theirs = write(&self.views.theirs);
        let is_news = *theirs != view;
        *theirs = view;
        is_news
    }
}
