//! Contents of files as a whole: truncate, fallocate, sync, advice; copies between files; counters.

use alloc::vec::Vec;

use abi::fs::{AT_FDCWD, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, O_APPEND, O_CLOEXEC, O_NONBLOCK};
use abi::{Errno, Signal};

use super::Arguments;
use super::user::UserPtr;
use crate::arch::shared::Shared;
use crate::fs::Position;
use crate::fs::content::{KernelBuffer, Size};
use crate::fs::counter::{Counter, Take};
use crate::fs::inode::Inode;
use crate::fs::open::OpenFile;
use crate::fs::path::LastLink;
use crate::fs::transfer::Source;
use crate::process::Thread;

/// Bytes that go through the kernel at once.
const PIECE: usize = 16384;

/// `truncate(2)`.
pub(super) fn truncate(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let size = size(arguments.u64(1))?;
    let path = arguments.path(0)?;
    let inode = thread.files.lookup(AT_FDCWD, path.as_bytes(), LastLink::Follow)?.found()?;
    let error = if inode.is_directory() { Errno::EISDIR } else { Errno::EINVAL };
    inode.content().ok_or(error)?.set_size(inode.number, size)?;
    inode.touch_modified();
    Ok(0)
}

/// `ftruncate(2)`.
pub(super) fn ftruncate(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let size = size(arguments.u64(1))?;
    let file = thread.files.get(arguments.i32(0))?;
    let inode = regular(&file)?;
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    inode.content().ok_or(Errno::EINVAL)?.set_size(inode.number, size)?;
    inode.touch_modified();
    Ok(0)
}

fn size(size: u64) -> Result<u64, Errno> {
    if size > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(size) }
}

fn regular(file: &OpenFile) -> Result<&Shared<Inode>, Errno> {
    file.object.inode().filter(|inode| inode.content().is_some()).ok_or(Errno::EINVAL)
}

/// `fallocate(2)`: space, and holes.
pub(super) fn fallocate(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (mode, offset, length) = (arguments.u32(1), arguments.u64(2), arguments.u64(3));
    let file = thread.files.get(arguments.i32(0))?;
    if offset > i64::MAX as u64 || length == 0 || length > i64::MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let hole = mode & FALLOC_FL_PUNCH_HOLE != 0;
    let keep = mode & FALLOC_FL_KEEP_SIZE != 0;
    if mode & !(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) != 0 || (hole && !keep) {
        return Err(Errno::EOPNOTSUPP);
    }
    file.check_writable()?;
    let error = if file.is_pipe() { Errno::ESPIPE } else { Errno::ENODEV };
    let inode = regular(&file).map_err(|_| error)?;
    let content = inode.content().ok_or(Errno::ENODEV)?;
    if hole {
        content.punch(inode.number, offset, length)?;
    } else {
        content.allocate(inode.number, offset, length, if keep { Size::Stays } else { Size::Grows })?;
    }
    inode.touch_modified();
    Ok(0)
}

/// `fsync(2)`, `fdatasync(2)`, `syncfs(2)`: everything is in memory.
pub(super) fn fsync(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let file = thread.files.get(arguments.i32(0))?;
    if file.object.inode().is_some() { Ok(0) } else { Err(Errno::EINVAL) }
}

/// `sync(2)`.
pub(super) fn sync(_: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(0)
}

/// `fadvise64(2)`, `readahead(2)`, `flock(2)`: there is nothing to do.
pub(super) fn nothing_for_file(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?;
    Ok(0)
}

/// A piece of a file on its way.
struct Piece<'a>(&'a [u8]);

impl Source for Piece<'_> {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, into: &mut [u8]) -> usize {
        let (taken, rest) = self.0.split_at(into.len().min(self.0.len()));
        into[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        taken.len()
    }
}

/// One side of a copy.
struct Side {
    number: i32,
    /// Where it takes place; `None` for the offset of the file.
    offset: Option<u64>,
}

impl Side {
    fn position(&self) -> Position {
        self.offset.map_or(Position::Current, Position::At)
    }

    fn advance(&mut self, bytes: u64) {
        if let Some(offset) = &mut self.offset {
            *offset += bytes;
        }
    }
}

/// Copies up to `length` bytes through the kernel; returns how many.
fn copy(thread: &mut Thread, from: &mut Side, to: &mut Side, length: u64) -> Result<u64, Errno> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(PIECE).map_err(|_| Errno::ENOMEM)?;
    buffer.resize(PIECE, 0);
    let mut done = 0;
    while done < length {
        let wanted = PIECE.min((length - done) as usize);
        let mut sink = KernelBuffer { bytes: &mut buffer[..wanted], done: 0 };
        let read = match thread.read_file(from.number, from.position(), &mut sink) {
            Err(error) if done == 0 => return Err(error),
            Err(_) | Ok(0) => break,
            Ok(read) => read,
        };
        let written = thread.files.write(to.number, to.position(), &mut Piece(&buffer[..read]));
        if written == Err(Errno::EPIPE) {
            thread.raise(Signal::SIGPIPE);
        }
        let moved = match written {
            Err(error) if done == 0 => {
                give_back(thread, from, read as u64);
                return Err(error);
            }
            result => result.unwrap_or(0),
        };
        give_back(thread, from, (read - moved) as u64);
        from.advance(moved as u64);
        to.advance(moved as u64);
        done += moved as u64;
        if moved < read {
            break;
        }
    }
    Ok(done)
}

/// Lets what was read from a file, but not written, be read again.
fn give_back(thread: &Thread, from: &Side, bytes: u64) {
    if from.offset.is_none() && bytes > 0 {
        // What cannot seek is gone.
        let _lost = thread.files.seek(from.number, -(bytes as i64), abi::fs::SEEK_CUR);
    }
}

/// `sendfile(2)`.
pub(super) fn sendfile(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let pointer = arguments.optional::<u64>(2);
    let offset = pointer.as_ref().map(UserPtr::read).transpose()?;
    thread.files.get(arguments.i32(1))?.check_readable()?;
    let out = thread.files.get(arguments.i32(0))?;
    out.check_writable()?;
    if out.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL);
    }
    let mut from = Side { number: arguments.i32(1), offset };
    let mut to = Side { number: arguments.i32(0), offset: None };
    let done = copy(thread, &mut from, &mut to, arguments.u64(3))?;
    if let (Some(pointer), Some(offset)) = (pointer, from.offset) {
        pointer.write(&offset)?;
    }
    Ok(done)
}

/// `copy_file_range(2)`.
pub(super) fn copy_file_range(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (source, target) = (arguments.optional::<u64>(1), arguments.optional::<u64>(3));
    let (input, output) = (thread.files.get(arguments.i32(0))?, thread.files.get(arguments.i32(2))?);
    input.check_readable()?;
    output.check_writable()?;
    if arguments.u32(5) != 0 {
        return Err(Errno::EINVAL);
    }
    regular(&input)?;
    regular(&output)?;
    if output.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    let read = |pointer: &Option<UserPtr<u64>>| pointer.as_ref().map(UserPtr::read).transpose();
    let mut from = Side { number: arguments.i32(0), offset: read(&source)? };
    let mut to = Side { number: arguments.i32(2), offset: read(&target)? };
    let done = copy(thread, &mut from, &mut to, arguments.u64(4))?;
    for (pointer, side) in [(source, from), (target, to)] {
        if let (Some(pointer), Some(offset)) = (pointer, side.offset) {
            pointer.write(&offset)?;
        }
    }
    Ok(done)
}

/// `eventfd(2)`.
pub(super) fn eventfd(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([value, ..]) = *arguments;
    eventfd2(thread, &Arguments([value, 0, 0, 0, 0, 0]))
}

/// `eventfd2(2)`.
pub(super) fn eventfd2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const SEMAPHORE: u32 = 1;
    let flags = arguments.u32(1);
    if flags & !(SEMAPHORE | O_NONBLOCK | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    let take = if flags & SEMAPHORE != 0 { Take::One } else { Take::All };
    Ok(thread.files.counter(Counter::new(arguments.u32(0), take), flags)? as u64)
}
