//! What a running node holds besides its endpoint, and gives back when it stops or is dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::{AbortHandle, JoinHandle};

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
    /// Ends this task with the node.
    pub(super) fn hold_task(&self, task: JoinHandle<()>) {
        self.lock().tasks.push(task.abort_handle());
    }

    /// Removes this file with the node.
    pub(super) fn hold_announcement(&self, announcement: Announcement) {
        self.lock().announcement = Some(announcement);
    }

    pub(super) fn release(&self) {
        let mut held = self.lock();
        for task in held.tasks.drain(..) {
            task.abort();
        }
        held.announcement = None;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        self.release();
    }
}
