//! Files: `open(2)`, `stat(2)`, `lseek(2)`, `fcntl(2)`.

/// Bits of the access mode in the flags of `open`.
pub const O_ACCMODE: u32 = 0o3;
/// Open for reading.
pub const O_RDONLY: u32 = 0o0;
/// Open for writing.
pub const O_WRONLY: u32 = 0o1;
/// Open for reading and writing.
pub const O_RDWR: u32 = 0o2;
/// Create the file if there is none.
pub const O_CREAT: u32 = 0o100;
/// With `O_CREAT`: fail if the file exists.
pub const O_EXCL: u32 = 0o200;
/// Do not make a terminal the controlling one.
pub const O_NOCTTY: u32 = 0o400;
/// Cut the file to length 0.
pub const O_TRUNC: u32 = 0o1000;
/// Every write goes to the end.
pub const O_APPEND: u32 = 0o2000;
/// Return `EAGAIN` rather than wait.
pub const O_NONBLOCK: u32 = 0o4000;
/// Writes wait for the data.
pub const O_DSYNC: u32 = 0o10000;
/// Bypass the page cache.
pub const O_DIRECT: u32 = 0o40000;
/// Permit files above 2 GiB; always so on x86-64.
pub const O_LARGEFILE: u32 = 0o100000;
/// Fail if it is not a directory.
pub const O_DIRECTORY: u32 = 0o200000;
/// Fail if the last component is a symbolic link.
pub const O_NOFOLLOW: u32 = 0o400000;
/// Leave the access time alone.
pub const O_NOATIME: u32 = 0o1000000;
/// Close on `execve`.
pub const O_CLOEXEC: u32 = 0o2000000;
/// Writes wait for data and metadata.
pub const O_SYNC: u32 = 0o4010000;
/// Only a reference to the path.
pub const O_PATH: u32 = 0o10000000;
/// An unnamed temporary file.
pub const O_TMPFILE: u32 = 0o20200000;

/// As directory descriptor: the current directory.
pub const AT_FDCWD: i32 = -100;
/// Do not follow a symbolic link.
pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// Use the effective ids.
pub const AT_EACCESS: u32 = 0x200;
/// Remove a directory.
pub const AT_REMOVEDIR: u32 = 0x200;
/// Follow a symbolic link.
pub const AT_SYMLINK_FOLLOW: u32 = 0x400;
/// Do not trigger an automount.
pub const AT_NO_AUTOMOUNT: u32 = 0x800;
/// An empty path means the descriptor itself.
pub const AT_EMPTY_PATH: u32 = 0x1000;

/// Longest path in bytes, with its NUL.
pub const PATH_MAX: usize = 4096;

/// Bits of the file type in `st_mode`.
pub const S_IFMT: u32 = 0o170000;
/// Socket.
pub const S_IFSOCK: u32 = 0o140000;
/// Symbolic link.
pub const S_IFLNK: u32 = 0o120000;
/// Regular file.
pub const S_IFREG: u32 = 0o100000;
/// Block device.
pub const S_IFBLK: u32 = 0o060000;
/// Directory.
pub const S_IFDIR: u32 = 0o040000;
/// Character device.
pub const S_IFCHR: u32 = 0o020000;
/// Pipe.
pub const S_IFIFO: u32 = 0o010000;

/// Position counted from the start.
pub const SEEK_SET: u32 = 0;
/// Position counted from the present one.
pub const SEEK_CUR: u32 = 1;
/// Position counted from the end.
pub const SEEK_END: u32 = 2;
/// The next data at or after the position.
pub const SEEK_DATA: u32 = 3;
/// The next hole at or after the position.
pub const SEEK_HOLE: u32 = 4;

/// Duplicates a descriptor.
pub const F_DUPFD: u32 = 0;
/// Reads the descriptor flags.
pub const F_GETFD: u32 = 1;
/// Writes the descriptor flags.
pub const F_SETFD: u32 = 2;
/// Reads access mode and status flags.
pub const F_GETFL: u32 = 3;
/// Writes the status flags.
pub const F_SETFL: u32 = 4;
/// Duplicates a descriptor with close-on-exec set.
pub const F_DUPFD_CLOEXEC: u32 = 1030;
/// Sets the capacity of a pipe in bytes.
pub const F_SETPIPE_SZ: u32 = 1031;
/// Reads the capacity of a pipe in bytes.
pub const F_GETPIPE_SZ: u32 = 1032;
/// Adds seals to a file.
pub const F_ADD_SEALS: u32 = 1033;
/// Reads the seals of a file.
pub const F_GET_SEALS: u32 = 1034;
/// Sets a record lock.
pub const F_SETLK: u32 = 6;
/// Sets a record lock, and waits for others.
pub const F_SETLKW: u32 = 7;
/// Asks whether a record lock could be set.
pub const F_GETLK: u32 = 5;
/// No more seals can be added.
pub const F_SEAL_SEAL: u32 = 0x1;
/// The file does not get shorter.
pub const F_SEAL_SHRINK: u32 = 0x2;
/// The file does not get longer.
pub const F_SEAL_GROW: u32 = 0x4;
/// The file does not change.
pub const F_SEAL_WRITE: u32 = 0x8;
/// The file does not change but through mappings that are there.
pub const F_SEAL_FUTURE_WRITE: u32 = 0x10;
/// The file is not made executable, or not executable.
pub const F_SEAL_EXEC: u32 = 0x20;

/// `memfd_create`: close on `execve`.
pub const MFD_CLOEXEC: u32 = 1;
/// `memfd_create`: seals can be added.
pub const MFD_ALLOW_SEALING: u32 = 2;
/// `memfd_create`: huge pages.
pub const MFD_HUGETLB: u32 = 4;
/// `memfd_create`: not executable, and stays so.
pub const MFD_NOEXEC_SEAL: u32 = 8;
/// `memfd_create`: executable.
pub const MFD_EXEC: u32 = 16;

/// `fallocate`: the size stays.
pub const FALLOC_FL_KEEP_SIZE: u32 = 1;
/// `fallocate`: makes a hole.
pub const FALLOC_FL_PUNCH_HOLE: u32 = 2;

/// `renameat2`: do not replace.
pub const RENAME_NOREPLACE: u32 = 1;
/// `renameat2`: exchange the two.
pub const RENAME_EXCHANGE: u32 = 2;

/// `utimensat`: now.
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// `utimensat`: leave it.
pub const UTIME_OMIT: i64 = 0x3fff_fffe;

/// The only descriptor flag: close on `execve`.
pub const FD_CLOEXEC: u32 = 1;

/// `struct stat` of x86-64.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Stat {
    /// Device that holds the file.
    pub st_dev: u64,
    /// Inode number.
    pub st_ino: u64,
    /// Number of hard links.
    pub st_nlink: u64,
    /// Type and permissions.
    pub st_mode: u32,
    /// Owner.
    pub st_uid: u32,
    /// Group.
    pub st_gid: u32,
    /// Padding, 0.
    pub pad0: u32,
    /// Device number of a device file.
    pub st_rdev: u64,
    /// Size in bytes.
    pub st_size: i64,
    /// Preferred size of a transfer in bytes.
    pub st_blksize: i64,
    /// Allocated blocks of 512 bytes.
    pub st_blocks: i64,
    /// Last access, seconds.
    pub st_atime: i64,
    /// Last access, nanoseconds.
    pub st_atime_nsec: i64,
    /// Last change of the contents, seconds.
    pub st_mtime: i64,
    /// Last change of the contents, nanoseconds.
    pub st_mtime_nsec: i64,
    /// Last change of the inode, seconds.
    pub st_ctime: i64,
    /// Last change of the inode, nanoseconds.
    pub st_ctime_nsec: i64,
    /// Reserved, 0.
    pub reserved: [i64; 3],
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::{offset_of, size_of};

    #[test]
    fn stat_has_the_layout_of_x86_64() {
        assert_eq!(size_of::<Stat>(), 144);
        assert_eq!(offset_of!(Stat, st_mode), 24);
        assert_eq!(offset_of!(Stat, st_rdev), 40);
        assert_eq!(offset_of!(Stat, st_size), 48);
        assert_eq!(offset_of!(Stat, st_atime), 72);
    }
}
