//! System V shared memory: `shmget(2)`, `shmat(2)`, `shmctl(2)`.

/// A key that is nobody else's.
pub const IPC_PRIVATE: i32 = 0;
/// Makes what is not there.
pub const IPC_CREAT: u32 = 0o1000;
/// With [`IPC_CREAT`]: it must not be there.
pub const IPC_EXCL: u32 = 0o2000;

/// Removes it.
pub const IPC_RMID: u32 = 0;
/// Sets owner and permissions.
pub const IPC_SET: u32 = 1;
/// Tells about it ([`ShmidDs`]).
pub const IPC_STAT: u32 = 2;
/// Tells the limits ([`IpcInfo`]).
pub const IPC_INFO: u32 = 3;
/// Keeps a segment in memory.
pub const SHM_LOCK: u32 = 11;
/// Takes that back.
pub const SHM_UNLOCK: u32 = 12;
/// As [`IPC_STAT`], by index.
pub const SHM_STAT: u32 = 13;
/// Tells what is in use ([`ShmInfo`]).
pub const SHM_INFO: u32 = 14;
/// As [`SHM_STAT`], for everybody.
pub const SHM_STAT_ANY: u32 = 15;

/// In a mode: the segment goes when it is attached no more.
pub const SHM_DEST: u32 = 0o1000;
/// In a mode: the segment stays in memory.
pub const SHM_LOCKED: u32 = 0o2000;
/// Huge pages are wanted.
pub const SHM_HUGETLB: u32 = 0o4000;
/// No memory is reserved.
pub const SHM_NORESERVE: u32 = 0o10000;

/// Attaches to read only.
pub const SHM_RDONLY: u32 = 0o10000;
/// The address is rounded down.
pub const SHM_RND: u32 = 0o20000;
/// What is there goes.
pub const SHM_REMAP: u32 = 0o40000;
/// Attaches to execute, too.
pub const SHM_EXEC: u32 = 0o100000;

/// `struct ipc64_perm`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct IpcPerm {
    /// The key.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Group of the owner.
    pub gid: u32,
    /// Creator.
    pub cuid: u32,
    /// Group of the creator.
    pub cgid: u32,
    /// Permissions, and `SHM_DEST` and `SHM_LOCKED`.
    pub mode: u32,
    /// Number of times that the index was used before.
    pub seq: u16,
    /// Nothing.
    pub pad: [u16; 3],
    /// Nothing.
    pub unused: [u64; 2],
}

/// `struct shmid64_ds`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ShmidDs {
    /// Key, owners, permissions.
    pub perm: IpcPerm,
    /// Size in bytes.
    pub segsz: u64,
    /// When it was attached last, in seconds since 1970; 0 for never.
    pub atime: i64,
    /// When it was detached last.
    pub dtime: i64,
    /// When it was made or changed.
    pub ctime: i64,
    /// The process that made it.
    pub cpid: i32,
    /// The process that attached or detached it last.
    pub lpid: i32,
    /// How often it is attached.
    pub nattch: u64,
    /// Nothing.
    pub unused: [u64; 2],
}

/// `struct shminfo64`: the limits.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct IpcInfo {
    /// Largest size of a segment in bytes.
    pub shmmax: u64,
    /// Smallest.
    pub shmmin: u64,
    /// Most segments.
    pub shmmni: u64,
    /// Most segments of a process; not kept.
    pub shmseg: u64,
    /// Most pages of all segments.
    pub shmall: u64,
    /// Nothing.
    pub unused: [u64; 4],
}

/// `struct shm_info`: what is in use.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ShmInfo {
    /// Number of segments.
    pub used_ids: i32,
    /// Nothing.
    pub pad: i32,
    /// Pages of all segments.
    pub shm_tot: u64,
    /// Of these in memory.
    pub shm_rss: u64,
    /// Of these swapped out.
    pub shm_swp: u64,
    /// Always 0.
    pub swap_attempts: u64,
    /// Always 0.
    pub swap_successes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_linux() {
        assert_eq!((size_of::<IpcPerm>(), size_of::<ShmidDs>()), (48, 112));
        assert_eq!((size_of::<IpcInfo>(), size_of::<ShmInfo>()), (72, 48));
    }
}
