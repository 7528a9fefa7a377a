//! What is told of files: stat, statx, statfs, access, readlink.

use abi::Errno;
use abi::fs::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, S_IFDIR, S_IFMT, S_IFREG, Stat,
};
use mm::{PAGE_SIZE, Platform};

use super::Arguments;
use super::user::{UserPtr, UserSlice, user_struct};
use crate::fs::path::LastLink;
use crate::memory::KERNEL;
use crate::process::Thread;

/// `stat(2)`.
pub(super) fn stat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let status = thread.files.status_at(AT_FDCWD, arguments.path(0)?.as_bytes(), LastLink::Follow)?;
    put_status(arguments.pointer(1), &status)
}

/// `lstat(2)`.
pub(super) fn lstat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let status = thread.files.status_at(AT_FDCWD, arguments.path(0)?.as_bytes(), LastLink::Keep)?;
    put_status(arguments.pointer(1), &status)
}

/// `fstat(2)`.
pub(super) fn fstat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    put_status(arguments.pointer(1), &thread.files.status(arguments.i32(0))?)
}

/// `newfstatat(2)`.
pub(super) fn newfstatat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(3);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    put_status(arguments.pointer(2), &status_at(thread, arguments, flags)?)
}

/// Status of what a descriptor and a path (arguments 0 and 1) name.
fn status_at(thread: &Thread, arguments: &Arguments, flags: u32) -> Result<Stat, Errno> {
    let base = arguments.i32(0);
    if arguments.u64(1) == 0 && flags & AT_EMPTY_PATH != 0 {
        return thread.files.status(base);
    }
    let path = arguments.path(1)?;
    let last = if flags & AT_SYMLINK_NOFOLLOW != 0 { LastLink::Keep } else { LastLink::Follow };
    match path.as_bytes() {
        b"" if flags & AT_EMPTY_PATH == 0 => Err(Errno::ENOENT),
        b"" if base == AT_FDCWD => thread.files.status_at(base, b".", last),
        b"" => thread.files.status(base),
        path => thread.files.status_at(base, path, last),
    }
}

fn put_status(to: UserPtr<Stat>, status: &Stat) -> Result<u64, Errno> {
    to.write(status)?;
    Ok(0)
}

/// A time of `struct statx`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct StatxTime {
    seconds: i64,
    nanoseconds: u32,
    reserved: i32,
}

/// `struct statx`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    padding: u16,
    inode: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    accessed: StatxTime,
    born: StatxTime,
    changed: StatxTime,
    modified: StatxTime,
    device_major: u32,
    device_minor: u32,
    file_system_major: u32,
    file_system_minor: u32,
    rest: [u64; 14],
}

user_struct!(StatxTime { seconds, nanoseconds, reserved });
user_struct!(Statx {
    mask,
    block_size,
    attributes,
    links,
    uid,
    gid,
    mode,
    padding,
    inode,
    size,
    blocks,
    attributes_mask,
    accessed,
    born,
    changed,
    modified,
    device_major,
    device_minor,
    file_system_major,
    file_system_minor,
    rest,
});

/// `statx(2)`. Errors: `EINVAL`, `EFAULT`, those of paths.
pub(super) fn statx(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const SYNC_TYPE: u32 = 0x6000;
    const BASIC: u32 = 0x7ff;
    const RESERVED: u32 = 1 << 31;
    let flags = arguments.u32(2);
    let known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC_TYPE;
    if flags & !known != 0 || flags & SYNC_TYPE == SYNC_TYPE || arguments.u32(3) & RESERVED != 0 {
        return Err(Errno::EINVAL);
    }
    let status = status_at(thread, arguments, flags)?;
    let time =
        |seconds, nanoseconds: i64| StatxTime { seconds, nanoseconds: nanoseconds as u32, reserved: 0 };
    arguments.pointer(4).write(&Statx {
        mask: BASIC,
        block_size: status.st_blksize as u32,
        links: status.st_nlink as u32,
        uid: status.st_uid,
        gid: status.st_gid,
        mode: status.st_mode as u16,
        inode: status.st_ino,
        size: status.st_size as u64,
        blocks: status.st_blocks as u64,
        accessed: time(status.st_atime, status.st_atime_nsec),
        changed: time(status.st_ctime, status.st_ctime_nsec),
        modified: time(status.st_mtime, status.st_mtime_nsec),
        device_major: (status.st_rdev >> 8) as u32,
        device_minor: status.st_rdev as u32 & 0xff,
        file_system_minor: status.st_dev as u32,
        ..Statx::default()
    })?;
    Ok(0)
}

/// `struct statfs`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Statfs {
    kind: i64,
    block_size: i64,
    blocks: u64,
    free: u64,
    available: u64,
    files: u64,
    free_files: u64,
    id: u64,
    name_length: i64,
    fragment_size: i64,
    flags: i64,
    spare: [i64; 4],
}

user_struct!(Statfs {
    kind,
    block_size,
    blocks,
    free,
    available,
    files,
    free_files,
    id,
    name_length,
    fragment_size,
    flags,
    spare,
});

/// `statfs(2)`.
pub(super) fn statfs(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.status_at(AT_FDCWD, arguments.path(0)?.as_bytes(), LastLink::Follow)?;
    put_statfs(arguments)
}

/// `fstatfs(2)`.
pub(super) fn fstatfs(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?;
    put_statfs(arguments)
}

fn put_statfs(arguments: &Arguments) -> Result<u64, Errno> {
    const TMPFS: i64 = 0x0102_1994;
    let frames = KERNEL.frames().statistics();
    arguments.pointer(1).write(&Statfs {
        kind: TMPFS,
        block_size: PAGE_SIZE as i64,
        blocks: frames.total,
        free: frames.free,
        available: frames.free,
        files: frames.total,
        free_files: frames.free,
        name_length: 255,
        fragment_size: PAGE_SIZE as i64,
        ..Statfs::default()
    })?;
    Ok(0)
}

/// `access(2)`.
pub(super) fn access(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, mode, ..]) = *arguments;
    check_access(thread, &Arguments([AT_FDCWD as u64, path, mode, 0, 0, 0]), 0)
}

/// `faccessat(2)`.
pub(super) fn faccessat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check_access(thread, arguments, 0)
}

/// `faccessat2(2)`.
pub(super) fn faccessat2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(3);
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    check_access(thread, arguments, flags)
}

/// The process is root: reading and writing is always permitted, but to what the kernel writes; executing if anybody may.
fn check_access(thread: &Thread, arguments: &Arguments, flags: u32) -> Result<u64, Errno> {
    const EXECUTE: u32 = 1;
    const WRITE: u32 = 2;
    let mode = arguments.u32(2);
    if mode & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let status = status_at(thread, arguments, flags)?;
    let kind = status.st_mode & S_IFMT;
    if mode & EXECUTE != 0 && kind != S_IFDIR && status.st_mode & 0o111 == 0 {
        return Err(Errno::EACCES);
    }
    let read_only = status.st_dev != crate::fs::status::TMPFS_DEVICE && status.st_mode & 0o222 == 0;
    if mode & WRITE != 0 && kind == S_IFREG && read_only {
        return Err(Errno::EACCES);
    }
    Ok(0)
}

/// `readlink(2)`.
pub(super) fn readlink(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, buffer, size, ..]) = *arguments;
    read_link(thread, &Arguments([AT_FDCWD as u64, path, buffer, size, 0, 0]))
}

/// `readlinkat(2)`.
pub(super) fn readlinkat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    read_link(thread, arguments)
}

fn read_link(thread: &Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let size = arguments.i32(3);
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    let path = arguments.path(1)?;
    if path.as_bytes().is_empty() && arguments.i32(0) == AT_FDCWD {
        return Err(Errno::ENOENT);
    }
    let target = thread.files.link_target(arguments.i32(0), path.as_bytes())?;
    let length = target.len().min(size as usize);
    UserSlice::new(arguments.u64(2), length as u64)?.write(&target[..length])?;
    Ok(length as u64)
}
