//! What a madvise asks for: the number becomes a type here, once.

use abi::mman::*;

use crate::vma::{Access, VmaFlags};

/// What a madvise asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Advice {
    /// Other properties for the VMAs.
    Mark(Mark),
    /// The pages are not needed any more.
    Discard(Discard),
    /// All pages shall be present, for reading or for writing.
    Populate(Access),
    /// Guards on all pages.
    InstallGuards,
    /// The guards go.
    RemoveGuards,
    /// The object behind shall lose the pages; a [call of its own](super::AddressSpace::remove).
    Punch,
    /// The pages may be reclaimed. Nobody does: there is nowhere to put them.
    Reclaim,
    /// The pages will be needed. Anonymous memory is never far away.
    Need,
}

/// New properties of a VMA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    /// Those that go.
    clear: VmaFlags,
    /// Those that come.
    set: VmaFlags,
}

impl Mark {
    /// What becomes of `flags`.
    pub(super) fn apply(self, flags: VmaFlags) -> VmaFlags {
        (flags - self.clear) | self.set
    }

    /// Whether the child of a fork will miss something.
    pub(super) fn takes_from_children(self) -> bool {
        self.set.intersects(VmaFlags::DONTFORK.union(VmaFlags::WIPEONFORK))
    }

    /// Whether a VMA must be private anonymous memory for it.
    pub(super) fn is_for_private_memory(self) -> bool {
        self.set.contains(VmaFlags::WIPEONFORK)
    }
}

/// How pages are discarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Discard {
    /// At once, unless they are locked.
    Now,
    /// At once, locked or not.
    LockedToo,
    /// When memory is short; for private anonymous memory only. Here that is at once.
    Lazily,
}

impl Advice {
    /// The advice with this number (`MADV_`; an `int`), if there is one. What is advised to be huge is so from
    /// the next fault on; nobody collapses pages to huge ones.
    pub(super) fn decode(number: u64) -> Option<Self> {
        const NONE: VmaFlags = VmaFlags::empty();
        let mark = |clear: VmaFlags, set: VmaFlags| Advice::Mark(Mark { clear, set });
        Some(match u64::from(number as u32) {
            MADV_NORMAL => mark(VmaFlags::RANDOM | VmaFlags::SEQUENTIAL, NONE),
            MADV_RANDOM => mark(VmaFlags::SEQUENTIAL, VmaFlags::RANDOM),
            MADV_SEQUENTIAL => mark(VmaFlags::RANDOM, VmaFlags::SEQUENTIAL),
            MADV_DONTFORK => mark(NONE, VmaFlags::DONTFORK),
            MADV_DOFORK => mark(VmaFlags::DONTFORK, NONE),
            MADV_WIPEONFORK => mark(NONE, VmaFlags::WIPEONFORK),
            MADV_KEEPONFORK => mark(VmaFlags::WIPEONFORK, NONE),
            MADV_DONTDUMP => mark(NONE, VmaFlags::DONTDUMP),
            MADV_DODUMP => mark(VmaFlags::DONTDUMP, NONE),
            MADV_HUGEPAGE => mark(VmaFlags::NOHUGEPAGE, VmaFlags::HUGEPAGE),
            MADV_NOHUGEPAGE => mark(VmaFlags::HUGEPAGE, VmaFlags::NOHUGEPAGE),
            MADV_MERGEABLE => mark(NONE, VmaFlags::MERGEABLE),
            MADV_UNMERGEABLE => mark(VmaFlags::MERGEABLE, NONE),
            MADV_DONTNEED => Advice::Discard(Discard::Now),
            MADV_DONTNEED_LOCKED => Advice::Discard(Discard::LockedToo),
            MADV_FREE => Advice::Discard(Discard::Lazily),
            MADV_POPULATE_READ => Advice::Populate(Access::Read),
            MADV_POPULATE_WRITE => Advice::Populate(Access::Write),
            MADV_GUARD_INSTALL => Advice::InstallGuards,
            MADV_GUARD_REMOVE => Advice::RemoveGuards,
            MADV_COLD | MADV_PAGEOUT => Advice::Reclaim,
            MADV_WILLNEED => Advice::Need,
            _ => return None,
        })
    }

    /// Whether contents are lost by it, so that a sealed VMA may refuse.
    pub(super) fn discards(self) -> bool {
        match self {
            Advice::Discard(_) | Advice::InstallGuards | Advice::Punch => true,
            Advice::Mark(mark) => mark.takes_from_children(),
            Advice::Populate(_) | Advice::RemoveGuards | Advice::Reclaim | Advice::Need => false,
        }
    }
}
