//! Locking that a panic elsewhere cannot turn into a second panic.
//!
//! A poisoned mutex means that some thread panicked while it held the guard. All our critical
//! sections leave their data consistent at every step, so the poison carries no news: refusing to
//! continue would only spread one failed call to all others.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    fn panics_while_it_holds<T>(guard: impl FnOnce() -> T) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _guard = guard();
            resume_unwind(Box::new("planned"))
        }));
        assert!(outcome.is_err());
    }

    #[test]
    fn a_panic_while_a_lock_is_held_fails_nobody_else() {
        let mutex = Mutex::new(1);
        panics_while_it_holds(|| lock(&mutex));
        assert!(mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 1);
        let rwlock = RwLock::new(2);
        panics_while_it_holds(|| write(&rwlock));
        assert!(rwlock.is_poisoned());
        assert_eq!(*read(&rwlock), 2);
        *write(&rwlock) = 3;
        assert_eq!(*read(&rwlock), 3);
    }
}
