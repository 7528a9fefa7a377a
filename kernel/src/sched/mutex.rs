//! A mutex that sleeps, for what is held while user memory is touched or something is waited for.

use core::ops::{Deref, DerefMut};

use super::{Sleep, WaitQueue};

/// Mutual exclusion; who cannot have it sleeps. Not for interrupt handlers, nor under a spin lock.
pub(crate) struct Mutex<T> {
    value: spin::Mutex<T>,
    waiters: WaitQueue,
}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    pub(crate) const fn new(value: T) -> Self {
        Mutex { value: spin::Mutex::new(value), waiters: WaitQueue::new() }
    }

    /// Takes it; sleeps while another task has it, whatever signals come.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        loop {
            if let Some(value) = self.value.try_lock() {
                return Guard { mutex: self, value: Some(value) };
            }
            // Without a deadline and uninterruptible, the wait ends in one way only.
            let _ready = self.waiters.wait(Sleep::Uninterruptible, None, || !self.value.is_locked());
        }
    }
}

/// The mutex is held; dropping it is the unlock.
pub(crate) struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only while it is dropped.
    value: Option<spin::MutexGuard<'a, T>>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("held until it is dropped")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("held until it is dropped")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.mutex.waiters.wake_one();
    }
}
