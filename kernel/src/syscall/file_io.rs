//! Moving bytes: read, write, their vector and position forms, lseek, getdents64, getrandom.

use abi::fs::O_NONBLOCK;
use abi::{Errno, Signal};

use super::Arguments;
use super::user::{TRANSFER_MAX, UserSlice};
use super::vectors::UserVectors;
use crate::fs::Position;
use crate::fs::transfer::{Sink, Source, put_generated};
use crate::process::Thread;
use crate::random;

/// `read(2)`.
pub(super) fn read(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    read_at(thread, arguments, Position::Current)
}

/// `pread64(2)`.
pub(super) fn pread64(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    read_at(thread, arguments, position(arguments.u64(3))?)
}

/// `write(2)`.
pub(super) fn write(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    write_at(thread, arguments, Position::Current)
}

/// `pwrite64(2)`.
pub(super) fn pwrite64(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    write_at(thread, arguments, position(arguments.u64(3))?)
}

fn read_at(thread: &mut Thread, arguments: &Arguments, position: Position) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?.check_readable()?;
    read_file(thread, arguments.i32(0), position, arguments.buffer(1)?)
}

fn write_at(thread: &mut Thread, arguments: &Arguments, position: Position) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?.check_writable()?;
    write_file(thread, arguments.i32(0), position, arguments.buffer(1)?)
}

fn position(offset: u64) -> Result<Position, Errno> {
    if offset > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(Position::At(offset)) }
}

fn read_file(
    thread: &mut Thread,
    number: i32,
    position: Position,
    mut sink: impl Sink,
) -> Result<u64, Errno> {
    let result = thread.read_file(number, position, &mut sink);
    thread.restartable(result).map(|done| done as u64)
}

fn write_file(
    thread: &mut Thread,
    number: i32,
    position: Position,
    mut source: impl Source,
) -> Result<u64, Errno> {
    let result = thread.files.write(number, position, &mut source);
    if result == Err(Errno::EPIPE) {
        thread.raise(Signal::SIGPIPE);
    }
    thread.restartable(result).map(|done| done as u64)
}

/// `readv(2)`.
pub(super) fn readv(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?.check_readable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        sink if sink.room() == 0 => Ok(0),
        sink => read_file(thread, arguments.i32(0), Position::Current, sink),
    }
}

/// `writev(2)`.
pub(super) fn writev(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?.check_writable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        source if source.left() == 0 => Ok(0),
        source => write_file(thread, arguments.i32(0), Position::Current, source),
    }
}

/// `preadv(2)`.
pub(super) fn preadv(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([number, table, count, offset, ..]) = *arguments;
    preadv2(thread, &Arguments([number, table, count, offset, 0, 0]))
}

/// `preadv2(2)`: hints only; an offset of -1 is that of the file.
pub(super) fn preadv2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let position = vector_position(arguments)?;
    thread.files.get(arguments.i32(0))?.check_readable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        sink if sink.room() == 0 => Ok(0),
        sink => read_file(thread, arguments.i32(0), position, sink),
    }
}

/// `pwritev(2)`.
pub(super) fn pwritev(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([number, table, count, offset, ..]) = *arguments;
    pwritev2(thread, &Arguments([number, table, count, offset, 0, 0]))
}

/// `pwritev2(2)`: hints only; an offset of -1 is that of the file.
pub(super) fn pwritev2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let position = vector_position(arguments)?;
    thread.files.get(arguments.i32(0))?.check_writable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        source if source.left() == 0 => Ok(0),
        source => write_file(thread, arguments.i32(0), position, source),
    }
}

fn vector_position(arguments: &Arguments) -> Result<Position, Errno> {
    /// `RWF_HIPRI`, `RWF_DSYNC`, `RWF_SYNC`, `RWF_NOWAIT`: nothing here waits for a disk.
    const HINTS: u32 = 0xf;
    if arguments.u32(5) & !HINTS != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    match arguments.u64(3) {
        u64::MAX if arguments.u32(5) != 0 => Ok(Position::Current),
        offset => position(offset),
    }
}

/// `lseek(2)`.
pub(super) fn lseek(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.seek(arguments.i32(0), arguments.u64(1) as i64, arguments.u32(2))
}

/// `getdents64(2)`.
pub(super) fn getdents64(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.get(arguments.i32(0))?;
    let mut buffer = UserSlice::new(arguments.u64(1), u64::from(arguments.u32(2)))?;
    Ok(thread.files.read_directory(arguments.i32(0), &mut buffer)? as u64)
}

/// `pipe(2)`.
pub(super) fn pipe(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    make_pipe(thread, arguments, 0)
}

/// `pipe2(2)`.
pub(super) fn pipe2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(1);
    if flags & !(O_NONBLOCK | abi::fs::O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL); // O_DIRECT: packet mode is not there
    }
    make_pipe(thread, arguments, flags)
}

fn make_pipe(thread: &mut Thread, arguments: &Arguments, flags: u32) -> Result<u64, Errno> {
    let (reader, writer) = thread.files.pipe(flags)?;
    let written = arguments.pointer::<[i32; 2]>(0).write(&[reader, writer]);
    if written.is_err() {
        thread.files.close(reader)?;
        thread.files.close(writer)?;
    }
    written.map(|()| 0)
}

/// `getrandom(2)`: never waits, and never returns less than asked for but for a bad page.
pub(super) fn getrandom(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const RANDOM: u32 = 2;
    const INSECURE: u32 = 4;
    let flags = arguments.u32(2);
    if flags & !7 != 0 || flags & (RANDOM | INSECURE) == RANDOM | INSECURE {
        return Err(Errno::EINVAL);
    }
    let length = arguments.u64(1).min(TRANSFER_MAX);
    let mut buffer = UserSlice::new(arguments.u64(0), length)?;
    let done = put_generated(&mut buffer, length as usize, random::fill);
    if done == 0 && length > 0 { Err(Errno::EFAULT) } else { Ok(done as u64) }
}
