//! The per-VMA lock: who may change a VMA, who reads it, and whether it is in the tree.
//!
//! A VMA is write-locked iff its `sequence` equals that of the mmap write section that is open now
//! (Linux: `vm_lock_seq == mm_lock_seq`). There is no unlock: the end of the write section, or its
//! downgrade, ends all write locks at once, because the next section has another sequence.
//!
//! A reader needs no mmap lock: it finds the VMA in the tree under RCU, takes a reference, and only then looks
//! whether the VMA is what it was looking for, because it may have been taken out, recycled or write-locked meanwhile.
//!
//! All legal values of `references`:
//!
//! | value | state |
//! | --- | --- |
//! | 0 | detached: not in the tree, or gathered by an unmap and about to leave it |
//! | 1 | attached; write-locked or not, as the sequence says |
//! | 1 + r | attached, r readers; while it is write-locked, the r are about to notice and leave |
//! | `EXCLUDE` + 1 + r | attached; a writer waits for r readers to leave, and nobody may join them |
//! | `EXCLUDE` + r | being detached; the detacher waits for r readers that are about to leave |
//!
//! ```text
//!              start_write              end of the write section
//!   1 + r ───► EXCLUDE + 1 + r ───► 1 (sequence = section) ───► 1 (stale sequence)
//!                 readers leave      │ detach
//!                                    └─► EXCLUDE + r ───► 0 ───► attach: 1
//! ```
//!
//! Orderings. A reader takes its reference by an acquiring exchange. Whoever clears `EXCLUDE` or attaches releases, so that
//! a reader who comes after a `start_write` or an `attach` sees the sequence stored before, and finds the VMA locked for as
//! long as that section is open. That the section is over it learns by acquiring the sequence of the mmap lock, which the
//! end of the section releases: then it sees all that the section wrote. A reader who leaves releases, and the writer who
//! waited for it acquires.

use core::marker::PhantomData;
use core::ops::Deref;

use crate::error::MmError;
use crate::event::Event;
use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::{Point, Wait, Wake};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::vma::{Owner, Vma};

/// Keeps new readers out.
const EXCLUDE: u32 = 1 << 30;

/// The lock words of a VMA.
#[derive(Default, Debug)]
pub(crate) struct VmaLock {
    /// See the module's table. Changed by readers, and by the holder of the mmap write lock.
    references: AtomicU32,
    /// Sequence of the mmap write section that locked this VMA last. Written under the mmap write lock of the owner.
    sequence: AtomicU64,
}

impl VmaLock {
    /// Takes a reader's reference.
    fn try_reference(&self) -> Result<(), NotLocked> {
        let join = |references| (references != 0 && references < EXCLUDE).then_some(references + 1);
        match self.references.fetch_update(Ordering::Acquire, Ordering::Relaxed, join) {
            Ok(_) => Ok(()),
            Err(0) => Err(NotLocked::Detached),
            Err(_) => Err(NotLocked::Busy),
        }
    }

    /// Gives a reader's reference back. The VMA may be anybody's afterwards.
    fn put(&self) {
        self.references.fetch_sub(1, Ordering::Release);
    }

    /// Waits until only `alone` is left, the value without readers. Nobody joins meanwhile.
    #[cold]
    fn wait_for_readers<P: Platform>(&self, machine: &P, alone: u32) -> Result<(), MmError> {
        machine.count(Event::VmaLockWait);
        let mut round = 0;
        while self.references.load(Ordering::Acquire) != alone {
            if machine.wait(Wait::VmaReaders, round) == Wake::Killed {
                return Err(MmError::Interrupted);
            }
            round += 1;
        }
        Ok(())
    }
}

/// Witness of an open mmap write section: what it takes to write-lock a VMA. Ends with the write guard.
#[derive(Clone, Copy)]
pub struct WriteSection<'g> {
    sequence: u64,
    guard: PhantomData<&'g ()>,
}

impl WriteSection<'_> {
    /// The section with this sequence; only the owner of the mmap write guard calls this.
    pub(crate) fn new(sequence: u64) -> Self {
        WriteSection { sequence, guard: PhantomData }
    }

    /// A section that is over. For the museum.
    pub(crate) fn ended(self) -> Self {
        WriteSection { sequence: self.sequence - 1, ..self }
    }
}

/// A VMA that is write-locked until the end of the write section: the only thing that can be stored in
/// the tree (I12), detached (I10), or changed.
#[derive(Clone, Copy)]
pub struct Locked<'g, 'm> {
    vma: &'m Vma,
    guard: PhantomData<&'g ()>,
}

impl<'m> Locked<'_, 'm> {
    /// The VMA for as long as its machine lives.
    pub fn vma(self) -> &'m Vma {
        self.vma
    }
}

impl Deref for Locked<'_, '_> {
    type Target = Vma;
    fn deref(&self) -> &Vma {
        self.vma
    }
}

impl Vma {
    /// Lets an explorer of schedules in, at a `point` in the life of this VMA.
    #[inline(always)]
    pub(crate) fn pause<P: Platform>(&self, machine: &P, point: impl FnOnce(PageRange) -> Point) {
        // Atomic loads of the range are not left out by themselves.
        if P::PAUSES {
            machine.pause(point(self.range()));
        }
    }

    /// Write-locks the VMA, which is attached, until `section` ends; waits for its readers. Once more is free.
    pub(crate) fn start_write<'g, 'm, P: Platform>(
        &'m self,
        section: WriteSection<'g>,
        machine: &P,
    ) -> Locked<'g, 'm> {
        loop {
            // A fatal signal does not end this wait.
            if let Ok(locked) = self.start_write_killable(section, machine) {
                return locked;
            }
        }
    }

    /// As [`start_write`](Self::start_write), unless a fatal signal comes first.
    ///
    /// # Errors
    /// [`MmError::Interrupted`] (E15): the VMA is as before.
    pub(crate) fn start_write_killable<'g, 'm, P: Platform>(
        &'m self,
        section: WriteSection<'g>,
        machine: &P,
    ) -> Result<Locked<'g, 'm>, MmError> {
        if self.is_write_locked(section) {
            return Ok(self.locked());
        }
        self.pause(machine, Point::WriteLockVma);
        let references = &self.lock.references;
        let alone = references.compare_exchange(1, EXCLUDE + 1, Ordering::Acquire, Ordering::Relaxed);
        if alone.is_err() {
            debug_assert!(self.is_attached(), "start_write of a detached vma");
            references.fetch_or(EXCLUDE, Ordering::Relaxed);
            if let Err(killed) = self.lock.wait_for_readers(machine, EXCLUDE + 1) {
                references.fetch_and(!EXCLUDE, Ordering::Release);
                return Err(killed);
            }
        }
        self.lock.sequence.store(section.sequence, Ordering::Relaxed);
        references.store(1, Ordering::Release);
        self.pause(machine, Point::ChangeVma);
        Ok(self.locked())
    }

    /// Write-locks a VMA that is detached, so that nobody reads it, until `section` ends. It belongs to `owner` then.
    pub(crate) fn start_write_detached<'g, 'm>(
        &'m self,
        section: WriteSection<'g>,
        owner: Owner,
    ) -> Locked<'g, 'm> {
        debug_assert!(!self.is_attached(), "an attached vma has another owner");
        self.owner.store(owner.0, Ordering::Relaxed);
        self.lock.sequence.store(section.sequence, Ordering::Relaxed);
        self.locked()
    }

    /// The VMA, which is write-locked in `section` already.
    pub(crate) fn still_locked<'g, 'm>(&'m self, section: WriteSection<'g>) -> Locked<'g, 'm> {
        assert!(self.is_write_locked(section), "{self:?} is not write-locked");
        self.locked()
    }

    fn locked<'g, 'm>(&'m self) -> Locked<'g, 'm> {
        Locked { vma: self, guard: PhantomData }
    }

    /// The VMA, as if it were locked. For the museum.
    pub(crate) fn pretend_locked<'g, 'm>(&'m self) -> Locked<'g, 'm> {
        self.locked()
    }

    /// Detaches the VMA and locks it only then, so that readers are not waited for. For the museum.
    pub(crate) fn detach_before_lock<'g, 'm, P: Platform>(
        &'m self,
        section: WriteSection<'g>,
        machine: &P,
    ) -> Locked<'g, 'm> {
        self.pause(machine, Point::DetachVma);
        self.lock.references.fetch_sub(1, Ordering::Release);
        self.lock.sequence.store(section.sequence, Ordering::Relaxed);
        self.locked()
    }

    /// Whether the VMA is write-locked in `section`.
    pub fn is_write_locked(&self, section: WriteSection<'_>) -> bool {
        self.lock.sequence.load(Ordering::Relaxed) == section.sequence
    }

    /// Whether the VMA is in the tree of its address space (I7).
    pub fn is_attached(&self) -> bool {
        self.lock.references.load(Ordering::Relaxed) & !EXCLUDE != 0
    }
}

impl Locked<'_, '_> {
    /// Marks the VMA as being in the tree, for readers to find. It was detached.
    pub(crate) fn attach(self) {
        debug_assert!(!self.vma.is_attached(), "attach of an attached vma");
        self.vma.lock.references.store(1, Ordering::Release);
    }

    /// Marks the VMA as leaving the tree: no reader gets it any more (I16, I17). It was attached. Readers that are
    /// about to find out that it is write-locked are waited for.
    pub(crate) fn detach<P: Platform>(self, machine: &P) {
        self.pause(machine, Point::DetachVma);
        let lock = &self.vma.lock;
        if lock.references.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return;
        }
        debug_assert!(self.vma.is_attached(), "detach of a detached vma");
        // In one step: the tree's reference goes, and new readers stay out.
        lock.references.fetch_add(EXCLUDE - 1, Ordering::Relaxed);
        // A fatal signal does not end this wait: the readers are on their way out.
        while lock.wait_for_readers(machine, EXCLUDE).is_err() {}
        lock.references.store(0, Ordering::Release);
    }
}

/// Why a VMA could not be locked for reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotLocked {
    /// It has left the tree, or is another address space's by now. To be looked up again.
    Detached,
    /// It is write-locked, or about to be. Only the mmap lock helps.
    Busy,
    /// There is none, or what was locked has another range by now.
    Elsewhere,
}

/// A VMA that is locked for reading: nobody changes it, detaches it or takes page tables away below it.
/// Dropping it is the unlock. It may outlive the RCU read section in which it was found.
#[must_use = "dropping the guard unlocks"]
pub(crate) struct ReadLocked<'m> {
    vma: &'m Vma,
}

impl Deref for ReadLocked<'_> {
    type Target = Vma;
    fn deref(&self) -> &Vma {
        self.vma
    }
}

impl Drop for ReadLocked<'_> {
    fn drop(&mut self) {
        self.vma.lock.put();
    }
}

impl Vma {
    /// Locks the VMA for reading if it is attached to `owner` and not write-locked; never waits. `sequence` reads the
    /// sequence of the owner's mmap lock (acquiring). The caller found it at `page` under RCU or holds the mmap lock, and
    /// still has to look whether the range is right.
    pub(crate) fn start_read<'m, P: Platform>(
        &'m self,
        owner: Owner,
        sequence: impl Fn() -> u64,
        machine: &P,
        page: Page,
    ) -> Result<ReadLocked<'m>, NotLocked> {
        let write_locked = || self.lock.sequence.load(Ordering::Relaxed) == sequence();
        // Only a guess, which spares a write-locked VMA's cache line.
        if write_locked() {
            return Err(NotLocked::Busy);
        }
        machine.pause(Point::ReferenceVma(page));
        self.lock.try_reference()?;
        let reader = ReadLocked { vma: self };
        machine.pause(Point::ValidateVma(page));
        if self.owner.load(Ordering::Relaxed) != owner.0 && !machine.has(Bug::OwnerNotChecked) {
            return Err(NotLocked::Detached);
        }
        if write_locked() && !machine.has(Bug::SequenceNotChecked) {
            return Err(NotLocked::Busy);
        }
        Ok(reader)
    }
}
