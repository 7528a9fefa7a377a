//! The per-VMA lock: who may change a VMA, and whether it is in the tree.
//!
//! A VMA is write-locked iff its `sequence` equals that of the mmap write section that is open now
//! (Linux: `vm_lock_seq == mm_lock_seq`). There is no unlock: the end of the write section, or its
//! downgrade, ends all write locks at once, because the next section has another sequence.
//!
//! Legal values of `references`:
//!
//! | value | state |
//! | --- | --- |
//! | 0 | detached: not in the tree, or gathered by an unmap and about to leave it |
//! | 1 | attached |
//!
//! Readers without the mmap lock (fault paths under the VMA lock alone) will be the values above 1.

use core::marker::PhantomData;
use core::ops::Deref;

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::vma::Vma;

/// The lock words of a VMA.
#[derive(Default, Debug)]
pub(crate) struct VmaLock {
    /// See the module's table. Changed under the VMA write lock.
    references: AtomicU32,
    /// Sequence of the mmap write section that locked this VMA last. Written under the mmap write lock.
    sequence: AtomicU64,
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
    /// Write-locks the VMA until `section` ends. Takes it once more for free.
    pub fn start_write<'g, 'm>(&'m self, section: WriteSection<'g>) -> Locked<'g, 'm> {
        // Relaxed: the mmap write lock orders all writers; there are no readers without it yet.
        self.lock.sequence.store(section.sequence, Ordering::Relaxed);
        Locked { vma: self, guard: PhantomData }
    }

    /// Whether the VMA is write-locked in `section`.
    pub fn is_write_locked(&self, section: WriteSection<'_>) -> bool {
        self.lock.sequence.load(Ordering::Relaxed) == section.sequence
    }

    /// Whether the VMA is in the tree of its address space (I7).
    pub fn is_attached(&self) -> bool {
        self.lock.references.load(Ordering::Relaxed) != 0
    }
}

impl Locked<'_, '_> {
    /// Marks the VMA as being in the tree. It was detached.
    pub(crate) fn attach(self) {
        debug_assert!(!self.vma.is_attached(), "attach of an attached vma");
        self.vma.lock.references.store(1, Ordering::Release);
    }

    /// Marks the VMA as leaving the tree: no reader gets it any more (I16, I17). It was attached.
    pub(crate) fn detach(self) {
        debug_assert!(self.vma.is_attached(), "detach of a detached vma");
        self.vma.lock.references.store(0, Ordering::Release);
    }
}
