//! Moving bytes: read, write, their vector and position forms, lseek, getdents64, getrandom.

use abi::fs::O_NONBLOCK;
use abi::{Errno, Signal};

use super::Arguments;
use super::user::{TRANSFER_MAX, UserSlice};
use super::vectors::UserVectors;
use crate::fs::Position;
use crate::fs::transfer::{Sink, Source, put_generated};
use crate::process::Process;
use crate::random;

/// `read(2)`.
pub(super) fn read(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    read_at(process, arguments, Position::Current)
}

/// `pread64(2)`.
pub(super) fn pread64(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    read_at(process, arguments, position(arguments.u64(3))?)
}

/// `write(2)`.
pub(super) fn write(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    write_at(process, arguments, Position::Current)
}

/// `pwrite64(2)`.
pub(super) fn pwrite64(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    write_at(process, arguments, position(arguments.u64(3))?)
}

fn read_at(process: &mut Process, arguments: &Arguments, position: Position) -> Result<u64, Errno> {
    process.files.get(arguments.i32(0))?.check_readable()?;
    read_file(process, arguments.i32(0), position, arguments.buffer(1)?)
}

fn write_at(process: &mut Process, arguments: &Arguments, position: Position) -> Result<u64, Errno> {
    process.files.get(arguments.i32(0))?.check_writable()?;
    write_file(process, arguments.i32(0), position, arguments.buffer(1)?)
}

fn position(offset: u64) -> Result<Position, Errno> {
    if offset > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(Position::At(offset)) }
}

fn read_file(
    process: &mut Process,
    number: i32,
    position: Position,
    mut sink: impl Sink,
) -> Result<u64, Errno> {
    warn_of_deadlock(process.read_file(number, position, &mut sink), "read of an empty pipe")
}

fn write_file(
    process: &mut Process,
    number: i32,
    position: Position,
    mut source: impl Source,
) -> Result<u64, Errno> {
    let result = process.files.write(number, position, &mut source);
    if result == Err(Errno::EPIPE) {
        process.raise(Signal::SIGPIPE);
    }
    warn_of_deadlock(result, "write to a full pipe")
}

/// `readv(2)`.
pub(super) fn readv(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    process.files.get(arguments.i32(0))?.check_readable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        sink if sink.room() == 0 => Ok(0),
        sink => read_file(process, arguments.i32(0), Position::Current, sink),
    }
}

/// `writev(2)`.
pub(super) fn writev(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    process.files.get(arguments.i32(0))?.check_writable()?;
    match UserVectors::read(arguments.u64(1), arguments.u64(2))? {
        source if source.left() == 0 => Ok(0),
        source => write_file(process, arguments.i32(0), Position::Current, source),
    }
}

/// `lseek(2)`.
pub(super) fn lseek(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    process.files.seek(arguments.i32(0), arguments.u64(1) as i64, arguments.u32(2))
}

/// `getdents64(2)`.
pub(super) fn getdents64(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    process.files.get(arguments.i32(0))?;
    let mut buffer = UserSlice::new(arguments.u64(1), u64::from(arguments.u32(2)))?;
    Ok(process.files.read_directory(arguments.i32(0), &mut buffer)? as u64)
}

/// `pipe(2)`.
pub(super) fn pipe(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    make_pipe(process, arguments, 0)
}

/// `pipe2(2)`.
pub(super) fn pipe2(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(1);
    if flags & !(O_NONBLOCK | abi::fs::O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL); // O_DIRECT: packet mode is not there
    }
    make_pipe(process, arguments, flags)
}

fn make_pipe(process: &mut Process, arguments: &Arguments, flags: u32) -> Result<u64, Errno> {
    let (reader, writer) = process.files.pipe(flags)?;
    let written = arguments.pointer::<[i32; 2]>(0).write(&[reader, writer]);
    if written.is_err() {
        process.files.close(reader)?;
        process.files.close(writer)?;
    }
    written.map(|()| 0)
}

/// `getrandom(2)`: never waits, and never returns less than asked for but for a bad page.
pub(super) fn getrandom(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
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

/// Says in the log that a call that would wait for ever was refused.
fn warn_of_deadlock(result: Result<usize, Errno>, what: &str) -> Result<u64, Errno> {
    if result == Err(Errno::EDEADLK) {
        log::warn!("{what} would wait for ever: both ends belong to the one thread; EDEADLK");
    }
    result.map(|done| done as u64)
}
