//! Memory mapping: `mmap(2)`, `mprotect(2)`, `mremap(2)`, `madvise(2)`, `msync(2)`, `mlockall(2)`.

bitflags::bitflags! {
    /// Protection of a mapping. No bit at all is `PROT_NONE`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Prot: u64 {
        /// Can be read.
        const READ = 0x1;
        /// Can be written; on x86-64 also read.
        const WRITE = 0x2;
        /// Can be executed; on x86-64 also read.
        const EXEC = 0x4;
        /// May hold semaphores; means nothing on x86-64.
        const SEM = 0x8;
        /// `mprotect` only: extend the change to the start of a mapping that grows down.
        const GROWSDOWN = 0x0100_0000;
        /// `mprotect` only: extend the change to the end of a mapping that grows up.
        const GROWSUP = 0x0200_0000;
    }
}

impl Prot {
    /// No access.
    pub const NONE: Self = Self::empty();
    /// Read and write.
    pub const READ_WRITE: Self = Self::READ.union(Self::WRITE);
}

bitflags::bitflags! {
    /// Flags of `mmap`. The low four bits are a number, the type: see [`Map::map_type`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Map: u64 {
        /// Type 1: changes are shared.
        const SHARED = 0x1;
        /// Type 2: changes are private.
        const PRIVATE = 0x2;
        /// Type 3: as `SHARED`, and unknown flags are refused with `EOPNOTSUPP`.
        const SHARED_VALIDATE = 0x3;
        /// Type 8: as `PRIVATE`, but pages may be dropped under memory pressure (since Linux 6.11).
        const DROPPABLE = 0x8;
        /// The address is not a hint: what is mapped there is replaced.
        const FIXED = 0x10;
        /// No file; the memory is zero.
        const ANONYMOUS = 0x20;
        /// Place the mapping in the low 2 GiB.
        const _32BIT = 0x40;
        /// The mapping grows downwards like a stack.
        const GROWSDOWN = 0x100;
        /// Ignored.
        const DENYWRITE = 0x800;
        /// Ignored.
        const EXECUTABLE = 0x1000;
        /// Lock the pages in memory.
        const LOCKED = 0x2000;
        /// Do not count the mapping as committed memory.
        const NORESERVE = 0x4000;
        /// Fault all pages in at once.
        const POPULATE = 0x8000;
        /// With `POPULATE`: without waiting.
        const NONBLOCK = 0x1_0000;
        /// The mapping is a stack; a hint.
        const STACK = 0x2_0000;
        /// Use huge pages; bits 26 to 31 give the logarithm of the page size.
        const HUGETLB = 0x4_0000;
        /// Synchronous page faults (DAX).
        const SYNC = 0x8_0000;
        /// As `FIXED`, but fail with `EEXIST` rather than replace a mapping.
        const FIXED_NOREPLACE = 0x10_0000;
        /// Do not zero; honoured only without an MMU.
        const UNINITIALIZED = 0x400_0000;
    }
}

/// Mask of the type in the flags of `mmap`.
pub const MAP_TYPE: u64 = 0xf;

/// Where the logarithm of the page size begins in the flags of `mmap`, for `MAP_HUGETLB`.
pub const MAP_HUGE_SHIFT: u32 = 26;
/// Mask of that logarithm.
pub const MAP_HUGE_MASK: u64 = 0x3f;

/// The type of a mapping: the low four bits of the flags of `mmap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapType {
    /// `MAP_SHARED`.
    Shared,
    /// `MAP_PRIVATE`.
    Private,
    /// `MAP_SHARED_VALIDATE`.
    SharedValidate,
    /// `MAP_DROPPABLE`.
    Droppable,
}

impl Map {
    /// The type in the low four bits; `None` for a number that is none (`mmap` answers `EINVAL`).
    pub const fn map_type(self) -> Option<MapType> {
        match self.bits() & MAP_TYPE {
            1 => Some(MapType::Shared),
            2 => Some(MapType::Private),
            3 => Some(MapType::SharedValidate),
            8 => Some(MapType::Droppable),
            _ => None,
        }
    }
}

/// `mremap`: the mapping may move.
pub const MREMAP_MAYMOVE: u64 = 1;
/// `mremap`: move to the address given, replacing what is there.
pub const MREMAP_FIXED: u64 = 2;
/// `mremap`: leave the old range mapped and empty.
pub const MREMAP_DONTUNMAP: u64 = 4;

/// `madvise`: no special treatment.
pub const MADV_NORMAL: u64 = 0;
/// `madvise`: accesses will be random.
pub const MADV_RANDOM: u64 = 1;
/// `madvise`: accesses will be in ascending order.
pub const MADV_SEQUENTIAL: u64 = 2;
/// `madvise`: the pages will be needed soon.
pub const MADV_WILLNEED: u64 = 3;
/// `madvise`: drop the pages; private memory reads as zero afterwards.
pub const MADV_DONTNEED: u64 = 4;
/// `madvise`: the pages may be dropped under memory pressure until they are written.
pub const MADV_FREE: u64 = 8;
/// `madvise`: free the pages and their backing store.
pub const MADV_REMOVE: u64 = 9;
/// `madvise`: the range is not inherited by a fork.
pub const MADV_DONTFORK: u64 = 10;
/// `madvise`: undoes `MADV_DONTFORK`.
pub const MADV_DOFORK: u64 = 11;
/// `madvise`: equal pages may be merged.
pub const MADV_MERGEABLE: u64 = 12;
/// `madvise`: undoes `MADV_MERGEABLE`.
pub const MADV_UNMERGEABLE: u64 = 13;
/// `madvise`: worth huge pages.
pub const MADV_HUGEPAGE: u64 = 14;
/// `madvise`: not worth huge pages.
pub const MADV_NOHUGEPAGE: u64 = 15;
/// `madvise`: leave the range out of a core dump.
pub const MADV_DONTDUMP: u64 = 16;
/// `madvise`: undoes `MADV_DONTDUMP`.
pub const MADV_DODUMP: u64 = 17;
/// `madvise`: the child of a fork sees zeroes.
pub const MADV_WIPEONFORK: u64 = 18;
/// `madvise`: undoes `MADV_WIPEONFORK`.
pub const MADV_KEEPONFORK: u64 = 19;
/// `madvise`: the pages are not needed for a while.
pub const MADV_COLD: u64 = 20;
/// `madvise`: reclaim the pages now.
pub const MADV_PAGEOUT: u64 = 21;
/// `madvise`: fault all pages in for reading.
pub const MADV_POPULATE_READ: u64 = 22;
/// `madvise`: fault all pages in for writing.
pub const MADV_POPULATE_WRITE: u64 = 23;
/// `madvise`: as `MADV_DONTNEED`, locked pages too.
pub const MADV_DONTNEED_LOCKED: u64 = 24;
/// `madvise`: collapse into huge pages now.
pub const MADV_COLLAPSE: u64 = 25;
/// `madvise`: poison a page (for tests).
pub const MADV_HWPOISON: u64 = 100;
/// `madvise`: take a page out of use (for tests).
pub const MADV_SOFT_OFFLINE: u64 = 101;
/// `madvise`: an access raises `SIGSEGV`, without a VMA of its own (since Linux 6.13).
pub const MADV_GUARD_INSTALL: u64 = 102;
/// `madvise`: undoes `MADV_GUARD_INSTALL`.
pub const MADV_GUARD_REMOVE: u64 = 103;

/// `msync`: start writing.
pub const MS_ASYNC: u64 = 1;
/// `msync`: invalidate other mappings.
pub const MS_INVALIDATE: u64 = 2;
/// `msync`: write and wait.
pub const MS_SYNC: u64 = 4;

/// `mlock2`: lock pages when they are faulted in.
pub const MLOCK_ONFAULT: u64 = 1;
/// `mlockall`: all present pages.
pub const MCL_CURRENT: u64 = 1;
/// `mlockall`: all future mappings.
pub const MCL_FUTURE: u64 = 2;
/// `mlockall`: when they are faulted in.
pub const MCL_ONFAULT: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_a_number_and_not_bits() {
        assert_eq!(Map::empty().map_type(), None);
        assert_eq!((Map::SHARED | Map::PRIVATE).map_type(), Some(MapType::SharedValidate));
        assert_eq!((Map::PRIVATE | Map::ANONYMOUS).map_type(), Some(MapType::Private));
        assert_eq!(Map::from_bits_retain(0x24).map_type(), None);
    }

    #[test]
    fn values_are_those_of_linux() {
        assert_eq!(Prot::READ_WRITE.bits(), 3);
        assert_eq!((Map::PRIVATE | Map::ANONYMOUS | Map::FIXED).bits(), 0x32);
        assert_eq!((Map::POPULATE | Map::FIXED_NOREPLACE).bits(), 0x10_8000);
    }
}
