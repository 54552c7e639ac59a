//! The calls of one link that await an answer: how many they are, and when the first of them is due.
//!
//! One timer serves all of them. A timer for each would be set and taken back for every call, and
//! nearly none ever rings. It has a task of its own, so that a handler which keeps the connection's
//! task busy makes no deadline late.

use std::{
    future::{Future, pending},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// What all lanes of a link have in common.
#[derive(Debug)]
pub(crate) struct Awaited {
    count: AtomicUsize,
    begun: Instant,
    /// When calls are looked through next: milliseconds from `begun`.
    next_look: AtomicU64,
    is_earlier: Notify,
}

impl Awaited {
    /// No call yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            count: AtomicUsize::new(0),
            begun: now,
            next_look: AtomicU64::new(NEVER),
            is_earlier: Notify::new(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// One more, which is due at `due`. To be called when the call can be found already: a look
    /// that begins meanwhile must not miss it.
    pub(super) fn enter(&self, due: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let look = self.look_for(due);
        if look < self.next_look.load(Ordering::Relaxed)
            && look < self.next_look.fetch_min(look, Ordering::Relaxed)
        {
            self.is_earlier.notify_one();
        }
    }

    /// One less. Its look stays: it costs less than to find the next one.
    pub(super) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Calls `look` whenever a call may be due; it deals with those that are, and says when the
    /// next one is.
    pub(crate) async fn watch(&self, mut look: impl FnMut(Instant) -> Option<Instant>) {
        loop {
            tokio::select! {
                biased;
                () = self.is_earlier.notified() => {}
                () = self.next() => {
                    // Before the look: who enters from here on sets it anew or is seen by it.
                    self.next_look.store(NEVER, Ordering::Relaxed);
                    let now = Instant::now();
                    if let Some(due) = look(now) {
                        // Not one by one, if many are due one after the other.
                        let next = self.look_for(due.max(now + TICK));
                        self.next_look.fetch_min(next, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn next(&self) -> impl Future<Output = ()> {
        let next = match self.next_look.load(Ordering::Relaxed) {
            NEVER => None,
            millis => Some(self.begun + Duration::from_millis(millis)),
        };
        async move {
            match next {
                Some(next) => sleep_until(next).await,
                None => pending().await,
            }
        }
    }

    /// Never before it is due.
    fn look_for(&self, due: Instant) -> u64 {
        let after = due.saturating_duration_since(self.begun);
        u64::try_from(after.as_millis()).map_or(NEVER, |millis| millis.saturating_add(1))
    }
}

const NEVER: u64 = u64::MAX;
/// What tokio's timers tell apart.
const TICK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Ends calls at `dues`; says when each look was, in milliseconds.
    async fn looks(dues: Vec<Duration>, entered: &[Duration]) -> Vec<u128> {
        let begun = Instant::now();
        let awaited = Awaited::new(begun);
        for &due in entered {
            awaited.enter(begun + due);
        }
        let mut looks = Vec::new();
        let watch = awaited.watch(|now| {
            looks.push((now - begun).as_millis());
            dues.iter().map(|&due| begun + due).find(|&due| due > now)
        });
        assert!(tokio::time::timeout(10 * SECOND, watch).await.is_err());
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_looked_through_when_the_first_is_due_and_then_when_the_next_is() {
        let dues = vec![SECOND, 3 * SECOND];
        let looks = looks(dues, &[3 * SECOND, SECOND]).await;
        assert_eq!(looks, [1001, 3001]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_call_nothing_is_looked_through() {
        assert_eq!(looks(Vec::new(), &[]).await, [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_due_within_a_millisecond_share_a_look() {
        let dues: Vec<Duration> = (0..1000).map(|n| SECOND + 10 * n * TICK / 1000).collect();
        let looks = looks(dues.clone(), &dues).await;
        assert!(looks.len() <= 11, "{looks:?}");
    }
}
