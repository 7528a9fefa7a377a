//! The steps of munmap as they happen, for the demo, for tests and for people.

use core::fmt;

use crate::range::PageRange;

/// One step of the munmap sequence, reported by [`Platform::trace`](crate::Platform::trace) when it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// munmap of this range begins.
    Begin(PageRange),
    /// The first VMA was split at the start of the range; the new object covers this range.
    SplitStart(PageRange),
    /// The last VMA was split at the end of the range; the new object covers this range.
    SplitEnd(PageRange),
    /// A VMA was write-locked, gathered and detached.
    Gather(PageRange),
    /// mremap moved the page-table entries of this range to another place.
    Relocate {
        /// Where they were.
        from: PageRange,
        /// First byte of where they are.
        to: u64,
        /// How many there were, but for those in whole tables.
        pages: u64,
        /// Whole tables that moved.
        tables: u64,
    },
    /// The iterator went back to the start from leaf to leaf of the tree.
    WalkBack {
        /// How many leaves it went back; 0 inside of one.
        leaves: u64,
    },
    /// The iterator was reset; the clear walks from the root again.
    Reset,
    /// The tree entries of the range were cleared: the point of no return.
    Clear {
        /// VMAs that went.
        vmas: u64,
        /// Pages of address space that went.
        pages: u64,
    },
    /// The mmap lock was downgraded from write to read; all VMA write locks ended.
    Downgrade,
    /// The neighbours were read: floor (end of the previous VMA) and ceiling (start of the next one), in bytes.
    Neighbours {
        /// End of the previous VMA or 0.
        floor: u64,
        /// Start of the next VMA or the end of the user half.
        ceiling: u64,
    },
    /// The page-table entries of the range were cleared.
    Unmap {
        /// Pages that were mapped.
        pages: u64,
    },
    /// The page tables that only the range used were unhooked.
    FreeTables {
        /// Tables unhooked.
        tables: u64,
    },
    /// The TLBs were flushed.
    Flush {
        /// Pages flushed one by one; 0 stands for a full flush.
        pages: u64,
    },
    /// Frames and tables went back to the frame allocator, VMA objects to their pool.
    Free {
        /// Frames of data.
        pages: u64,
        /// Frames of page tables.
        tables: u64,
        /// VMA objects.
        vmas: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Begin(range) => write!(f, "munmap      {range}, {} pages", range.pages()),
            Step::SplitStart(range) => write!(f, "split       start; the new vma is {range}"),
            Step::SplitEnd(range) => write!(f, "split       end; the new vma is {range}"),
            Step::Gather(range) => write!(f, "gather      {range}: lock, detach"),
            Step::Relocate { from, to, pages, tables } => {
                write!(f, "relocate    {from} to {to:#x}: {pages} entries, {tables} whole page tables")
            }
            Step::WalkBack { leaves: 0 } => write!(f, "walk back   to the start, inside the leaf"),
            Step::WalkBack { leaves } => write!(f, "walk back   to the start, {leaves} leaves before"),
            Step::Reset => write!(f, "walk back   by a reset to the root"),
            Step::Clear { vmas, pages } => {
                write!(f, "clear       {vmas} vmas, {pages} pages: the point of no return")
            }
            Step::Downgrade => write!(f, "downgrade   mmap lock from write to read"),
            Step::Neighbours { floor, ceiling } => {
                write!(f, "neighbours  floor {floor:#x}, ceiling {ceiling:#x}")
            }
            Step::Unmap { pages } => write!(f, "unmap       {pages} pages were present"),
            Step::FreeTables { tables } => write!(f, "unhook      {tables} page tables"),
            Step::Flush { pages: 0 } => write!(f, "flush       the whole TLB"),
            Step::Flush { pages } => write!(f, "flush       {pages} pages"),
            Step::Free { pages, tables, vmas } => {
                write!(f, "free        {pages} frames, {tables} page tables, {vmas} vmas")
            }
        }
    }
}
