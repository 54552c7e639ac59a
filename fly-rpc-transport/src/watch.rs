//! A value whose changes can be awaited.
//!
//! As tokio's `watch`, but those who wait are woken in the order in which they began to: tokio's
//! spreads them over several lists by chance, and a simulation could not be repeated.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use crate::lock::lock;

/// The writing end. When it is dropped, those who wait are told.
pub struct Sender<T>(Arc<Shared<T>>);

/// A reading end.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// The writing end is gone: no change will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    value: T,
    version: u64,
    gone: bool,
}

impl<T> Sender<T> {
    /// A value that nobody waits for yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                value,
                version: 0,
                gone: false,
            }),
            changed: Notify::new(),
        }))
    }

    /// A reading end that waits for changes from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            seen: lock(&self.0.state).version,
            shared: Arc::clone(&self.0),
        }
    }

    /// The value now.
    pub fn now(&self) -> T
    where
        T: Clone,
    {
        lock(&self.0.state).value.clone()
    }

    /// Changes the value and wakes everybody who waits.
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes the value, and wakes those who wait if `change` says that it did. Returns what it
    /// says.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let changed = {
            let mut state = lock(&self.0.state);
            let changed = change(&mut state.value);
            state.version += u64::from(changed);
            changed
        };
        if changed {
            self.0.changed.notify_waiters();
        }
        changed
    }
}

impl<T> Receiver<T> {
    /// The value now.
    pub fn now(&self) -> T
    where
        T: Clone,
    {
        lock(&self.shared.state).value.clone()
    }

    /// Waits for a change since the last one that was awaited here.
    ///
    /// # Cancel safety
    /// A change that was not returned is returned by the next call.
    ///
    /// # Errors
    /// [`Gone`] if no change can come any more.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        loop {
            // Counts wake-ups from here on, before the state is looked at.
            let changed = self.shared.changed.notified();
            {
                let state = lock(&self.shared.state);
                if state.version != self.seen {
                    self.seen = state.version;
                    return Ok(());
                }
                if state.gone {
                    return Err(Gone);
                }
            }
            changed.await;
        }
    }

    /// Waits until the value fulfils a condition, which it may do already.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping it.
    ///
    /// # Errors
    /// [`Gone`] if it does not and no change can come any more.
    pub async fn wait_for(&mut self, mut condition: impl FnMut(&T) -> bool) -> Result<(), Gone> {
        loop {
            {
                let state = lock(&self.shared.state);
                self.seen = state.version;
                if condition(&state.value) {
                    return Ok(());
                }
            }
            self.changed().await?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        lock(&self.0.state).gone = true;
        self.0.changed.notify_waiters();
    }
}

impl<T: fmt::Debug + Clone> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.now()).finish()
    }
}

impl<T: fmt::Debug + Clone> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_the_order_in_which_they_came() {
        let sender = Sender::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let mut receiver = sender.subscribe();
                let woken = Arc::clone(&woken);
                tokio::spawn(async move {
                    receiver.changed().await.expect("the sender lives");
                    lock(&woken).push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        sender.send_modify(|value| *value += 1);
        for task in waiting {
            task.await.expect("no panic");
        }
        assert_eq!(*lock(&woken), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_change_between_two_looks_is_not_missed() {
        let sender = Sender::new(1);
        let mut receiver = sender.subscribe();
        sender.send_modify(|value| *value = 2);
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(receiver.now(), 2);
        assert_eq!(receiver.wait_for(|value| *value == 2).await, Ok(()));
    }

    #[tokio::test]
    async fn when_the_sender_goes_those_who_wait_are_told() {
        let sender = Sender::new(1);
        let mut receiver = sender.subscribe();
        let waiting = tokio::spawn(async move { receiver.wait_for(|value| *value == 2).await });
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(waiting.await.expect("no panic"), Err(Gone));
    }
}
