//! What a VMA permits and is.

use abi::mman::Prot;
use bitflags::bitflags;

use crate::pgtable::Protection;

bitflags! {
    /// Properties of a VMA. Two VMAs merge only if all of them are equal. The upper half is the number of the
    /// [`Context`](crate::userfault::Context) that the VMA is registered with, or 0.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct VmaFlags: u64 {
        /// May be read.
        const READ = 1 << 0;
        /// May be written.
        const WRITE = 1 << 1;
        /// May be executed.
        const EXEC = 1 << 2;
        /// Stores are seen by all that map the same object.
        const SHARED = 1 << 3;
        /// Grows downwards on faults below it: a stack.
        const GROWSDOWN = 1 << 4;
        /// Its pages count as committed memory (private and once writable).
        const ACCOUNT = 1 << 5;
        /// Mapped without reserving memory; never counts as committed.
        const NORESERVE = 1 << 6;
        /// Its pages stay resident and count against `RLIMIT_MEMLOCK`.
        const LOCKED = 1 << 7;
        /// Range and permissions stay as they are until the address space goes (`mseal`).
        const SEALED = 1 << 8;
        /// A shared mapping of a file that is not open for writing: can never be written.
        const NEVER_WRITE = 1 << 9;
        /// An attachment of shared memory that lives without being mapped (`shmat`): a VMA that is one never goes for a merge, and the
        /// machine is told when one comes or goes.
        const ATTACHED = 1 << 10;
        /// The program itself resolves faults on pages that are missing (`UFFDIO_REGISTER_MODE_MISSING`).
        const UFFD_MISSING = 1 << 11;
        /// The program itself resolves writes to pages that it has write-protected (`UFFDIO_REGISTER_MODE_WP`).
        const UFFD_WP = 1 << 12;
        /// With one of these: it does so for faults in user mode only (`UFFD_USER_MODE_ONLY`).
        const UFFD_USER_ONLY = 1 << 13;
        /// With one of these: such a fault is a SIGBUS (`UFFD_FEATURE_SIGBUS`).
        const UFFD_SIGBUS = 1 << 14;
        /// Accesses will be random (`MADV_RANDOM`).
        const RANDOM = 1 << 16;
        /// Accesses will be in ascending order (`MADV_SEQUENTIAL`).
        const SEQUENTIAL = 1 << 17;
        /// A fork leaves it out (`MADV_DONTFORK`).
        const DONTFORK = 1 << 18;
        /// The child of a fork finds it empty (`MADV_WIPEONFORK`).
        const WIPEONFORK = 1 << 19;
        /// A core dump leaves it out (`MADV_DONTDUMP`).
        const DONTDUMP = 1 << 20;
        /// Worth huge pages (`MADV_HUGEPAGE`).
        const HUGEPAGE = 1 << 21;
        /// Not worth huge pages (`MADV_NOHUGEPAGE`).
        const NOHUGEPAGE = 1 << 22;
        /// Equal pages may be merged (`MADV_MERGEABLE`).
        const MERGEABLE = 1 << 23;
        /// With `LOCKED`: pages are locked as they come, and not faulted in at once (`MLOCK_ONFAULT`).
        const LOCKONFAULT = 1 << 24;
    }
}

impl VmaFlags {
    /// What access permissions consist of.
    pub const ACCESS: VmaFlags = VmaFlags::READ.union(VmaFlags::WRITE).union(VmaFlags::EXEC);

    /// How pages are locked in memory.
    pub const LOCKING: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCKONFAULT);

    /// The access flags for `prot`.
    pub fn from_prot(prot: Prot) -> Self {
        let mut flags = VmaFlags::empty();
        flags.set(VmaFlags::READ, prot.contains(Prot::READ));
        flags.set(VmaFlags::WRITE, prot.contains(Prot::WRITE));
        flags.set(VmaFlags::EXEC, prot.contains(Prot::EXEC));
        flags
    }

    /// Whether an access of this kind is permitted. On x86 every mapping that permits anything can be read.
    pub fn permits(self, access: Access) -> bool {
        match access {
            Access::Read => self.intersects(VmaFlags::ACCESS),
            Access::Write => self.contains(VmaFlags::WRITE),
            Access::Execute => self.contains(VmaFlags::EXEC),
        }
    }

    /// The protection of page-table entries in such a VMA.
    pub fn protection(self) -> Protection {
        match (self.contains(VmaFlags::WRITE), self.contains(VmaFlags::EXEC)) {
            (true, true) => Protection::ReadWriteExecute,
            (true, false) => Protection::ReadWrite,
            (false, true) => Protection::ReadExecute,
            (false, false) if self.contains(VmaFlags::READ) => Protection::Read,
            (false, false) => Protection::None,
        }
    }

    /// Whether pages of such a VMA are private and writable: what `RLIMIT_DATA` counts.
    pub fn is_data(self) -> bool {
        self & (VmaFlags::WRITE | VmaFlags::SHARED | VmaFlags::GROWSDOWN) == VmaFlags::WRITE
    }

    /// Whether the statistics count such a VMA as code.
    pub fn is_code(self) -> bool {
        self & (VmaFlags::EXEC | VmaFlags::WRITE | VmaFlags::GROWSDOWN) == VmaFlags::EXEC
    }

    /// Whether such a mapping must be accounted as committed memory when it is made.
    pub fn is_accountable(self) -> bool {
        self & (VmaFlags::WRITE | VmaFlags::SHARED | VmaFlags::NORESERVE) == VmaFlags::WRITE
    }

    /// How many of `pages` pages of such a VMA count as committed memory.
    pub(crate) fn committed(self, pages: u64) -> u64 {
        if self.contains(VmaFlags::ACCOUNT) { pages } else { 0 }
    }
}

/// A kind of access by the CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}
