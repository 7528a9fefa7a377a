//! Locks with ranks, the mmap lock, type-stable pools.
//!
//! This file is the only place that picks the atomics, the cells and the spin hint of this crate, so that a
//! model checker's can be put in their stead.
//!
//! ```text
//! mmap_lock (RwSem)                       outermost
//!   its queue, the line of userfaults (SpinLock)
//!   VMA write lock                        only under mmap_lock W; ends with it
//!     page-table lock (SpinLock)
//!       frames of a CPU, frame allocator (SpinLock)
//!         kernel heap, pools (SpinLock)
//!           console                       innermost
//! ```
//!
//! The mmap lock sleeps, as the platform knows; all other locks spin. A [`SpinLock`] knows nothing of interrupts: an
//! interrupt handler takes none of rank [`Rank::FrameAllocator`] or outside of it, and the machine does not preempt a
//! holder.

mod line;
mod list;
mod pool;
mod queue;
mod rwsem;
mod spinlock;
#[cfg(test)]
mod tests;

pub(crate) use line::Line;
pub(crate) use list::linked;
pub use list::{Link, Linked, List};
pub use pool::{Pool, PoolStatistics};
pub use rwsem::{Parker, ReadGuard, RwSem, Spinning, WriteGuard};
pub use spinlock::{SpinGuard, SpinLock};

pub use core::cell::UnsafeCell;
pub use core::hint::spin_loop;

/// The atomics of this crate.
pub mod atomic {
    pub use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
    };
}

/// The order in which locks are taken: a lock is taken only while all locks held have smaller ranks
/// (design, section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// The mmap lock of an address space.
    MmapLock,
    /// Who waits for an mmap lock; nothing is taken inside.
    MmapQueue,
    /// Who waits for a page that the program resolves itself; nothing is taken inside.
    UserfaultLine,
    /// The write lock of a VMA; has no unlock of its own.
    VmaWrite,
    /// The page tables of an address space.
    PageTable,
    /// The free frames of a CPU.
    FrameCache,
    /// The lists of free frames.
    FrameAllocator,
    /// The kernel heap and the object pools.
    KernelHeap,
    /// The console; nothing is taken inside.
    Console,
}
