//! Handler permits: how many functions run at one time, for one peer and for the whole node.
//!
//! No queue: a queue would turn overload into latency and then into timeouts whose outcome nobody
//! knows. A permit lives exactly as long as the handler, not as long as the stream or the caller
//! that asked for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A counter that is raised while its permit lives.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// A permit, unless `limit` of them are out.
    pub(crate) fn acquire(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let raised = count.fetch_add(1, Ordering::SeqCst);
        // Made before it is judged: dropping it undoes the raise.
        let permit = Self(Arc::clone(count));
        (raised < limit).then_some(permit)
    }

    /// A permit that nothing limits: it only counts.
    pub(crate) fn count(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_permits_than_the_limit_and_all_come_back() {
        let count = Arc::new(AtomicUsize::new(0));
        let permits: Vec<Permit> = std::iter::from_fn(|| Permit::acquire(&count, 3)).collect();
        assert_eq!(permits.len(), 3);
        drop(permits);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
