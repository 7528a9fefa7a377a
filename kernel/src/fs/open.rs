//! Open files: what descriptors refer to, and the I/O on it.
//!
//! An open file is an object, an offset and flags; descriptors made by `dup`, `fork` and kin share it. It is closed with the last
//! of them.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::fs::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY};

use super::content::{Content, copy_out};
use super::counter::Counter;
use super::device::Device;
use super::inode::{Inode, Kind};
use super::pipe::{self, Blocking, Pipe};
use super::procfs::{ProcFile, Subject};
use super::transfer::{Sink, Source};
use super::userfault::Userfaults;
use super::written::{Part, Piece, Written};
use crate::arch::shared::Shared;
use crate::process::trace;
use crate::sched::mutex::Mutex;

/// What an open file is.
pub(crate) enum Object {
    /// Something with an inode.
    Inode(Shared<Inode>),
    /// The trace, which is on meanwhile.
    Trace(Shared<Inode>, Tracing),
    /// The read end of a pipe.
    PipeReader(pipe::Reader),
    /// The write end of a pipe.
    PipeWriter(pipe::Writer),
    /// A counter (`eventfd(2)`).
    Counter(Counter),
    /// Faults that the program resolves itself (`userfaultfd(2)`).
    Userfaults(Userfaults),
}

/// Steps are recorded while this lives.
pub(crate) struct Tracing(());

impl Drop for Tracing {
    fn drop(&mut self) {
        trace::stop();
    }
}

impl Object {
    /// The object that is `inode`.
    pub(crate) fn of(inode: Shared<Inode>) -> Object {
        if let Kind::Proc(ProcFile { subject: Subject::Trace, .. }) = inode.kind {
            trace::start();
            return Object::Trace(inode, Tracing(()));
        }
        Object::Inode(inode)
    }

    /// Its inode; `None` for an end of a pipe, a counter, and faults.
    pub(crate) fn inode(&self) -> Option<&Shared<Inode>> {
        match self {
            Object::Inode(inode) | Object::Trace(inode, _) => Some(inode),
            Object::PipeReader(_) | Object::PipeWriter(_) | Object::Counter(_) | Object::Userfaults(_) => {
                None
            }
        }
    }

    /// Whether it is this device.
    pub(crate) fn is_device(&self, device: Device) -> bool {
        self.inode().is_some_and(|inode| matches!(inode.kind, Kind::Device(own) if own == device))
    }

    /// The pipe that it is an end of.
    pub(crate) fn pipe(&self) -> Option<&Pipe> {
        match self {
            Object::PipeReader(reader) => Some(reader.pipe()),
            Object::PipeWriter(writer) => Some(writer.pipe()),
            Object::Inode(_) | Object::Trace(..) | Object::Counter(_) | Object::Userfaults(_) => None,
        }
    }

    /// What a link in `/proc` says of what has no path. Errors: those of `text`.
    pub(crate) fn describe(&self, text: &mut impl fmt::Write) -> fmt::Result {
        match (self, self.pipe()) {
            (_, Some(pipe)) => write!(text, "pipe:[{}]", pipe.inode),
            (Object::Userfaults(_), None) => write!(text, "anon_inode:[userfaultfd]"),
            _ => write!(text, "anon_inode:[eventfd]"),
        }
    }

    /// Whether it has no positions: pipes, counters, faults, the console, the trace.
    pub(crate) fn is_stream(&self) -> bool {
        match self {
            Object::Inode(inode) => matches!(inode.kind, Kind::Device(Device::Console)),
            _ => true,
        }
    }
}

/// Where a read or write takes place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Position {
    /// At the offset of the open file, which moves on.
    Current,
    /// At this offset in bytes; that of the open file stays.
    At(u64),
}

/// An open file.
pub(crate) struct OpenFile {
    /// What it is.
    pub(crate) object: Object,
    /// Access mode and status flags, as `F_GETFL` returns them.
    flags: AtomicU32,
    /// Where it is. Held by calls that move it; those on streams do not.
    pub(crate) cursor: Mutex<Cursor>,
}

/// Where an open file is.
#[derive(Default)]
pub(crate) struct Cursor {
    /// Next byte to read, or the next entry of a directory.
    pub(crate) offset: u64,
    /// The steps of a trace as they were last taken, or the records of a directory.
    pub(super) text: Vec<u8>,
    /// The text of any other [`ProcFile`].
    written: Written,
}

impl Cursor {
    /// Where a transfer at `position` begins, in bytes.
    fn offset_of(&self, position: Position) -> u64 {
        match position {
            Position::Current => self.offset,
            Position::At(offset) => offset,
        }
    }

    /// A transfer at `position` has moved `done` bytes.
    fn advance(&mut self, position: Position, done: usize) {
        if position == Position::Current {
            self.offset = self.offset.saturating_add(done as u64);
        }
    }
}

impl OpenFile {
    /// Opens `object` with these flags. Errors: `ENOMEM`.
    pub(crate) fn open(object: Object, flags: u32) -> Result<Shared<OpenFile>, Errno> {
        let cursor = Mutex::new(Cursor::default());
        Ok(Shared::new(OpenFile { object, flags: AtomicU32::new(flags), cursor })?)
    }

    /// Access mode and status flags.
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Sets those of the status flags that are in `mask`.
    pub(crate) fn set_flags(&self, flags: u32, mask: u32) {
        let change = |old| Some(old & !mask | flags & mask);
        let _always = self.flags.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// The content of a regular file, and the number of its inode.
    pub(crate) fn content(&self) -> Option<(u64, &Content)> {
        let inode = self.object.inode()?;
        Some((inode.number, inode.content()?))
    }

    /// Whether it is an end of a pipe.
    pub(crate) fn is_pipe(&self) -> bool {
        self.object.pipe().is_some()
    }

    fn blocking(&self) -> Blocking {
        if self.flags() & O_NONBLOCK != 0 { Blocking::DoNotWait } else { Blocking::Wait }
    }

    /// `EBADF` unless it is open for reading.
    pub(crate) fn check_readable(&self) -> Result<(), Errno> {
        if self.flags() & O_PATH != 0 || self.flags() & O_ACCMODE == O_WRONLY {
            Err(Errno::EBADF)
        } else {
            Ok(())
        }
    }

    /// `EBADF` unless it is open for writing.
    pub(crate) fn check_writable(&self) -> Result<(), Errno> {
        if self.flags() & O_PATH != 0 || self.flags() & O_ACCMODE == O_RDONLY {
            Err(Errno::EBADF)
        } else {
            Ok(())
        }
    }

    /// What it is ready for. Only pipes, counters and faults ever wait.
    pub(crate) fn readiness(&self) -> Readiness {
        let always = Readiness { readable: true, writable: true, broken: false, without_writers: false };
        match &self.object {
            Object::Inode(_) | Object::Trace(..) => always,
            Object::Counter(counter) => {
                Readiness { readable: counter.is_readable(), writable: counter.is_writable(), ..always }
            }
            Object::Userfaults(faults) => {
                // Who waits for messages by polling is not to wait in the read.
                let broken = !faults.has_agreed() || self.blocking() == Blocking::Wait;
                let readable = !broken && faults.has_message();
                Readiness { readable, writable: false, broken, ..always }
            }
            Object::PipeReader(reader) => {
                let (readable, without_writers) = (reader.pipe().len() > 0, !reader.pipe().has_writer());
                Readiness { readable, writable: false, without_writers, ..always }
            }
            Object::PipeWriter(writer) => {
                let pipe = writer.pipe();
                let (writable, broken) = (pipe.len() < pipe::CAPACITY, !pipe.has_reader());
                Readiness { readable: false, writable, broken, ..always }
            }
        }
    }

    /// `read(2)`: moves bytes from the file to `sink`; returns how many, 0 at the end.
    ///
    /// Errors: `EBADF`, `EISDIR`, `EFAULT`, `ENOMEM`, `ESPIPE` for a position in a stream, those of pipes and of
    /// `generate`.
    pub(crate) fn read(
        &self,
        position: Position,
        sink: &mut dyn Sink,
        generate: Generate<'_>,
    ) -> Result<usize, Errno> {
        self.check_readable()?;
        if position != Position::Current && self.object.is_stream() {
            return Err(Errno::ESPIPE);
        }
        let inode = match &self.object {
            Object::PipeWriter(_) => return Err(Errno::EBADF),
            Object::PipeReader(reader) => return reader.read(sink, self.blocking()),
            Object::Counter(counter) => return counter.read(sink, self.blocking()),
            Object::Userfaults(faults) => return faults.read(sink, self.blocking()),
            Object::Inode(inode) | Object::Trace(inode, _) => inode,
        };
        if let Kind::Device(device) = inode.kind {
            return device.read(sink);
        }
        if let (Kind::File(content), Position::At(offset)) = (&inode.kind, position) {
            return content.read(offset, sink);
        }
        let mut cursor = self.cursor.lock();
        let offset = cursor.offset_of(position);
        let done = match &inode.kind {
            Kind::Directory(_) | Kind::ProcDirectory(_) => return Err(Errno::EISDIR),
            Kind::Symlink(_) | Kind::ProcLink(_) | Kind::Device(_) => return Err(Errno::EBADF),
            Kind::File(content) => content.read(offset, sink)?,
            Kind::Setting(setting) => setting.read(offset, sink)?,
            Kind::Proc(file @ ProcFile { subject: Subject::Trace, .. }) => {
                if cursor.offset >= cursor.text.len() as u64 {
                    (cursor.text, cursor.offset) = (generate(*file, Part::WHOLE)?.text, 0);
                }
                copy_out(&cursor.text, cursor.offset, sink)?
            }
            Kind::Proc(file) => cursor.written.read(offset, sink, &|part| generate(*file, part))?,
        };
        cursor.advance(position, done);
        Ok(done)
    }

    /// `write(2)`: moves bytes from `source` to the file; returns how many.
    ///
    /// Errors: `EBADF`, `EFAULT`, `ENOMEM`, `ESPIPE` for a position in a stream, those of files, pipes and settings.
    pub(crate) fn write(&self, position: Position, source: &mut dyn Source) -> Result<usize, Errno> {
        self.check_writable()?;
        if position != Position::Current && self.object.is_stream() {
            return Err(Errno::ESPIPE);
        }
        let inode = match &self.object {
            Object::PipeReader(_) | Object::Trace(..) | Object::Userfaults(_) => return Err(Errno::EBADF),
            Object::PipeWriter(writer) => return writer.write(source, self.blocking()),
            Object::Counter(counter) => return counter.write(source, self.blocking()),
            Object::Inode(inode) => inode,
        };
        match &inode.kind {
            Kind::Device(device) => device.write(source),
            Kind::File(content) => {
                let mut cursor = self.cursor.lock();
                let offset = cursor.offset_of(position);
                let offset = if self.flags() & O_APPEND != 0 { None } else { Some(offset) };
                let (end, done) = content.write(inode.number, offset, source)?;
                if position == Position::Current {
                    cursor.offset = end;
                }
                inode.touch_modified();
                Ok(done)
            }
            Kind::Setting(setting) => {
                let mut cursor = self.cursor.lock();
                let done = setting.write(cursor.offset_of(position), source)?;
                cursor.advance(position, done);
                Ok(done)
            }
            // What is set there has no effect.
            Kind::Proc(_) => Ok(source.left()),
            _ => Err(Errno::EBADF), // cannot be open for writing
        }
    }
}

/// What a file is ready for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Readiness {
    /// A read does not wait.
    pub(crate) readable: bool,
    /// A write does not wait.
    pub(crate) writable: bool,
    /// It is the write end of a pipe whose read end is closed, or faults that cannot be waited for.
    pub(crate) broken: bool,
    /// It is the read end of a pipe whose write end is closed.
    pub(crate) without_writers: bool,
}

/// Writes a part of the text of a [`ProcFile`]; errors: `ENOMEM`, `ESRCH`.
pub(crate) type Generate<'a> = &'a dyn Fn(ProcFile, Part) -> Result<Piece, Errno>;
