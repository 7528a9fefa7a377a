//! Files by name and by number: open, close, stat, dup, fcntl, ioctl, links, directories.

use abi::Errno;
use abi::fs::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, F_DUPFD, F_DUPFD_CLOEXEC,
    F_GETFD, F_GETFL, F_GETPIPE_SZ, F_SETFD, F_SETFL, FD_CLOEXEC, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_TRUNC,
    O_WRONLY, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, Stat,
};
use abi::ioctl::{
    FIONBIO, FIONREAD, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGPGRP, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP,
    Termios, Winsize,
};

use super::Arguments;
use super::user::{UserPtr, UserSlice};
use crate::fs::descriptors::OnExec;
use crate::fs::path::LastLink;
use crate::fs::pipe;
use crate::fs::status::INITRAMFS_DEVICE;
use crate::process::{Thread, table};

/// `open(2)`.
pub(super) fn open(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, AT_FDCWD, arguments, 0, arguments.u32(1))
}

/// `creat(2)`.
pub(super) fn creat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, AT_FDCWD, arguments, 0, O_CREAT | O_WRONLY | O_TRUNC)
}

/// `openat(2)`.
pub(super) fn openat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, arguments.i32(0), arguments, 1, arguments.u32(2))
}

fn open_at(
    thread: &mut Thread,
    base: i32,
    arguments: &Arguments,
    path: usize,
    flags: u32,
) -> Result<u64, Errno> {
    let path = arguments.path(path)?;
    if path.as_bytes().is_empty() {
        return Err(Errno::ENOENT);
    }
    Ok(thread.files.open_at(base, path.as_bytes(), flags)? as u64)
}

/// `close(2)`.
pub(super) fn close(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.close(arguments.i32(0))?;
    Ok(0)
}

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
    let (base, path) = (arguments.i32(0), arguments.path(1)?);
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

/// The process is root: reading is always permitted, writing where the file system does, executing if
/// anybody may.
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
    if mode & WRITE != 0 && (kind == S_IFREG || kind == S_IFDIR) {
        if status.st_dev == INITRAMFS_DEVICE {
            return Err(Errno::EROFS);
        }
        if status.st_mode & 0o222 == 0 {
            return Err(Errno::EACCES);
        }
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
    let target = thread.files.link_target(arguments.i32(0), path.as_bytes())?;
    let length = target.len().min(size as usize);
    UserSlice::new(arguments.u64(2), length as u64)?.write(&target[..length])?;
    Ok(length as u64)
}

/// `getcwd(2)`: the length with the NUL.
pub(super) fn getcwd(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let mut path = thread.files.tree.path_of(thread.files.directory())?;
    path.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    path.push(0);
    if (path.len() as u64) > arguments.u64(1) {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(arguments.u64(0), path.len() as u64)?.write(&path)?;
    Ok(path.len() as u64)
}

/// `chdir(2)`.
pub(super) fn chdir(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.change_directory(arguments.path(0)?.as_bytes())?;
    Ok(0)
}

/// `dup(2)`.
pub(super) fn dup(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    Ok(thread.files.duplicate(arguments.i32(0), 0, OnExec::Keep)? as u64)
}

/// `dup2(2)`.
pub(super) fn dup2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (old, new) = (arguments.i32(0), arguments.i32(1));
    if old == new {
        thread.files.get(old)?;
        return Ok(new as u64);
    }
    Ok(thread.files.duplicate_to(old, new, OnExec::Keep)? as u64)
}

/// `dup3(2)`.
pub(super) fn dup3(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (old, new, flags) = (arguments.i32(0), arguments.i32(1), arguments.u32(2));
    if flags & !O_CLOEXEC != 0 || old == new {
        return Err(Errno::EINVAL);
    }
    let on_exec = if flags & O_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep };
    Ok(thread.files.duplicate_to(old, new, on_exec)? as u64)
}

/// `fcntl(2)`: descriptor and status flags, duplicates, the size of pipes.
pub(super) fn fcntl(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (number, value) = (arguments.i32(0), arguments.u64(2));
    let file = thread.files.get(number)?;
    match arguments.u32(1) {
        F_DUPFD => duplicate_from(thread, number, value, OnExec::Keep),
        F_DUPFD_CLOEXEC => duplicate_from(thread, number, value, OnExec::Close),
        F_GETFD if thread.files.on_exec(number)? == OnExec::Close => Ok(u64::from(FD_CLOEXEC)),
        F_GETFD => Ok(0),
        F_SETFD => {
            let close = value & u64::from(FD_CLOEXEC) != 0;
            thread.files.set_on_exec(number, if close { OnExec::Close } else { OnExec::Keep })?;
            Ok(0)
        }
        F_GETFL => Ok(u64::from(file.flags())),
        F_SETFL => {
            thread.files.set_status_flags(number, value as u32)?;
            Ok(0)
        }
        F_GETPIPE_SZ if file.is_pipe() => Ok(pipe::CAPACITY as u64),
        F_GETPIPE_SZ => Err(Errno::EBADF),
        _ => Err(Errno::EINVAL),
    }
}

fn duplicate_from(thread: &mut Thread, number: i32, lowest: u64, on_exec: OnExec) -> Result<u64, Errno> {
    let lowest = lowest as u32 as usize;
    if lowest >= thread.files.limit() {
        return Err(Errno::EINVAL);
    }
    Ok(thread.files.duplicate(number, lowest, on_exec)? as u64)
}

/// The console's modes: canonical input with echo, output as it is.
const CONSOLE: Termios = Termios {
    c_iflag: 0o2400,
    c_oflag: 0,
    c_cflag: 0o277,
    c_lflag: 0o105073,
    c_line: 0,
    c_cc: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
};
/// The size that the console says it has.
const CONSOLE_SIZE: Winsize = Winsize { ws_row: 25, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// `ioctl(2)`: what start-up code asks a terminal, and non-blocking mode. The console's modes cannot be
/// changed: setting them is accepted and has no effect.
pub(super) fn ioctl(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let number = arguments.i32(0);
    let flags = thread.files.get(number)?.flags();
    match arguments.u64(1) & 0xffff_ffff {
        FIONBIO => {
            let wanted = arguments.pointer::<i32>(2).read()? != 0;
            let flags = if wanted { flags | O_NONBLOCK } else { flags & !O_NONBLOCK };
            thread.files.set_status_flags(number, flags)?;
        }
        FIONREAD => {
            let waiting = thread.files.waiting_bytes(number)?.ok_or(Errno::ENOTTY)?;
            arguments.pointer::<i32>(2).write(&(waiting as i32))?;
        }
        request => console_ioctl(thread, number, request, arguments)?,
    }
    Ok(0)
}

fn console_ioctl(thread: &Thread, number: i32, request: u64, arguments: &Arguments) -> Result<(), Errno> {
    const CONSOLE_DEVICE: u64 = 5 << 8 | 1;
    let status = thread.files.status(number)?;
    if status.st_mode & S_IFMT != S_IFCHR || status.st_rdev != CONSOLE_DEVICE {
        return Err(Errno::ENOTTY);
    }
    match request {
        TCGETS => arguments.pointer(2).write(&CONSOLE),
        TIOCGWINSZ => arguments.pointer(2).write(&CONSOLE_SIZE),
        TIOCGPGRP => {
            let (group, _) = table::group_and_session(thread.pid()).ok_or(Errno::ENOTTY)?;
            arguments.pointer(2).write(&group)
        }
        TCSETS | TCSETSW | TCSETSF => arguments.pointer::<Termios>(2).read().map(|_| ()),
        TIOCSCTTY | TIOCSPGRP => Ok(()),
        _ => Err(Errno::ENOTTY),
    }
}
