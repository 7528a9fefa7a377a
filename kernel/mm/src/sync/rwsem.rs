//! The mmap lock: a reader-writer semaphore with downgrade, and the sequence that ends VMA write locks.
//!
//! Legal values of the state word; the flags go with any of the others:
//!
//! | value | meaning |
//! | --- | --- |
//! | 0 | free |
//! | n | n readers, n < 2^29 |
//! | `WRITER` | a writer |
//! | + `QUEUED` | threads stand in line, so new readers get in line as well |
//! | + `HANDOFF` | the first in line has been woken in vain: nobody else gets the lock before it |
//!
//! ```text
//!  read, write ── free ──────────────────────────► holder ── release, downgrade: wakes the first in line
//!       └──────── taken ─► line up ─► park ─► woken: first in line, and free? ─► holder
//!                                       ▲                │ no: HANDOFF
//!                                       └────────────────┘
//! ```
//!
//! Who cannot have the lock stands in line and sleeps ([`Parker`]). A lock that is released is free: a writer on a CPU that
//! runs may take it before the one that was woken comes, which saves switches of tasks. But that happens to the first in
//! line once only. So everybody's turn comes, readers' and writers' alike. Readers that stand in line one after the other
//! go in together.
//!
//! The sequence is odd while a writer holds the lock. It goes up by one when the lock is taken for writing, and
//! again when that ends, by unlock or downgrade. A VMA is write-locked while its own number equals an odd
//! sequence, so one store ends all VMA write locks of the section (munmap-semantics.md 1.2).

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use super::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use super::queue::{Queue, Waiter};
use super::{Rank, SpinLock, UnsafeCell, spin_loop};
use crate::schedule::{Place, Sleep, Wait, Wake};

const WRITER: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const HANDOFF: u32 = 1 << 29;
const READERS: u32 = HANDOFF - 1;

/// How threads sleep that stand in line for a lock.
pub trait Parker {
    /// Sleeps until somebody [unparks](Self::unpark) `place`, but not if `ready`, which is asked when the thread is about
    /// to sleep: an `unpark` after that wakes it, one before may be for nothing. May return earlier. Called in every round
    /// of a wait, counted from 0, with no spin lock held. `Killed` says that a fatal signal has come; only one that is
    /// `Killable` wakes up for it.
    fn park(&self, wait: Wait, sleep: Sleep, place: Place, round: u32, ready: &dyn Fn() -> bool) -> Wake;

    /// Wakes the thread that has parked there, if there is one.
    fn unpark(&self, place: Place);

    /// Another thread may run here; schedule explorers switch. No spin lock is held.
    #[inline]
    fn step(&self) {}
}

/// Does not sleep: for tests, and for locks that nobody fights for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spinning;

impl Parker for Spinning {
    fn park(&self, _: Wait, _: Sleep, _: Place, _: u32, _: &dyn Fn() -> bool) -> Wake {
        spin_loop();
        Wake::Again
    }

    fn unpark(&self, _: Place) {}
}

/// A reader-writer semaphore around `T`. Whoever waits keeps new readers out, so that writers do not starve; so one
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
pub struct RwSem<T, W: Parker = Spinning> {
    /// See the module for the legal values.
    state: AtomicU32,
    /// Written only by the holder of the write lock; read by anybody.
    sequence: AtomicU64,
    /// Who stands in line.
    queue: SpinLock<Queue<Wait>>,
    parker: W,
    /// Read under the read or write lock, written under the write lock.
    value: UnsafeCell<T>,
}

// SAFETY: readers on several CPUs share `&T` (`T: Sync`), and a writer on any CPU has `&mut T` (`T: Send`).
unsafe impl<T: Send + Sync, W: Parker + Sync> Sync for RwSem<T, W> {}

impl<T> RwSem<T> {
    /// A free semaphore around `value` for which nobody sleeps; the sequence is 0.
    pub const fn new(value: T) -> Self {
        RwSem::with_parker(value, Spinning)
    }
}

impl<T, W: Parker> RwSem<T, W> {
    /// A free semaphore around `value`; who waits for it sleeps as `parker` knows. The sequence is 0.
    pub const fn with_parker(value: T, parker: W) -> Self {
        RwSem {
            state: AtomicU32::new(0),
            sequence: AtomicU64::new(0),
            queue: SpinLock::new(Rank::MmapQueue, Queue::new()),
            parker,
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock for reading; sleeps while a writer holds it or others stand in line.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T, W> {
        if let Some(guard) = self.try_read() {
            return guard;
        }
        self.wait_in_line(Wait::ReadLockMmap, Sleep::Uninterruptible);
        ReadGuard { sem: self }
    }

    /// Takes the lock for reading if no writer holds it and nobody stands in line.
    #[inline]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T, W>> {
        self.parker.step();
        let mut state = self.state.load(Ordering::Relaxed);
        while state & (WRITER | QUEUED) == 0 {
            debug_assert!(state < READERS, "2^29 readers of one lock");
            match self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(ReadGuard { sem: self }),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Takes the lock for writing; sleeps until all other holders are gone.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T, W> {
        if !self.take_free() {
            self.wait_in_line(Wait::WriteLockMmap, Sleep::Uninterruptible);
        }
        self.begin_write()
    }

    /// As [`write`](Self::write), unless a fatal signal comes first: `None` then, and nobody waits because of it.
    #[inline]
    pub fn write_killable(&self) -> Option<WriteGuard<'_, T, W>> {
        let is_taken = self.take_free() || self.wait_in_line(Wait::WriteLockMmap, Sleep::Killable);
        is_taken.then(|| self.begin_write())
    }

    /// Takes the lock for writing if nobody holds it, and the first in line does not insist on being the next.
    #[inline]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T, W>> {
        self.take_free().then(|| self.begin_write())
    }

    #[inline]
    fn take_free(&self) -> bool {
        self.parker.step();
        let mut state = self.state.load(Ordering::Relaxed);
        while state & !QUEUED == 0 {
            let taken = state | WRITER;
            match self.state.compare_exchange_weak(state, taken, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Stands in line until the lock is taken; false if a fatal signal has come first.
    #[cold]
    fn wait_in_line(&self, wait: Wait, sleep: Sleep) -> bool {
        let waiter = Waiter::new(wait);
        // Leaves the line in any case, as the waiter ends here.
        let turn = Turn { sem: self, waiter: &waiter };
        self.parker.step();
        turn.line_up();
        for round in 0.. {
            self.parker.step();
            if turn.take() {
                return true;
            }
            let woken = self.parker.park(wait, sleep, waiter.place(), round, &|| turn.has_come());
            if woken == Wake::Killed && sleep == Sleep::Killable {
                break;
            }
        }
        false
    }

    /// Wakes the first in line if what it waits for `may` be had.
    #[cold]
    fn wake_first(&self, may: impl FnOnce(Wait) -> bool) {
        self.parker.step();
        let place = self.queue.lock().wake_first(|wait| may(*wait));
        // It may be awake and gone by now; nobody else parks for this lock at its place.
        if let Some(place) = place {
            self.parker.unpark(place);
        }
    }

    /// The write lock was just taken.
    #[inline]
    fn begin_write(&self) -> WriteGuard<'_, T, W> {
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
        self.state.load(Ordering::Relaxed) & (WRITER | READERS) != 0
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
    pub(crate) fn value_under_read_lock(&self, _guard: &ReadGuard<'_, T, W>) -> &mut T {
        // SAFETY: none. Other readers may look at the value; the simulation runs one thread at a time, and switches
        // only in functions that this one's caller does not see through.
        unsafe { &mut *self.value.get() }
    }

    /// The value, without locking: `&mut self` proves that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// A thread's wait for a lock.
struct Turn<'a, T, W: Parker> {
    sem: &'a RwSem<T, W>,
    waiter: &'a Waiter<Wait>,
}

impl<T, W: Parker> Turn<'_, T, W> {
    /// Whether the holders keep the waiter from having the lock.
    fn is_blocked(&self, state: u32) -> bool {
        let holders = if self.waiter.what == Wait::ReadLockMmap { WRITER } else { WRITER | READERS };
        state & holders != 0
    }

    /// Gets in line.
    fn line_up(&self) {
        let mut queue = self.sem.queue.lock();
        // SAFETY: the waiter is borrowed, and dropping this takes it out of the queue.
        unsafe { queue.push(self.waiter) };
        // From now on whoever releases the lock looks at the queue.
        self.sem.state.fetch_or(QUEUED, Ordering::Relaxed);
    }

    /// Whether the waiter should look: it has been woken, and will not be again before it has looked, or it has its turn.
    fn has_come(&self) -> bool {
        let queue = self.sem.queue.lock();
        let is_free = || !self.is_blocked(self.sem.state.load(Ordering::Relaxed));
        queue.is_woken(self.waiter) || (queue.is_first(self.waiter) && is_free())
    }

    /// Takes the lock and leaves the line, if it is its turn and the lock is free.
    fn take(&self) -> bool {
        let mut queue = self.sem.queue.lock();
        if !queue.is_first(self.waiter) {
            return false;
        }
        let holder = if self.waiter.what == Wait::ReadLockMmap { 1 } else { WRITER };
        let others = if queue.is_empty_but(self.waiter) { 0 } else { QUEUED };
        let take = |state| (!self.is_blocked(state)).then_some((state & READERS) + holder + others);
        if self.sem.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_err() {
            if queue.take_woken(self.waiter) {
                // Whoever releases the lock meanwhile has yet to look at the queue.
                self.sem.state.fetch_or(HANDOFF, Ordering::Relaxed);
            }
            return false;
        }
        queue.remove(self.waiter);
        drop(queue);
        if self.waiter.what == Wait::ReadLockMmap && others != 0 {
            self.sem.wake_first(|wait| wait == Wait::ReadLockMmap);
        }
        true
    }
}

impl<T, W: Parker> Drop for Turn<'_, T, W> {
    /// Leaves the line if the lock was not taken: what was said to the waiter goes to the one behind it.
    fn drop(&mut self) {
        let mut queue = self.sem.queue.lock();
        let was_first = queue.is_first(self.waiter);
        if !queue.remove(self.waiter) {
            return;
        }
        let mut over = 0;
        if was_first {
            over |= HANDOFF;
        }
        if queue.is_empty_but(self.waiter) {
            over |= QUEUED;
        }
        self.sem.state.fetch_and(!over, Ordering::Relaxed);
        drop(queue);
        if was_first {
            self.sem.wake_first(|_| true);
        }
    }
}

impl<T, W: Parker> fmt::Debug for RwSem<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.load(Ordering::Relaxed);
        match state & (WRITER | READERS) {
            0 => write!(f, "RwSem(free"),
            WRITER => write!(f, "RwSem(write"),
            readers => write!(f, "RwSem({readers} readers"),
        }?;
        let waiting = if state & QUEUED != 0 { ", others wait" } else { "" };
        write!(f, "{waiting}, sequence {})", self.sequence())
    }
}

/// The lock is held for reading; dropping it is the unlock.
#[must_use = "dropping the guard unlocks"]
pub struct ReadGuard<'a, T, W: Parker = Spinning> {
    sem: &'a RwSem<T, W>,
}

impl<'a, T, W: Parker> ReadGuard<'a, T, W> {
    /// The semaphore that it holds.
    #[inline]
    pub fn sem(&self) -> &'a RwSem<T, W> {
        self.sem
    }
}

impl<T, W: Parker> Deref for ReadGuard<'_, T, W> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the read lock is held, so nobody has `&mut T`, and the result borrows this guard.
        unsafe { &*self.sem.value.get() }
    }
}

impl<T, W: Parker> Drop for ReadGuard<'_, T, W> {
    #[inline]
    fn drop(&mut self) {
        self.sem.parker.step();
        let before = self.sem.state.fetch_sub(1, Ordering::Release);
        if before & QUEUED != 0 && before & READERS == 1 {
            self.sem.wake_first(|_| true);
        }
    }
}

/// The lock is held for writing; dropping it is the unlock and ends all VMA write locks.
#[must_use = "dropping the guard unlocks"]
pub struct WriteGuard<'a, T, W: Parker = Spinning> {
    sem: &'a RwSem<T, W>,
    /// Makes the guard `Send` and `Sync` only where `&mut T` is.
    value: PhantomData<&'a mut T>,
}

impl<'a, T, W: Parker> WriteGuard<'a, T, W> {
    /// The number of this write section, always odd. A VMA that stores it is write-locked until the section ends.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.sem.sequence.load(Ordering::Relaxed)
    }

    /// Ends the write section (and all VMA write locks) and goes on holding the lock for reading. There is no
    /// moment at which another writer could get in between; two holders of a downgraded lock thus exclude each
    /// other (I24).
    #[inline]
    pub fn downgrade(self) -> ReadGuard<'a, T, W> {
        let sem = ManuallyDrop::new(self).sem;
        sem.end_write();
        sem.parker.step();
        // From WRITER to one reader in one step; the flags stay as they are.
        if sem.state.fetch_sub(WRITER - 1, Ordering::Release) & QUEUED != 0 {
            sem.wake_first(|wait| wait == Wait::ReadLockMmap);
        }
        ReadGuard { sem }
    }

    /// The semaphore that it holds.
    #[inline]
    pub fn sem(&self) -> &'a RwSem<T, W> {
        self.sem
    }
}

impl<T, W: Parker> Deref for WriteGuard<'_, T, W> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the write lock is held, so no other guard exists, and the result borrows this one.
        unsafe { &*self.sem.value.get() }
    }
}

impl<T, W: Parker> DerefMut for WriteGuard<'_, T, W> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes the borrow unique.
        unsafe { &mut *self.sem.value.get() }
    }
}

impl<T, W: Parker> Drop for WriteGuard<'_, T, W> {
    #[inline]
    fn drop(&mut self) {
        self.sem.end_write();
        self.sem.parker.step();
        if self.sem.state.fetch_and(!WRITER, Ordering::Release) & QUEUED != 0 {
            self.sem.wake_first(|_| true);
        }
    }
}
