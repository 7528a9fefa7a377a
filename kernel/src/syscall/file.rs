//! Open files: open, close, dup, fcntl, ioctl.

use abi::Errno;
use abi::fs::{
    AT_FDCWD, F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETPIPE_SZ,
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, F_SETFD,
    F_SETFL, F_SETLK, F_SETLKW, F_SETPIPE_SZ, FD_CLOEXEC, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_TRUNC, O_WRONLY,
    S_IFCHR, S_IFMT,
};
use abi::ioctl::{
    FIONBIO, FIONREAD, PROCMAP_QUERY, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGPGRP, TIOCGWINSZ, TIOCSCTTY,
    TIOCSPGRP, Termios, Winsize,
};
use abi::userfaultfd::USERFAULTFD_IOC_NEW;

use super::procmap::procmap_query;
use super::{Arguments, userfault};
use crate::fs::descriptors::OnExec;
use crate::fs::device::Device;
use crate::fs::open::{Object, OpenFile};
use crate::fs::pipe;
use crate::process::proc::query;
use crate::process::{Thread, table};

/// `open(2)`.
pub(super) fn open(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, AT_FDCWD, arguments, 0, arguments.u32(1), arguments.u32(2))
}

/// `creat(2)`.
pub(super) fn creat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, AT_FDCWD, arguments, 0, O_CREAT | O_WRONLY | O_TRUNC, arguments.u32(1))
}

/// `openat(2)`.
pub(super) fn openat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    open_at(thread, arguments.i32(0), arguments, 1, arguments.u32(2), arguments.u32(3))
}

fn open_at(
    thread: &mut Thread,
    base: i32,
    arguments: &Arguments,
    path: usize,
    flags: u32,
    permissions: u32,
) -> Result<u64, Errno> {
    let path = arguments.path(path)?;
    if path.as_bytes().is_empty() {
        return Err(Errno::ENOENT);
    }
    Ok(thread.files.open_at(base, path.as_bytes(), flags, permissions)? as u64)
}

/// `close(2)`.
pub(super) fn close(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.close(arguments.i32(0))?;
    Ok(0)
}

/// `close_range(2)`.
pub(super) fn close_range(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const CLOEXEC: u32 = 4;
    let (first, last, flags) = (arguments.u32(0), arguments.u32(1), arguments.u32(2));
    if first > last || flags & !CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    for number in thread.files.open_numbers()? {
        if !(first..=last).contains(&number.cast_unsigned()) {
            continue;
        }
        // What another thread has closed meanwhile is no error.
        let _closed = match flags {
            CLOEXEC => thread.files.set_on_exec(number, OnExec::Close),
            _ => thread.files.close(number),
        };
    }
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
        F_GETPIPE_SZ | F_SETPIPE_SZ if file.is_pipe() => Ok(pipe::CAPACITY as u64),
        F_GETPIPE_SZ | F_SETPIPE_SZ => Err(Errno::EBADF),
        F_ADD_SEALS => add_seals(&file, value),
        F_GET_SEALS => Ok(file.content().ok_or(Errno::EINVAL)?.1.seals().into()),
        // There is nobody who would hold one against us for long: record locks always succeed.
        F_SETLK | F_SETLKW => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn add_seals(file: &OpenFile, seals: u64) -> Result<u64, Errno> {
    const ALL: u64 =
        (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC) as u64;
    file.check_writable().map_err(|_| Errno::EPERM)?;
    if seals & !ALL != 0 {
        return Err(Errno::EINVAL);
    }
    let (number, content) = file.content().ok_or(Errno::EINVAL)?;
    content.add_seals(number, seals as u32)?;
    Ok(0)
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
    let file = thread.files.get(number)?;
    let flags = file.flags();
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
        PROCMAP_QUERY => {
            let pid = query::process_of_maps(&*thread.files.get(number)?).ok_or(Errno::ENOTTY)?;
            procmap_query(thread, pid, arguments.u64(2))?;
        }
        USERFAULTFD_IOC_NEW if file.object.is_device(Device::Userfaults) => {
            return userfault::open(thread, arguments.u32(2));
        }
        request if let Object::Userfaults(faults) = &file.object => {
            userfault::ioctl(faults, request, arguments.u64(2))?;
        }
        _ if file.object.is_device(Device::Userfaults) => return Err(Errno::EINVAL),
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
