//! Open files: what descriptors refer to, and the I/O on it.
//!
//! An open file is an object, an offset and flags; descriptors made by `dup` share it. Files and pipes lie in
//! two tables and are named by index, so that every allocation here is fallible. Invariants: an entry lives
//! as long as its `references` is above 0; each end of a pipe is at most one open file; a pipe lives as long
//! as one of its ends.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{O_ACCMODE, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY};

use super::device::Device;
use super::pipe::{self, Blocking, Pipe};
use super::transfer::{Sink, Source};
use super::tree::{Kind, NodeId, Tree};
use crate::process::trace;

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Object {
    /// Something with a name.
    Node(NodeId),
    /// The read end of a pipe.
    PipeReader(PipeId),
    /// The write end of a pipe.
    PipeWriter(PipeId),
}

/// Index of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PipeId(usize);

/// Index of an open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId(usize);

/// Where a read or write takes place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Position {
    /// At the offset of the open file, which moves on.
    Current,
    /// At this offset in bytes; that of the open file stays.
    At(u64),
}

/// An open file.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// What it is.
    pub(crate) object: Object,
    /// Access mode and status flags, as `F_GETFL` returns them.
    pub(crate) flags: u32,
    /// Next byte to read, or the next entry of a directory.
    pub(crate) offset: u64,
    /// Descriptors that stand for it.
    references: u32,
    /// Text of a [`ProcFile`] as it was last written.
    text: Vec<u8>,
}

impl OpenFile {
    /// Whether it is an end of a pipe.
    pub(crate) fn is_pipe(&self) -> bool {
        matches!(self.object, Object::PipeReader(_) | Object::PipeWriter(_))
    }

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

    fn blocking(&self) -> Blocking {
        if self.flags & O_NONBLOCK != 0 { Blocking::DoNotWait } else { Blocking::Wait }
    }

    /// `EBADF` unless it is open for reading.
    pub(crate) fn check_readable(&self) -> Result<(), Errno> {
        if self.flags & O_PATH != 0 || self.flags & O_ACCMODE == O_WRONLY {
            Err(Errno::EBADF)
        } else {
            Ok(())
        }
    }

    /// `EBADF` unless it is open for writing.
    pub(crate) fn check_writable(&self) -> Result<(), Errno> {
        if self.flags & O_PATH != 0 || self.flags & O_ACCMODE == O_RDONLY {
            Err(Errno::EBADF)
        } else {
            Ok(())
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

/// All open files and pipes. Owned by the one process.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    files: Vec<Option<OpenFile>>,
    pipes: Vec<Option<Pipe>>,
}

impl OpenFiles {
    /// None open.
    pub(crate) const fn new() -> OpenFiles {
        OpenFiles { files: Vec::new(), pipes: Vec::new() }
    }

    /// Opens `object` with these flags; one reference, which the caller keeps. Errors: `ENOMEM`.
    pub(crate) fn open(&mut self, tree: &Tree, object: Object, flags: u32) -> Result<FileId, Errno> {
        let id =
            place(&mut self.files, OpenFile { object, flags, offset: 0, references: 1, text: Vec::new() })?;
        if is_trace(tree, object) {
            trace::start();
        }
        Ok(FileId(id))
    }

    /// A new pipe with these status flags: read end and write end. Errors: `ENOMEM`.
    pub(crate) fn open_pipe(&mut self, tree: &Tree, flags: u32) -> Result<(FileId, FileId), Errno> {
        self.files.try_reserve(2).map_err(|_| Errno::ENOMEM)?;
        let pipe = PipeId(place(&mut self.pipes, Pipe::new())?);
        let reader = self.open(tree, Object::PipeReader(pipe), flags | O_RDONLY)?;
        let writer = self.open(tree, Object::PipeWriter(pipe), flags | O_WRONLY)?;
        Ok((reader, writer))
    }

    /// The open file. Ids come from this table and hold a reference, so that it exists.
    pub(crate) fn get(&self, id: FileId) -> Result<&OpenFile, Errno> {
        self.files.get(id.0).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    /// The open file, to change it.
    pub(crate) fn get_mut(&mut self, id: FileId) -> Result<&mut OpenFile, Errno> {
        self.files.get_mut(id.0).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// The pipe behind an end.
    pub(crate) fn pipe(&self, id: PipeId) -> Option<&Pipe> {
        self.pipes.get(id.0)?.as_ref()
    }

    /// What an open file is ready for. Only pipes ever wait.
    pub(crate) fn readiness(&self, id: FileId) -> Result<Readiness, Errno> {
        let always =
            Readiness { readable: true, writable: true, without_readers: false, without_writers: false };
        Ok(match self.get(id)?.object {
            Object::Node(_) => always,
            Object::PipeReader(pipe) => {
                let pipe = self.pipe(pipe).ok_or(Errno::EBADF)?;
                let (readable, without_writers) = (pipe.len() > 0, !pipe.has_writer);
                Readiness { readable, writable: false, without_writers, ..always }
            }
            Object::PipeWriter(pipe) => {
                let pipe = self.pipe(pipe).ok_or(Errno::EBADF)?;
                let (writable, without_readers) = (pipe.len() < pipe::CAPACITY, !pipe.has_reader);
                Readiness { readable: false, writable, without_readers, ..always }
            }
        })
    }

    /// Inode number of a pipe.
    pub(crate) fn inode(&self, id: PipeId) -> u64 {
        id.0 as u64 + 1
    }

    /// One more reference.
    pub(crate) fn retain(&mut self, id: FileId) {
        if let Ok(file) = self.get_mut(id) {
            file.references += 1;
        }
    }

    /// One reference less; the last one closes the file.
    pub(crate) fn release(&mut self, tree: &Tree, id: FileId) {
        let Some(slot) = self.files.get_mut(id.0) else { return };
        let Some(file) = slot else { return };
        file.references -= 1;
        if file.references > 0 {
            return;
        }
        let object = file.object;
        *slot = None;
        match object {
            Object::Node(_) if is_trace(tree, object) => trace::stop(),
            Object::Node(_) => {}
            Object::PipeReader(pipe) => self.close_end(pipe, |pipe| pipe.has_reader = false),
            Object::PipeWriter(pipe) => self.close_end(pipe, |pipe| pipe.has_writer = false),
        }
    }

    fn close_end(&mut self, id: PipeId, close: impl FnOnce(&mut Pipe)) {
        let Some(slot) = self.pipes.get_mut(id.0) else { return };
        if let Some(pipe) = slot {
            close(pipe);
            if !pipe.has_reader && !pipe.has_writer {
                *slot = None;
            }
        }
    }

    /// `read(2)`: moves bytes from the file to `sink`; returns how many, 0 at the end.
    ///
    /// Errors: `EBADF`, `EISDIR`, `EFAULT`, `ESPIPE` for a position in a stream, those of pipes and of
    /// `generate`.
    pub(crate) fn read(
        &mut self,
        tree: &Tree,
        id: FileId,
        position: Position,
        sink: &mut dyn Sink,
        generate: &dyn Fn(ProcFile) -> Result<Vec<u8>, Errno>,
    ) -> Result<usize, Errno> {
        let file = self.get_mut(id)?;
        file.check_readable()?;
        if position != Position::Current && is_stream(tree, file.object) {
            return Err(Errno::ESPIPE);
        }
        let node = match file.object {
            Object::PipeWriter(_) => return Err(Errno::EBADF),
            Object::PipeReader(pipe) => {
                let blocking = file.blocking();
                let pipe = self.pipes.get_mut(pipe.0).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
                return pipe.read(sink, blocking);
            }
            Object::Node(node) => node,
        };
        let offset = file.offset_of(position);
        let done = match &tree.node(node).kind {
            Kind::Directory(_) => return Err(Errno::EISDIR),
            Kind::Symlink(_) | Kind::ExeLink => return Err(Errno::EBADF),
            Kind::Device(device) => return device.read(sink),
            Kind::File(content) => copy_out(content, offset, sink)?,
            Kind::Setting(setting) => setting.read(offset, sink)?,
            Kind::Proc(ProcFile::Trace) => {
                if file.offset >= file.text.len() as u64 {
                    (file.text, file.offset) = (generate(ProcFile::Trace)?, 0);
                }
                copy_out(&file.text, file.offset, sink)?
            }
            Kind::Proc(kind) => {
                if offset == 0 || file.text.is_empty() {
                    file.text = generate(*kind)?;
                }
                copy_out(&file.text, offset, sink)?
            }
        };
        file.advance(position, done);
        Ok(done)
    }

    /// `write(2)`: moves bytes from `source` to the file; returns how many.
    ///
    /// Errors: `EBADF`, `EFAULT`, `ESPIPE` for a position in a stream, those of pipes and settings. The files of the
    /// initramfs are read only.
    pub(crate) fn write(
        &mut self,
        tree: &Tree,
        id: FileId,
        position: Position,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        let file = self.get_mut(id)?;
        file.check_writable()?;
        if position != Position::Current && is_stream(tree, file.object) {
            return Err(Errno::ESPIPE);
        }
        match file.object {
            Object::PipeReader(_) => Err(Errno::EBADF),
            Object::PipeWriter(pipe) => {
                let blocking = file.blocking();
                let pipe = self.pipes.get_mut(pipe.0).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
                pipe.write(source, blocking)
            }
            Object::Node(node) => match &tree.node(node).kind {
                Kind::Device(device) => device.write(source),
                Kind::Setting(setting) => {
                    let done = setting.write(file.offset_of(position), source)?;
                    file.advance(position, done);
                    Ok(done)
                }
                _ => Err(Errno::EBADF), // cannot be open for writing
            },
        }
    }
}

/// Puts `value` in the first free slot.
fn place<T>(table: &mut Vec<Option<T>>, value: T) -> Result<usize, Errno> {
    if let Some(free) = table.iter().position(Option::is_none) {
        table[free] = Some(value);
        return Ok(free);
    }
    table.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    table.push(Some(value));
    Ok(table.len() - 1)
}

fn is_trace(tree: &Tree, object: Object) -> bool {
    matches!(object, Object::Node(node) if matches!(tree.node(node).kind, Kind::Proc(ProcFile::Trace)))
}

/// Whether the object has no positions: pipes, the console, the trace.
pub(crate) fn is_stream(tree: &Tree, object: Object) -> bool {
    match object {
        Object::PipeReader(_) | Object::PipeWriter(_) => true,
        Object::Node(node) => {
            matches!(tree.node(node).kind, Kind::Device(Device::Console) | Kind::Proc(ProcFile::Trace))
        }
    }
}

fn copy_out(content: &[u8], offset: u64, sink: &mut dyn Sink) -> Result<usize, Errno> {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
    let wanted = rest.len().min(sink.room());
    let done = sink.put(&rest[..wanted]);
    if done == 0 && wanted > 0 { Err(Errno::EFAULT) } else { Ok(done) }
}
