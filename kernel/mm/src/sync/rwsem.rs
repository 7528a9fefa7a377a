//! The mmap lock: a reader-writer semaphore with downgrade, and the sequence that ends VMA write locks.
//!
//! Legal values of the state word:
//!
//! | value | meaning |
//! | --- | --- |
//! | 0 | free |
//! | n | n readers, n < 2^30 |
//! | `WAITING` + n | n readers (or none any more); a writer waits, so new readers stay out |
//! | `WRITER` | a writer |
//! | `WRITER` + `WAITING` | a writer, and another one waits |
//!
//! The sequence is odd while a writer holds the lock. It goes up by one when the lock is taken for writing, and
//! again when that ends, by unlock or downgrade. A VMA is write-locked while its own number equals an odd
//! sequence, so one store ends all VMA write locks of the section (munmap-semantics.md 1.2).
//!
//! Who waits calls back in every round: in the kernel that lets other tasks run, so nobody spins while the holder does not run.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{ControlFlow, Deref, DerefMut};

use super::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use super::{UnsafeCell, spin_loop};

const WRITER: u32 = 1 << 31;
const WAITING: u32 = 1 << 30;

/// A reader-writer semaphore around `T`. A waiting writer keeps new readers out, so that writers do not starve; so one
/// who holds the lock must not take it again, not even for reading.
///
/// The end of the write section is the end of the right to write:
///
/// ```compile_fail,E0382
/// let sem = mm::sync::RwSem::new(0);
/// let mut writer = sem.write();
/// let reader = writer.downgrade();
/// *writer = 1;
/// ```
pub struct RwSem<T> {
    /// See the module for the legal values.
    state: AtomicU32,
    /// Written only by the holder of the write lock; read by anybody.
    sequence: AtomicU64,
    /// Read under the read or write lock, written under the write lock.
    value: UnsafeCell<T>,
}

// SAFETY: readers on several CPUs share `&T` (`T: Sync`), and a writer on any CPU has `&mut T` (`T: Send`).
unsafe impl<T: Send + Sync> Sync for RwSem<T> {}

impl<T> RwSem<T> {
    /// A free semaphore around `value`; the sequence is 0.
    pub const fn new(value: T) -> Self {
        RwSem { state: AtomicU32::new(0), sequence: AtomicU64::new(0), value: UnsafeCell::new(value) }
    }

    /// Takes the lock for reading; waits while a writer holds it or waits for it.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T> {
        self.read_waiting(|_| spin_loop())
    }

    /// As [`read`](Self::read); `wait` is called in every round of the wait, with its number from 0.
    #[inline]
    pub fn read_waiting(&self, mut wait: impl FnMut(u32)) -> ReadGuard<'_, T> {
        let mut round = 0;
        loop {
            if let Some(guard) = self.try_read() {
                return guard;
            }
            wait(round);
            round += 1;
        }
    }

    /// Takes the lock for reading if no writer holds it or waits for it.
    #[inline]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        let mut state = self.state.load(Ordering::Relaxed);
        while state < WAITING {
            debug_assert!(state < WAITING - 1, "2^30 readers of one lock");
            match self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(ReadGuard { sem: self }),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Takes the lock for writing; waits until all other holders are gone.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        self.write_waiting(|_| spin_loop())
    }

    /// As [`write`](Self::write); `wait` is called in every round of the wait, with its number from 0.
    #[inline]
    pub fn write_waiting(&self, mut wait: impl FnMut(u32)) -> WriteGuard<'_, T> {
        loop {
            let patient = |round| {
                wait(round);
                ControlFlow::Continue(())
            };
            if let Some(guard) = self.write_while(patient) {
                return guard;
            }
        }
    }

    /// As [`write_waiting`](Self::write_waiting), where `wait` may give up: `None` then, and nobody waits because of it.
    #[inline]
    pub fn write_while(&self, wait: impl FnMut(u32) -> ControlFlow<()>) -> Option<WriteGuard<'_, T>> {
        self.try_write().or_else(|| self.write_contended(wait))
    }

    /// Takes the lock for writing if nobody holds it and no writer waits for it.
    #[inline]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        match self.state.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(self.begin_write()),
            Err(_) => None,
        }
    }

    #[cold]
    fn write_contended(&self, mut wait: impl FnMut(u32) -> ControlFlow<()>) -> Option<WriteGuard<'_, T>> {
        let mut round = 0;
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & !WAITING == 0 {
                // Taking the lock clears `WAITING`; other waiting writers set it again in their next round.
                if self
                    .state
                    .compare_exchange_weak(state, WRITER, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
                {
                    return Some(self.begin_write());
                }
            } else if state & WAITING == 0 {
                self.state.fetch_or(WAITING, Ordering::Relaxed);
            }
            if wait(round).is_break() {
                // It let readers wait; other waiting writers say so again in their next round.
                self.state.fetch_and(!WAITING, Ordering::Relaxed);
                return None;
            }
            round += 1;
        }
    }

    /// The write lock was just taken.
    #[inline]
    fn begin_write(&self) -> WriteGuard<'_, T> {
        let sequence = self.sequence.load(Ordering::Relaxed);
        debug_assert!(sequence.is_multiple_of(2), "the sequence is odd before the write section");
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        // Whoever sees a store of the write section sees the odd sequence as well.
        fence(Ordering::Release);
        WriteGuard { sem: self, value: PhantomData }
    }

    /// Ends the write section and with it all VMA write locks. Called by the holder of the write lock.
    #[inline]
    fn end_write(&self) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        // Release: whoever sees the even number sees all that was written under the VMA write locks.
        self.sequence.store(sequence + 1, Ordering::Release);
    }

    /// The sequence: odd while a writer holds the lock. `Acquire`, so that one who reads an even number after
    /// the end of a write section sees all of that section.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Whether somebody holds the lock for writing now; for assertions.
    #[inline]
    pub fn is_write_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) & WRITER != 0
    }

    /// Whether somebody holds the lock, for reading or writing, now; for assertions.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) & !WAITING != 0
    }

    /// Lets readers in although a write guard exists, and ends all VMA write locks. For the museum of bugs: wrong, and
    /// unsound where the holder of the guard writes meanwhile.
    pub(crate) fn admit_readers(&self) {
        self.end_write();
        self.state.fetch_sub(WRITER - 1, Ordering::Release);
    }

    /// Takes [`admit_readers`](Self::admit_readers) back. Readers that are in stay in.
    pub(crate) fn exclude_readers(&self) {
        self.state.fetch_add(WRITER - 1, Ordering::Acquire);
        self.sequence.store(self.sequence() + 1, Ordering::Relaxed);
    }

    /// The value, to be written by somebody who holds the read lock only. For the museum of bugs: wrong and unsound.
    #[expect(clippy::mut_from_ref, reason = "that is the bug")]
    pub(crate) fn value_under_read_lock(&self, _guard: &ReadGuard<'_, T>) -> &mut T {
        // SAFETY: none. Other readers may look at the value; the simulation runs one thread at a time, and switches
        // only in functions that this one's caller does not see through.
        unsafe { &mut *self.value.get() }
    }

    /// The value, without locking: `&mut self` proves that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> fmt::Debug for RwSem<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load(Ordering::Relaxed);
        match state & !WAITING {
            0 => write!(f, "RwSem(free"),
            WRITER => write!(f, "RwSem(write"),
            readers => write!(f, "RwSem({readers} readers"),
        }?;
        let waiting = if state & WAITING != 0 { ", a writer waits" } else { "" };
        write!(f, "{waiting}, sequence {})", self.sequence())
    }
}

/// The lock is held for reading; dropping it is the unlock.
#[must_use = "dropping the guard unlocks"]
pub struct ReadGuard<'a, T> {
    sem: &'a RwSem<T>,
}

impl<'a, T> ReadGuard<'a, T> {
    /// The semaphore that it holds.
    #[inline]
    pub fn sem(&self) -> &'a RwSem<T> {
        self.sem
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the read lock is held, so nobody has `&mut T`, and the result borrows this guard.
        unsafe { &*self.sem.value.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.sem.state.fetch_sub(1, Ordering::Release);
    }
}

/// The lock is held for writing; dropping it is the unlock and ends all VMA write locks.
#[must_use = "dropping the guard unlocks"]
pub struct WriteGuard<'a, T> {
    sem: &'a RwSem<T>,
    /// Makes the guard `Send` and `Sync` only where `&mut T` is.
    value: PhantomData<&'a mut T>,
}

impl<'a, T> WriteGuard<'a, T> {
    /// The number of this write section, always odd. A VMA that stores it is write-locked until the section ends.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.sem.sequence.load(Ordering::Relaxed)
    }

    /// Ends the write section (and all VMA write locks) and goes on holding the lock for reading. There is no
    /// moment at which another writer could get in between; two holders of a downgraded lock thus exclude each
    /// other (I24).
    #[inline]
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let sem = ManuallyDrop::new(self).sem;
        sem.end_write();
        // From WRITER to one reader in one step; `WAITING` stays as it is.
        sem.state.fetch_sub(WRITER - 1, Ordering::Release);
        ReadGuard { sem }
    }

    /// The semaphore that it holds.
    #[inline]
    pub fn sem(&self) -> &'a RwSem<T> {
        self.sem
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the write lock is held, so no other guard exists, and the result borrows this one.
        unsafe { &*self.sem.value.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes the borrow unique.
        unsafe { &mut *self.sem.value.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.sem.end_write();
        self.sem.state.fetch_and(!WRITER, Ordering::Release);
    }
}
