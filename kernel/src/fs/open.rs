//! Open files: what descriptors refer to, and the I/O on it.
//!
//! An open file is an object, an offset and flags; descriptors made by `dup`, `fork` and kin share it. It is closed with the last
//! of them.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::Errno;
use abi::fs::{O_ACCMODE, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY};

use super::device::Device;
use super::pipe::{self, Blocking, Pipe};
use super::transfer::{Sink, Source};
use super::tree::{Kind, NodeId, Tree};
use crate::arch::shared::Shared;
use crate::process::trace;
use crate::sched::mutex::Mutex;

/// A file whose text is written when it is read: anew by each read from offset 0, but for the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProcFile {
    /// `/proc/self/maps`.
    Maps,
    /// `/proc/vmstat`.
    Vmstat,
    /// `/proc/sugarbush/trace`: the steps since the last read; tracing is on while it is open.
    Trace,
}

/// What an open file is.
pub(crate) enum Object {
    /// Something with a name.
    Node(NodeId),
    /// The trace, which is on meanwhile.
    Trace(NodeId, Tracing),
    /// The read end of a pipe.
    PipeReader(pipe::Reader),
    /// The write end of a pipe.
    PipeWriter(pipe::Writer),
}

/// Steps are recorded while this lives.
pub(crate) struct Tracing(());

impl Drop for Tracing {
    fn drop(&mut self) {
        trace::stop();
    }
}

impl Object {
    /// The object with this name.
    pub(crate) fn node(tree: &Tree, node: NodeId) -> Object {
        if let Kind::Proc(ProcFile::Trace) = tree.node(node).kind {
            trace::start();
            return Object::Trace(node, Tracing(()));
        }
        Object::Node(node)
    }

    /// Its place in the name space; `None` for an end of a pipe.
    pub(crate) fn named(&self) -> Option<NodeId> {
        match *self {
            Object::Node(node) | Object::Trace(node, _) => Some(node),
            Object::PipeReader(_) | Object::PipeWriter(_) => None,
        }
    }

    /// The pipe that it is an end of.
    pub(crate) fn pipe(&self) -> Option<&Pipe> {
        match self {
            Object::PipeReader(reader) => Some(reader.pipe()),
            Object::PipeWriter(writer) => Some(writer.pipe()),
            Object::Node(_) | Object::Trace(..) => None,
        }
    }

    /// Whether it has no positions: pipes, the console, the trace.
    pub(crate) fn is_stream(&self, tree: &Tree) -> bool {
        match *self {
            Object::Node(node) => matches!(tree.node(node).kind, Kind::Device(Device::Console)),
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
    /// Text of a [`ProcFile`] as it was last written.
    text: Vec<u8>,
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

    /// What it is ready for. Only pipes ever wait.
    pub(crate) fn readiness(&self) -> Readiness {
        let always =
            Readiness { readable: true, writable: true, without_readers: false, without_writers: false };
        match &self.object {
            Object::Node(_) | Object::Trace(..) => always,
            Object::PipeReader(reader) => {
                let (readable, without_writers) = (reader.pipe().len() > 0, !reader.pipe().has_writer());
                Readiness { readable, writable: false, without_writers, ..always }
            }
            Object::PipeWriter(writer) => {
                let pipe = writer.pipe();
                let (writable, without_readers) = (pipe.len() < pipe::CAPACITY, !pipe.has_reader());
                Readiness { readable: false, writable, without_readers, ..always }
            }
        }
    }

    /// `read(2)`: moves bytes from the file to `sink`; returns how many, 0 at the end.
    ///
    /// Errors: `EBADF`, `EISDIR`, `EFAULT`, `ESPIPE` for a position in a stream, those of pipes and of
    /// `generate`.
    pub(crate) fn read(
        &self,
        tree: &Tree,
        position: Position,
        sink: &mut dyn Sink,
        generate: &dyn Fn(ProcFile) -> Result<Vec<u8>, Errno>,
    ) -> Result<usize, Errno> {
        self.check_readable()?;
        if position != Position::Current && self.object.is_stream(tree) {
            return Err(Errno::ESPIPE);
        }
        let node = match &self.object {
            Object::PipeWriter(_) => return Err(Errno::EBADF),
            Object::PipeReader(reader) => return reader.read(sink, self.blocking()),
            Object::Node(node) | Object::Trace(node, _) => *node,
        };
        if let Kind::Device(device) = tree.node(node).kind {
            return device.read(sink);
        }
        let mut cursor = self.cursor.lock();
        let offset = cursor.offset_of(position);
        let done = match &tree.node(node).kind {
            Kind::Directory(_) => return Err(Errno::EISDIR),
            Kind::Symlink(_) | Kind::ExeLink | Kind::Device(_) => return Err(Errno::EBADF),
            Kind::File(content) => copy_out(content, offset, sink)?,
            Kind::Setting(setting) => setting.read(offset, sink)?,
            Kind::Proc(ProcFile::Trace) => {
                if cursor.offset >= cursor.text.len() as u64 {
                    (cursor.text, cursor.offset) = (generate(ProcFile::Trace)?, 0);
                }
                copy_out(&cursor.text, cursor.offset, sink)?
            }
            Kind::Proc(kind) => {
                if offset == 0 || cursor.text.is_empty() {
                    cursor.text = generate(*kind)?;
                }
                copy_out(&cursor.text, offset, sink)?
            }
        };
        cursor.advance(position, done);
        Ok(done)
    }

    /// `write(2)`: moves bytes from `source` to the file; returns how many.
    ///
    /// Errors: `EBADF`, `EFAULT`, `ESPIPE` for a position in a stream, those of pipes and settings. The files of the
    /// initramfs are read only.
    pub(crate) fn write(
        &self,
        tree: &Tree,
        position: Position,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        self.check_writable()?;
        if position != Position::Current && self.object.is_stream(tree) {
            return Err(Errno::ESPIPE);
        }
        match &self.object {
            Object::PipeReader(_) | Object::Trace(..) => Err(Errno::EBADF),
            Object::PipeWriter(writer) => writer.write(source, self.blocking()),
            Object::Node(node) => match &tree.node(*node).kind {
                Kind::Device(device) => device.write(source),
                Kind::Setting(setting) => {
                    let mut cursor = self.cursor.lock();
                    let done = setting.write(cursor.offset_of(position), source)?;
                    cursor.advance(position, done);
                    Ok(done)
                }
                _ => Err(Errno::EBADF), // cannot be open for writing
            },
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
    /// It is the write end of a pipe whose read end is closed.
    pub(crate) without_readers: bool,
    /// It is the read end of a pipe whose write end is closed.
    pub(crate) without_writers: bool,
}

/// Writes the text of a [`ProcFile`]; errors: `ENOMEM`.
pub(crate) type Generate<'a> = &'a dyn Fn(ProcFile, Exe<'_>) -> Result<Vec<u8>, Errno>;

/// The program of a process, as the files of `/proc` name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exe<'a> {
    /// Its path.
    pub(crate) path: &'a [u8],
    /// Its inode number.
    pub(crate) inode: u64,
}

fn copy_out(content: &[u8], offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
    let wanted = rest.len().min(sink.room());
    let done = sink.put(&rest[..wanted]);
    if done == 0 && wanted > 0 { Err(Errno::EFAULT) } else { Ok(done) }
}
