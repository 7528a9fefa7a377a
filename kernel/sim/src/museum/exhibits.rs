//! What is on show.

use maple::Bug as Tree;
use mm::museum::Bug as Mm;

use crate::machine::Bug;

/// A bug, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    /// The bug.
    pub bug: Bug,
    /// What goes wrong, in a few words.
    pub title: &'static str,
    /// When Linux had it, with the commit or report.
    pub history: &'static str,
}

const fn mm(bug: Mm, title: &'static str, history: &'static str) -> Exhibit {
    Exhibit { bug: Bug::Mm(bug), title, history }
}

const fn tree(bug: Tree, title: &'static str, history: &'static str) -> Exhibit {
    Exhibit { bug: Bug::Tree(bug), title, history }
}

/// All exhibits.
pub const EXHIBITS: &[Exhibit] = &[
    mm(
        Mm::NewVmaLockedAfterStore,
        "new VMA locked after its store",
        "2023-08, ad9f006351c3 as first applied; the remark on the seed",
    ),
    mm(Mm::SplitWithoutLock, "split without the VMA's lock", "2023-07, c137381f71ae and its kin"),
    mm(Mm::DetachBeforeLock, "detached before it is locked", "2023-06, the order that I10 forbids"),
    mm(Mm::UnwindLeavesDetached, "unwinding leaves VMAs detached", "2023-06, 606c812eb1d5"),
    mm(Mm::ErrnoLost, "errno of a failed gather lost", "2023-06, 42a018a796d1; again 2024-09, 013545e1b9bc"),
    mm(Mm::LockedPagesOfWrongVma, "locked pages of the wrong VMA", "2023-08, backport to 6.1"),
    mm(Mm::StackGrowsUnderReadLock, "stack grows under the read lock", "2023-06, CVE-2023-3269 (StackRot)"),
    mm(Mm::FreeBeforeFlush, "frames freed before the flush", "the rule of mmu_gather, I23"),
    mm(Mm::TablesFreedBeyondNext, "tables freed without regard to next", "the ceiling of free_pgtables, I22"),
    mm(
        Mm::OwnerNotChecked,
        "recycled VMA: owner not checked",
        "2025-08, CVE-2025-38554 and SLAB_TYPESAFE_BY_RCU",
    ),
    mm(Mm::RangeNotChecked, "recycled VMA: range not checked", "2024-08, 107d2107779: bounds read too early"),
    mm(
        Mm::SequenceNotChecked,
        "write lock not noticed by a reader",
        "2023-07, 657b5146955e: looked at before it was locked",
    ),
    mm(
        Mm::ForkWithoutLock,
        "fork copies VMAs that are not locked",
        "2023-07, fb49c455323f: memory of the child corrupted",
    ),
    mm(Mm::EarlyDowngrade, "downgraded before the clear", "the order of do_vmi_align_munmap, I11"),
    mm(Mm::ProtectWithoutLock, "mprotect without the VMA's lock", "2023-07, 33313a747e81 and its kin"),
    mm(
        Mm::MoveWithoutLock,
        "mremap without the VMA's lock",
        "2023-07, what fb49c455323f and its series made safe",
    ),
    mm(Mm::MoveBeyondMapCount, "mremap beyond max_map_count", "2026-03, the checks of M4 put right"),
    mm(Mm::FixedLeavesGap, "MAP_FIXED in two stores", "until 6.12, f8d112a4e657"),
    mm(Mm::FixedUnmapsLate, "MAP_FIXED unmaps after the unlock", "2024-11, CVE-2024-53096 and its kin"),
    mm(
        Mm::SplitWithoutFlush,
        "huge leaf split without a flush",
        "2011-01, 71e3aac0724f: the intermittent states that AMD's erratum 383 asks for",
    ),
    mm(
        Mm::SplitNotNoticed,
        "huge leaf changed while it is split",
        "2012-03, CVE-2012-1179, 1a5a9906d4e8: a huge entry unstable under the read lock",
    ),
    mm(
        Mm::UserfaultNotLookedAtAgain,
        "userfault not looked at again",
        "2015-09, 8d2afd96c203: a copy that comes before the wait",
    ),
    tree(Tree::SpanningStoreDuplicate, "spanning store leaves a duplicate", "2024-10, CVE-2024-50200"),
    tree(
        Tree::NodeFreedWithoutGracePeriod,
        "node freed without a grace period",
        "2023-03, tree without RCU mode; StackRot",
    ),
];
