//! The files of a thread: its name space, its descriptors and what they refer to.
//!
//! The rules of `open(2)`, `dup(2)`, `fcntl(2)`, `lseek(2)` and their kin, without user memory: paths and
//! results are kernel values here. A call that fails has changed nothing.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{
    AT_FDCWD, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME,
    O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END,
    SEEK_HOLE, SEEK_SET, Stat,
};
use spin::Mutex;

use super::descriptors::{Descriptor, Descriptors, OnExec};
use super::open::{Exe, Generate, Object, OpenFile, Position, Readiness};
use super::path::{LastLink, Lookup};
use super::pipe::pipe;
use super::transfer::{Sink, Source};
use super::tree::{Kind, NodeId, Tree};
use super::{directory, status};
use crate::arch::shared::Shared;

/// Status flags that `F_SETFL` changes.
const SETTABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
/// Flags of `open` that only concern the opening itself and are not kept.
const OPENING: u32 = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | abi::fs::O_NOCTTY;

/// The files of a thread. What threads share lies behind it.
pub(crate) struct Files {
    /// The name space.
    pub(crate) tree: &'static Tree,
    /// The program that runs.
    pub(crate) exe: NodeId,
    /// Its path.
    pub(crate) exe_path: Vec<u8>,
    directory: Shared<Mutex<NodeId>>,
    /// Taken inside nothing; nothing is taken inside. Files are closed without it.
    descriptors: Shared<Mutex<Descriptors>>,
}

/// What a new thread or process has of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Share {
    /// The same.
    Share,
    /// A copy.
    Copy,
}

impl Files {
    /// Files of a process that runs `exe`: the console as standard input, output and error. Errors: `ENOMEM`,
    /// `ENOENT`.
    pub(crate) fn new(tree: &'static Tree, exe: NodeId, limit: usize) -> Result<Files, Errno> {
        let exe_path = tree.path_of(exe)?;
        let directory = Shared::new(Mutex::new(NodeId::ROOT))?;
        let descriptors = Shared::new(Mutex::new(Descriptors::new(limit)))?;
        let files = Files { tree, exe, exe_path, directory, descriptors };
        let input = files.open_at(AT_FDCWD, b"/dev/console", O_RDWR | O_LARGEFILE)?;
        files.duplicate(input, 1, OnExec::Keep)?;
        files.duplicate(input, 2, OnExec::Keep)?;
        Ok(files)
    }

    /// Files of a new thread or process. Errors: `ENOMEM`.
    pub(crate) fn derive(&self, descriptors: Share, directory: Share) -> Result<Files, Errno> {
        let mut exe_path = Vec::new();
        exe_path.try_reserve_exact(self.exe_path.len()).map_err(|_| Errno::ENOMEM)?;
        exe_path.extend_from_slice(&self.exe_path);
        let descriptors = match descriptors {
            Share::Share => self.descriptors.clone(),
            Share::Copy => {
                let copy = self.descriptors.lock().try_clone()?;
                Shared::new(Mutex::new(copy))?
            }
        };
        let directory = match directory {
            Share::Share => self.directory.clone(),
            Share::Copy => Shared::new(Mutex::new(self.directory()))?,
        };
        Ok(Files { tree: self.tree, exe: self.exe, exe_path, directory, descriptors })
    }

    /// The program is `exe` now, by `execve`: descriptors that are not to be kept are closed, and shared with nobody any more.
    /// Errors: `ENOMEM`, when nothing has changed.
    pub(crate) fn exec(&mut self, exe: NodeId) -> Result<(), Errno> {
        let exe_path = self.tree.path_of(exe)?;
        let mut own = self.derive(Share::Copy, Share::Share)?;
        (own.exe, own.exe_path) = (exe, exe_path);
        loop {
            let closed = own.descriptors.lock().take_closed_by_exec();
            if closed.is_none() {
                break;
            }
        }
        *self = own;
        Ok(())
    }

    /// The current directory.
    pub(crate) fn directory(&self) -> NodeId {
        *self.directory.lock()
    }

    /// Numbers at and above this one are refused (`RLIMIT_NOFILE`).
    pub(crate) fn limit(&self) -> usize {
        self.descriptors.lock().limit
    }

    /// Sets [`limit`](Self::limit).
    pub(crate) fn set_limit(&self, limit: usize) {
        self.descriptors.lock().limit = limit;
    }

    /// The program that runs.
    pub(crate) fn exe(&self) -> Exe<'_> {
        Exe { path: &self.exe_path, inode: self.exe.inode() }
    }

    /// `openat(2)`: the new descriptor.
    pub(crate) fn open_at(&self, base: i32, path: &[u8], flags: u32) -> Result<i32, Errno> {
        let number = self.descriptors.lock().reserve_lowest(0)?;
        let node = self.find_to_open(base, path, flags)?;
        let kept =
            if flags & O_PATH != 0 { flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW) } else { flags & !OPENING };
        let file = OpenFile::open(Object::node(self.tree, node), kept)?;
        self.install_lowest(number, file, on_exec(flags))
    }

    fn find_to_open(&self, base: i32, path: &[u8], flags: u32) -> Result<NodeId, Errno> {
        let flags = if flags & O_PATH != 0 { flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW) } else { flags };
        let exclusive = flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
        let last = if flags & O_NOFOLLOW != 0 || exclusive { LastLink::Keep } else { LastLink::Follow };
        let node = match self.lookup(base, path, last)? {
            Lookup::Found(_) if exclusive => return Err(Errno::EEXIST),
            Lookup::Found(node) => node,
            Lookup::Missing if flags & O_CREAT == 0 => return Err(Errno::ENOENT),
            Lookup::Missing if path.ends_with(b"/") => return Err(Errno::EISDIR),
            Lookup::Missing => return Err(Errno::EROFS),
        };
        let writes = flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0;
        match self.tree.node(node).kind {
            Kind::Symlink(_) | Kind::ExeLink if flags & O_PATH == 0 => Err(Errno::ELOOP),
            Kind::Directory(_) if writes || flags & O_CREAT != 0 => Err(Errno::EISDIR),
            Kind::Directory(_) => Ok(node),
            _ if flags & O_DIRECTORY != 0 => Err(Errno::ENOTDIR),
            Kind::File(_) if writes => Err(Errno::EROFS),
            _ if writes && self.tree.node(node).mode & 0o222 == 0 => Err(Errno::EACCES),
            _ => Ok(node),
        }
    }

    /// Resolves a path, if relative from the directory that the descriptor `base` (or `AT_FDCWD`) stands for.
    pub(crate) fn lookup(&self, base: i32, path: &[u8], last: LastLink) -> Result<Lookup, Errno> {
        let base = if path.starts_with(b"/") || base == AT_FDCWD {
            self.directory()
        } else {
            match self.get(base)?.object.named() {
                Some(node) if self.tree.is_directory(node) => node,
                _ => return Err(Errno::ENOTDIR),
            }
        };
        self.tree.resolve(base, self.exe, path, last)
    }

    /// The open file behind a descriptor; `EBADF`.
    pub(crate) fn get(&self, number: i32) -> Result<Shared<OpenFile>, Errno> {
        Ok(self.descriptors.lock().get(number)?.file.clone())
    }

    /// `close(2)`.
    pub(crate) fn close(&self, number: i32) -> Result<(), Errno> {
        let closed = self.descriptors.lock().remove(number)?;
        drop(closed);
        Ok(())
    }

    /// `dup(2)` and `F_DUPFD`: the lowest free number from `lowest` on.
    pub(crate) fn duplicate(&self, number: i32, lowest: usize, on_exec: OnExec) -> Result<i32, Errno> {
        let mut descriptors = self.descriptors.lock();
        let file = descriptors.get(number)?.file.clone();
        let new = descriptors.reserve_lowest(lowest)?;
        descriptors.set(new, Descriptor { file, on_exec });
        Ok(new as i32)
    }

    /// `dup3(2)` with two numbers that differ: `new` is closed first if it is open. Errors: `EBADF`.
    pub(crate) fn duplicate_to(&self, number: i32, new: i32, on_exec: OnExec) -> Result<i32, Errno> {
        let mut descriptors = self.descriptors.lock();
        let slot = usize::try_from(new).ok().filter(|&slot| slot < descriptors.limit).ok_or(Errno::EBADF)?;
        let file = descriptors.get(number)?.file.clone();
        descriptors.reserve(slot)?;
        let closed = descriptors.set(slot, Descriptor { file, on_exec });
        drop(descriptors);
        drop(closed);
        Ok(new)
    }

    /// `pipe2(2)`: read end and write end.
    pub(crate) fn pipe(&self, flags: u32) -> Result<(i32, i32), Errno> {
        let (reader, writer) = pipe()?;
        let settable = flags & SETTABLE;
        let reader = OpenFile::open(Object::PipeReader(reader), settable | O_RDONLY)?;
        let writer = OpenFile::open(Object::PipeWriter(writer), settable | O_WRONLY)?;
        let on_exec = on_exec(flags);
        let mut descriptors = self.descriptors.lock();
        let first = descriptors.reserve_lowest(0)?;
        let second = descriptors.reserve_lowest(first + 1)?;
        descriptors.set(first, Descriptor { file: reader, on_exec });
        descriptors.set(second, Descriptor { file: writer, on_exec });
        Ok((first as i32, second as i32))
    }

    /// Puts a file under `number`, which was the lowest free one, or whatever that is now.
    fn install_lowest(&self, number: usize, file: Shared<OpenFile>, on_exec: OnExec) -> Result<i32, Errno> {
        let mut descriptors = self.descriptors.lock();
        let number = descriptors.reserve_lowest(number)?;
        descriptors.set(number, Descriptor { file, on_exec });
        Ok(number as i32)
    }

    /// `read(2)`, `pread64(2)`.
    pub(crate) fn read(
        &self,
        number: i32,
        position: Position,
        sink: &mut dyn Sink,
        generate: Generate<'_>,
    ) -> Result<usize, Errno> {
        self.get(number)?.read(self.tree, position, sink, &|file| generate(file, self.exe()))
    }

    /// `write(2)`, `pwrite64(2)`.
    pub(crate) fn write(
        &self,
        number: i32,
        position: Position,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        self.get(number)?.write(self.tree, position, source)
    }

    /// `getdents64(2)`: bytes put.
    pub(crate) fn read_directory(&self, number: i32, sink: &mut dyn Sink) -> Result<usize, Errno> {
        let file = self.get(number)?;
        file.check_readable()?;
        let node = file.object.named().ok_or(Errno::ENOTDIR)?;
        if !self.tree.is_directory(node) {
            return Err(Errno::ENOTDIR);
        }
        let mut cursor = file.cursor.lock();
        let (done, next) = directory::read(self.tree, node, cursor.offset, sink)?;
        cursor.offset = next;
        Ok(done)
    }

    /// `lseek(2)`: the new offset in bytes. Errors: `EBADF`, `ESPIPE`, `EINVAL`, `ENXIO`.
    pub(crate) fn seek(&self, number: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
        let file = self.get(number)?;
        if file.flags() & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        let node = file.object.named().filter(|_| !file.object.is_stream(self.tree)).ok_or(Errno::ESPIPE)?;
        let mut cursor = file.cursor.lock();
        let (size, has_size) = match &self.tree.node(node).kind {
            Kind::File(content) => (content.len() as i64, true),
            Kind::Device(_) => return Ok(0),
            Kind::Setting(_) => (0, true),
            _ => (0, false),
        };
        let new = match whence {
            SEEK_SET => Some(offset),
            SEEK_CUR => i64::try_from(cursor.offset).ok().and_then(|now| now.checked_add(offset)),
            SEEK_END if has_size => size.checked_add(offset),
            SEEK_DATA | SEEK_HOLE if has_size && !(0..size).contains(&offset) => return Err(Errno::ENXIO),
            SEEK_DATA if has_size => Some(offset),
            SEEK_HOLE if has_size => Some(size),
            _ => None,
        };
        cursor.offset = new.and_then(|new| u64::try_from(new).ok()).ok_or(Errno::EINVAL)?;
        Ok(cursor.offset)
    }

    /// `fstat(2)`.
    pub(crate) fn status(&self, number: i32) -> Result<Stat, Errno> {
        let file = self.get(number)?;
        Ok(status::of_object(self.tree, &file.object, &self.exe_path))
    }

    /// `stat(2)` and kin.
    pub(crate) fn status_at(&self, base: i32, path: &[u8], last: LastLink) -> Result<Stat, Errno> {
        let node = self.lookup(base, path, last)?.found()?;
        Ok(status::of_node(self.tree, node, &self.exe_path))
    }

    /// `readlinkat(2)`: the target of a link. Errors: `EINVAL` if it is no link.
    pub(crate) fn link_target(&self, base: i32, path: &[u8]) -> Result<&[u8], Errno> {
        let node = self.lookup(base, path, LastLink::Keep)?.found()?;
        match self.tree.node(node).kind {
            Kind::Symlink(target) => Ok(target),
            Kind::ExeLink => Ok(&self.exe_path),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `chdir(2)`.
    pub(crate) fn change_directory(&self, path: &[u8]) -> Result<(), Errno> {
        let node = self.lookup(AT_FDCWD, path, LastLink::Follow)?.found()?;
        if !self.tree.is_directory(node) {
            return Err(Errno::ENOTDIR);
        }
        *self.directory.lock() = node;
        Ok(())
    }

    /// `F_GETFD`.
    pub(crate) fn on_exec(&self, number: i32) -> Result<OnExec, Errno> {
        Ok(self.descriptors.lock().get(number)?.on_exec)
    }

    /// `F_SETFD`.
    pub(crate) fn set_on_exec(&self, number: i32, on_exec: OnExec) -> Result<(), Errno> {
        self.descriptors.lock().set_on_exec(number, on_exec)
    }

    /// `F_SETFL`: changes the flags that can be changed.
    pub(crate) fn set_status_flags(&self, number: i32, flags: u32) -> Result<(), Errno> {
        let file = self.get(number)?;
        if file.flags() & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        file.set_flags(flags, SETTABLE);
        Ok(())
    }

    /// Bytes that wait in the pipe behind a read end; `None` for everything else.
    pub(crate) fn waiting_bytes(&self, number: i32) -> Result<Option<usize>, Errno> {
        match &self.get(number)?.object {
            Object::PipeReader(reader) => Ok(Some(reader.pipe().len())),
            _ => Ok(None),
        }
    }

    /// What a descriptor is ready for.
    pub(crate) fn readiness(&self, number: i32) -> Result<Readiness, Errno> {
        Ok(self.get(number)?.readiness())
    }
}

fn on_exec(flags: u32) -> OnExec {
    if flags & O_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep }
}
