//! Resource limits: `getrlimit(2)`, `prlimit64`.

/// Processor time in seconds.
pub const RLIMIT_CPU: u32 = 0;
/// File size in bytes.
pub const RLIMIT_FSIZE: u32 = 1;
/// Data segment (program data and brk) in bytes.
pub const RLIMIT_DATA: u32 = 2;
/// Stack in bytes.
pub const RLIMIT_STACK: u32 = 3;
/// Core file in bytes.
pub const RLIMIT_CORE: u32 = 4;
/// Resident set in bytes; not enforced.
pub const RLIMIT_RSS: u32 = 5;
/// Number of processes.
pub const RLIMIT_NPROC: u32 = 6;
/// One more than the highest file descriptor.
pub const RLIMIT_NOFILE: u32 = 7;
/// Locked memory in bytes.
pub const RLIMIT_MEMLOCK: u32 = 8;
/// Address space in bytes.
pub const RLIMIT_AS: u32 = 9;
/// Number of file locks.
pub const RLIMIT_LOCKS: u32 = 10;
/// Number of pending signals.
pub const RLIMIT_SIGPENDING: u32 = 11;
/// Message queues in bytes.
pub const RLIMIT_MSGQUEUE: u32 = 12;
/// Ceiling of the nice value.
pub const RLIMIT_NICE: u32 = 13;
/// Ceiling of the real-time priority.
pub const RLIMIT_RTPRIO: u32 = 14;
/// Real-time processor time without a wait, in microseconds.
pub const RLIMIT_RTTIME: u32 = 15;
/// Number of limits.
pub const RLIM_NLIMITS: u32 = 16;

/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

/// `struct rlimit64`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Rlimit {
    /// The limit in force (soft).
    pub current: u64,
    /// The ceiling of `current` (hard).
    pub maximum: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_that_of_linux() {
        assert_eq!(core::mem::size_of::<Rlimit>(), 16);
    }
}
