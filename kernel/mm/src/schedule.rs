//! Where threads meet: named points at which another thread may run, and what a thread waits for.
//!
//! The kernel does nothing at a [`Point`]: there, the hardware interleaves. A schedule explorer switches threads
//! there and nowhere else, so there is a point before every step that another thread can see or spoil. No point
//! lies under a spin lock: what happens under one is a single step to all others.

use core::fmt;

use crate::range::{Page, PageRange};

/// A point at which another thread may run; see [`Platform::pause`](crate::Platform::pause). Each is named after what
/// comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// The mmap lock will be taken for reading.
    ReadLockMmap,
    /// The mmap lock will be taken for writing.
    WriteLockMmap,
    /// A page fault will look for its VMA, without a lock.
    FindVma(Page),
    /// The VMA was found; a reference to it will be taken.
    ReferenceVma(Page),
    /// The reference was taken; owner, sequence and range will be looked at.
    ValidateVma(Page),
    /// The VMA is locked for reading (or the mmap lock is held); the page-table entry will be looked at.
    LookAtEntry(Page),
    /// A frame is ready; it will be installed if the entry is still absent.
    Install(Page),
    /// A node or a frame is ready; the shared object will have it if it has none at this offset (pages) yet.
    FillObject(u64),
    /// The entry will be given more rights, or another frame.
    Replace(Page),
    /// The VMA over this range will be write-locked.
    WriteLockVma(PageRange),
    /// The VMA is write-locked; its fields will be changed.
    ChangeVma(PageRange),
    /// The tree will have a VMA over this range.
    StoreVma(PageRange),
    /// The tree has it; the VMA will be marked as attached.
    AttachVma(PageRange),
    /// The VMA will be marked as detached.
    DetachVma(PageRange),
    /// The entries of this range will be cleared in the tree.
    ClearTree(PageRange),
    /// The mmap lock will be downgraded, which ends all VMA write locks.
    Downgrade,
    /// The neighbours of this range will be read.
    ReadNeighbours(PageRange),
    /// Page-table entries of this range will be changed.
    ChangeEntries(PageRange),
    /// Tables that lead to this page are missing; they will be made.
    MakeTables(Page),
    /// TLBs have forgotten the huge leaf over this page; small ones will take its place.
    SplitLeaf(Page),
    /// A thread will line up for a page that the program itself resolves.
    AwaitUserfault(Page),
    /// Page tables that only this range used will be unhooked.
    FreeTables(PageRange),
    /// Translations will be flushed; what was unhooked is still allocated.
    Flush,
    /// The flush is over; what was unhooked will be freed.
    FreeFrames,
    /// VMA objects will go back to their pool.
    FreeVmas,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Point::ReadLockMmap => f.write_str("mmap lock, read"),
            Point::WriteLockMmap => f.write_str("mmap lock, write"),
            Point::FindVma(page) => write!(f, "find vma at {page:?}"),
            Point::ReferenceVma(page) => write!(f, "take reference at {page:?}"),
            Point::ValidateVma(page) => write!(f, "validate vma at {page:?}"),
            Point::LookAtEntry(page) => write!(f, "look at pte of {page:?}"),
            Point::Install(page) => write!(f, "install {page:?}"),
            Point::FillObject(offset) => write!(f, "fill object at {offset:#x}"),
            Point::Replace(page) => write!(f, "replace pte of {page:?}"),
            Point::WriteLockVma(range) => write!(f, "write-lock {range}"),
            Point::ChangeVma(range) => write!(f, "change vma {range}"),
            Point::StoreVma(range) => write!(f, "store {range}"),
            Point::AttachVma(range) => write!(f, "attach {range}"),
            Point::DetachVma(range) => write!(f, "detach {range}"),
            Point::ClearTree(range) => write!(f, "clear {range}"),
            Point::Downgrade => f.write_str("downgrade"),
            Point::ReadNeighbours(range) => write!(f, "read neighbours of {range}"),
            Point::MakeTables(page) => write!(f, "make tables for {page:?}"),
            Point::SplitLeaf(page) => write!(f, "split leaf over {page:?}"),
            Point::AwaitUserfault(page) => write!(f, "line up for {page:?}"),
            Point::FreeTables(range) => write!(f, "free tables of {range}"),
            Point::ChangeEntries(range) => write!(f, "change ptes of {range}"),
            Point::Flush => f.write_str("flush"),
            Point::FreeFrames => f.write_str("free frames"),
            Point::FreeVmas => f.write_str("free vmas"),
        }
    }
}

/// What a thread waits for; see [`Platform::wait`](crate::Platform::wait).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// The mmap lock, for reading.
    ReadLockMmap,
    /// The mmap lock, for writing.
    WriteLockMmap,
    /// The readers of a VMA that is to be write-locked or detached.
    VmaReaders,
    /// The lock of a file's object.
    LockObject,
    /// The split of a huge leaf, by another thread.
    SplitLeaf,
    /// A page that the program itself resolves.
    Userfault,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wait::ReadLockMmap => "wait for the mmap lock, read",
            Wait::WriteLockMmap => "wait for the mmap lock, write",
            Wait::VmaReaders => "wait for readers of the vma",
            Wait::SplitLeaf => "wait for the split of a huge leaf",
            Wait::Userfault => "wait for the program to resolve a fault",
            Wait::LockObject => "wait for the lock of the object",
        })
    }
}

/// How deep a thread sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sleep {
    /// Any signal wakes it.
    Interruptible,
    /// A fatal signal wakes it (E1).
    Killable,
    /// Only what it waits for wakes it.
    Uninterruptible,
}

/// Where a thread sleeps: a number that no other thread which sleeps has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(pub usize);

/// How a wait went on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// Look again.
    Again,
    /// A fatal signal has come, or for an interruptible wait any signal: one that is killable ends (E1, E15), any other looks
    /// again.
    Killed,
}

/// Where a thread stops, for traces of schedules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// At a point that the memory manager names.
    Point(Point),
    /// In a wait: it looks again whether it may go on.
    Wait(Wait),
    /// Between two nodes of the tree, as a reader without a lock.
    Node,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Point(point) => point.fmt(f),
            Label::Wait(wait) => wait.fmt(f),
            Label::Node => f.write_str("next node"),
        }
    }
}
