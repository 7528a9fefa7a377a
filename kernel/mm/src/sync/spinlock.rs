//! A test-and-test-and-set spin lock.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::atomic::{AtomicBool, Ordering};
use super::{Rank, UnsafeCell, spin_loop};

/// Mutual exclusion by spinning, for sections of a bounded number of instructions.
pub struct SpinLock<T> {
    /// Legal values: `false` free, `true` held.
    locked: AtomicBool,
    /// Its place in the lock order; never changes.
    rank: Rank,
    /// Guarded by `locked`.
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out `&mut T` to one holder at a time, on whichever CPU that is, so it needs `T: Send` only.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value`, of the given place in the lock order.
    pub const fn new(rank: Rank, value: T) -> Self {
        SpinLock { locked: AtomicBool::new(false), rank, value: UnsafeCell::new(value) }
    }

    /// Takes the lock; spins while another holds it. The caller holds no lock of this rank or inside of it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        if self.locked.swap(true, Ordering::Acquire) {
            self.contended();
        }
        SpinGuard { lock: self, value: PhantomData }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        if self.locked.swap(true, Ordering::Acquire) {
            None
        } else {
            Some(SpinGuard { lock: self, value: PhantomData })
        }
    }

    /// Its place in the lock order.
    pub const fn rank(&self) -> Rank {
        self.rank
    }

    /// The value, without locking: `&mut self` proves that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[cold]
    fn contended(&self) {
        loop {
            // Spin on a plain load, so that the line stays shared until the holder writes it.
            while self.locked.load(Ordering::Relaxed) {
                spin_loop();
            }
            if !self.locked.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.locked.load(Ordering::Relaxed) { "held" } else { "free" };
        write!(f, "SpinLock({:?}, {state})", self.rank)
    }
}

/// Proof that the lock is held; dropping it is the unlock.
#[must_use = "dropping the guard unlocks"]
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
    /// Makes the guard `Send` and `Sync` only where `&mut T` is.
    value: PhantomData<&'a mut T>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, so no other guard exists, and the result borrows this one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes the borrow unique.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.locked.store(false, Ordering::Release);
    }
}
