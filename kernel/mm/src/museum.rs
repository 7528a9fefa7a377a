//! Historical bugs that tests put back, to show that the checkers find them. A machine without bugs answers `false`
//! to every question ([`Platform::has`]), and nothing of this module is left in its code.
//!
//! The code with a bug stays as near as possible to the right one. What takes more than a condition is here.

use crate::error::MmError;
use crate::platform::Platform;
use crate::sync::{Parker, RwSem};
use crate::vma::WriteSection;

/// Makes the bugs, and the list of them.
macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A bug that can be put back.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// A new VMA is write-locked only after it is in the tree and attached.
    NewVmaLockedAfterStore,
    /// The same, without the assertion that would notice: to see what comes of it.
    NewVmaLockedUnnoticed,
    /// A split changes the old VMA without its write lock.
    SplitWithoutLock,
    /// An unmap detaches a VMA that is not write-locked yet.
    DetachBeforeLock,
    /// What an unmap has gathered stays detached when a later step fails.
    UnwindLeavesDetached,
    /// A munmap that fails for want of memory says that it succeeded.
    ErrnoLost,
    /// Locked pages are counted by the flags of another VMA than the one that goes.
    LockedPagesOfWrongVma,
    /// A stack grows while the mmap lock is held for reading only.
    StackGrowsUnderReadLock,
    /// What was unhooked is freed before the TLBs have forgotten it.
    FreeBeforeFlush,
    /// Tables are freed without regard to the VMA above.
    TablesFreedBeyondNext,
    /// A reader does not look whose VMA it has locked.
    OwnerNotChecked,
    /// A reader does not look whether its VMA is write-locked, after it has taken its reference.
    SequenceNotChecked,
    /// A reader does not look which range its VMA has.
    RangeNotChecked,
    /// The mmap lock is downgraded before the tree is cleared.
    EarlyDowngrade,
    /// mprotect changes a VMA and its pages without the VMA's write lock.
    ProtectWithoutLock,
    /// mremap moves pages out of a VMA that it has not write-locked.
    MoveWithoutLock,
    /// mremap does not look how many VMAs there are (M4).
    MoveBeyondMapCount,
    /// A fork copies the pages of VMAs that are not write-locked.
    ForkWithoutLock,
    /// A fixed mapping takes the old VMAs out and puts the new one in, in two stores.
    FixedLeavesGap,
    /// Pages are unmapped only after the VMA that replaces theirs can be faulted on.
    FixedUnmapsLate,
    /// A huge leaf gives way to small ones while TLBs still know it.
    SplitWithoutFlush,
    /// A huge leaf that is being split is changed as if it were not.
    SplitNotNoticed,
    /// A thread that waits for the program to resolve its fault does not look again after it has lined up.
    UserfaultNotLookedAtAgain,
}

/// The section in which a new VMA is write-locked before it enters the tree.
#[inline]
pub(crate) fn section_of_new_vma<'g, P: Platform>(
    machine: &P,
    section: WriteSection<'g>,
) -> WriteSection<'g> {
    if locks_new_vmas_late(machine) { section.ended() } else { section }
}

/// Whether a new VMA is write-locked only once it is in the tree.
#[inline]
pub(crate) fn locks_new_vmas_late<P: Platform>(machine: &P) -> bool {
    machine.has(Bug::NewVmaLockedAfterStore) || machine.has(Bug::NewVmaLockedUnnoticed)
}

/// With the bug: lets readers in although the caller holds the write lock of `sem`, until the result is dropped.
#[inline]
pub(crate) fn downgraded_if<'s, P: Platform, T, W: Parker>(
    machine: &P,
    bug: Bug,
    sem: &'s RwSem<T, W>,
) -> Option<Downgraded<'s, T, W>> {
    machine.has(bug).then(|| {
        sem.admit_readers();
        Downgraded(sem)
    })
}

/// A write lock as if it had been downgraded.
pub(crate) struct Downgraded<'s, T, W: Parker>(&'s RwSem<T, W>);

impl<T, W: Parker> Drop for Downgraded<'_, T, W> {
    fn drop(&mut self) {
        self.0.exclude_readers();
    }
}

/// The result of a munmap.
#[inline]
pub(crate) fn result_of_munmap<P: Platform>(machine: &P, result: Result<(), MmError>) -> Result<(), MmError> {
    result.or_else(|error| {
        if error == MmError::NoMemory && machine.has(Bug::ErrnoLost) { Ok(()) } else { Err(error) }
    })
}
