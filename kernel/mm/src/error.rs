//! Errors of the memory manager, and the one place where they become errnos.

use abi::Errno;

use crate::userfault::Reason;

/// Why an operation was refused. The address space is as it was before (a completed split may remain).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MmError {
    /// No memory, no address range, or a limit reached (E4, E7-E11, E14, M1, M3, M4).
    NoMemory,
    /// An argument is wrong (E2, E6).
    Invalid,
    /// The range is taken (`MAP_FIXED_NOREPLACE`).
    Exists,
    /// The range is not mapped, or not by one VMA (mremap).
    Fault,
    /// The page lies beyond the end of what is mapped there. Only faults meet it.
    BeyondEnd,
    /// There is a guard on the page. Only faults meet it.
    Guarded,
    /// The program resolves the fault itself (`userfaultfd`). Only faults meet it.
    Userfault(Reason),
    /// The range is not registered (`userfaultfd`), or not as part of one VMA.
    NotRegistered,
    /// The mapping does not permit this access.
    Access,
    /// Not allowed: sealed (E5, E12), below `mmap_min_addr`, or over a lock limit.
    NotPermitted,
    /// Over the limit of locked memory (`RLIMIT_MEMLOCK`).
    Again,
    /// Pages are locked that the operation would take away.
    Busy,
    /// A fatal signal came while waiting for a lock (E1, E15).
    Interrupted,
}

impl From<MmError> for Errno {
    fn from(error: MmError) -> Errno {
        match error {
            MmError::NoMemory => Errno::ENOMEM,
            MmError::Invalid => Errno::EINVAL,
            MmError::Exists => Errno::EEXIST,
            MmError::Fault => Errno::EFAULT,
            MmError::BeyondEnd | MmError::Guarded | MmError::Userfault(_) => Errno::EFAULT,
            MmError::NotRegistered => Errno::ENOENT,
            MmError::Access => Errno::EACCES,
            MmError::NotPermitted => Errno::EPERM,
            MmError::Again => Errno::EAGAIN,
            MmError::Busy => Errno::EBUSY,
            MmError::Interrupted => Errno::EINTR,
        }
    }
}
