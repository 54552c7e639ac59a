//! What a running node holds besides its endpoint, and gives back when it stops or is dropped.

use std::sync::{Mutex, PoisonError};

use tokio::task::AbortHandle;

use crate::discovery::Announcement;

/// Background tasks, and this node's file in the runtime directory.
#[derive(Debug, Default)]
pub(super) struct Resources {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    tasks: Vec<AbortHandle>,
    announcement: Option<Announcement>,
}

impl Resources {
    pub(super) fn new(tasks: Vec<AbortHandle>, announcement: Option<Announcement>) -> Self {
        Self {
            held: Mutex::new(Held {
                tasks,
                announcement,
            }),
        }
    }

    pub(super) fn release(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for task in held.tasks.drain(..) {
            task.abort();
        }
        held.announcement = None;
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        self.release();
    }
}
