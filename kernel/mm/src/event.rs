//! What is counted: names and meanings are those of `/proc/vmstat` on Linux where Linux has them.

/// Something that is counted; see [`Platform::count`](crate::Platform::count).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A page fault.
    Fault,
    /// A page fault was handled under the VMA lock alone.
    VmaLockSuccess,
    /// A page fault could not lock its VMA, and fell back to the mmap lock.
    VmaLockAbort,
    /// A page fault held the VMA lock, needed the mmap lock as well, and was retried under that.
    VmaLockRetry,
    /// The VMA that was found had left the tree meanwhile; it was looked up once more.
    VmaLockMiss,
    /// A writer had to wait for the readers of a VMA. Not counted by Linux.
    VmaLockWait,
    /// A page fault mapped a huge leaf.
    ThpFaultAlloc,
    /// A page fault that could have mapped a huge leaf had no block for it, and mapped a page.
    ThpFaultFallback,
    /// A huge leaf was split.
    ThpSplitPmd,
}

impl Event {
    /// All events, in the order of their numbers.
    pub const ALL: [Event; 9] = [
        Event::Fault,
        Event::VmaLockSuccess,
        Event::VmaLockAbort,
        Event::VmaLockRetry,
        Event::VmaLockMiss,
        Event::VmaLockWait,
        Event::ThpFaultAlloc,
        Event::ThpFaultFallback,
        Event::ThpSplitPmd,
    ];

    /// The name in `/proc/vmstat`.
    pub const fn name(self) -> &'static str {
        match self {
            Event::Fault => "pgfault",
            Event::VmaLockSuccess => "vma_lock_success",
            Event::VmaLockAbort => "vma_lock_abort",
            Event::VmaLockRetry => "vma_lock_retry",
            Event::VmaLockMiss => "vma_lock_miss",
            Event::VmaLockWait => "vma_lock_wait",
            Event::ThpFaultAlloc => "thp_fault_alloc",
            Event::ThpFaultFallback => "thp_fault_fallback",
            Event::ThpSplitPmd => "thp_split_pmd",
        }
    }
}
