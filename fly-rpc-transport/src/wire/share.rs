//! The memory that the half-read frames of one connection take together.
//!
//! Nobody waits for it: a frame that finds none is cut, so that no peer can make its own frames
//! wait for each other for ever.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What all half-read frames that come from one peer may hold.
#[derive(Debug)]
pub(crate) struct HalfRead {
    limit: usize,
    held: AtomicUsize,
}

impl HalfRead {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: AtomicUsize::new(0),
        })
    }

    /// The share of one lane, which may hold `free` bytes beside the limit: the beginning of a
    /// frame costs less than to count it.
    pub(crate) fn share(self: &Arc<Self>, free: usize) -> Share {
        Share {
            of: Arc::clone(self),
            free,
            held: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one lane holds of it; given back when the lane ends.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<HalfRead>,
    free: usize,
    held: usize,
}

impl Share {
    /// Makes the share large enough for `size` bytes, if there is so much left.
    pub(crate) fn cover(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.free).saturating_sub(self.held);
        if more == 0 {
            return true;
        }
        let before = self.of.held.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.of.limit {
            self.of.held.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.held += more;
        true
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        if self.held > 0 {
            self.of.held.fetch_sub(self.held, Ordering::Relaxed);
            self.held = 0;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}
