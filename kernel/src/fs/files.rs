//! The files of a process: its name space, its descriptors and what they refer to.
//!
//! The rules of `open(2)`, `dup(2)`, `fcntl(2)`, `lseek(2)` and their kin, without user memory: paths and
//! results are kernel values here. A call that fails has changed nothing.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{
    AT_FDCWD, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME,
    O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE,
    SEEK_SET, Stat,
};

use super::descriptors::{Descriptor, Descriptors, OnExec};
use super::open::{Exe, FileId, Generate, Object, OpenFile, OpenFiles, Position, Readiness, is_stream};
use super::path::{LastLink, Lookup};
use super::transfer::{Sink, Source};
use super::tree::{Kind, NodeId, Tree};
use super::{directory, status};

/// Status flags that `F_SETFL` changes.
const SETTABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
/// Flags of `open` that only concern the opening itself and are not kept.
const OPENING: u32 = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | abi::fs::O_NOCTTY;

/// The files of a process. Owned by it.
#[derive(Debug)]
pub(crate) struct Files {
    /// The name space.
    pub(crate) tree: &'static Tree,
    /// The program that runs.
    pub(crate) exe: NodeId,
    /// Its path.
    pub(crate) exe_path: Vec<u8>,
    /// The current directory.
    pub(crate) directory: NodeId,
    /// Numbers at and above this one are refused (`RLIMIT_NOFILE`).
    pub(crate) limit: usize,
    descriptors: Descriptors,
    open: OpenFiles,
}

impl Files {
    /// Files of a process that runs `exe`: the console as standard input, output and error. Errors: `ENOMEM`,
    /// `ENOENT`.
    pub(crate) fn new(tree: &'static Tree, exe: NodeId, limit: usize) -> Result<Files, Errno> {
        let exe_path = tree.path_of(exe)?;
        let (descriptors, open) = (Descriptors::new(), OpenFiles::new());
        let mut files = Files { tree, exe, exe_path, directory: NodeId::ROOT, limit, descriptors, open };
        let input = files.open_at(AT_FDCWD, b"/dev/console", O_RDWR | O_LARGEFILE)?;
        files.duplicate(input, 1, OnExec::Keep)?;
        files.duplicate(input, 2, OnExec::Keep)?;
        Ok(files)
    }

    /// The program that runs.
    pub(crate) fn exe(&self) -> Exe<'_> {
        Exe { path: &self.exe_path, inode: self.exe.inode() }
    }

    /// `openat(2)`: the new descriptor.
    pub(crate) fn open_at(&mut self, base: i32, path: &[u8], flags: u32) -> Result<i32, Errno> {
        let number = self.descriptors.reserve_lowest(0, self.limit)?;
        let node = self.find_to_open(base, path, flags)?;
        let kept =
            if flags & O_PATH != 0 { flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW) } else { flags & !OPENING };
        let file = self.open.open(self.tree, Object::Node(node), kept)?;
        Ok(self.install(number, file, on_exec(flags)))
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
            self.directory
        } else {
            match self.get(base)?.object {
                Object::Node(node) if self.tree.is_directory(node) => node,
                _ => return Err(Errno::ENOTDIR),
            }
        };
        self.tree.resolve(base, self.exe, path, last)
    }

    /// The open file behind a descriptor; `EBADF`.
    pub(crate) fn get(&self, number: i32) -> Result<&OpenFile, Errno> {
        self.open.get(self.descriptors.get(number)?.file)
    }

    /// `close(2)`.
    pub(crate) fn close(&mut self, number: i32) -> Result<(), Errno> {
        let descriptor = self.descriptors.remove(number)?;
        self.open.release(self.tree, descriptor.file);
        Ok(())
    }

    /// `dup(2)` and `F_DUPFD`: the lowest free number from `lowest` on.
    pub(crate) fn duplicate(&mut self, number: i32, lowest: usize, on_exec: OnExec) -> Result<i32, Errno> {
        let file = self.descriptors.get(number)?.file;
        let new = self.descriptors.reserve_lowest(lowest, self.limit)?;
        self.open.retain(file);
        Ok(self.install(new, file, on_exec))
    }

    /// `dup3(2)` with two numbers that differ: `new` is closed first if it is open. Errors: `EBADF`.
    pub(crate) fn duplicate_to(&mut self, number: i32, new: i32, on_exec: OnExec) -> Result<i32, Errno> {
        let slot = usize::try_from(new).ok().filter(|&slot| slot < self.limit).ok_or(Errno::EBADF)?;
        let file = self.descriptors.get(number)?.file;
        self.descriptors.reserve(slot)?;
        self.open.retain(file);
        Ok(self.install(slot, file, on_exec))
    }

    /// `pipe2(2)`: read end and write end.
    pub(crate) fn pipe(&mut self, flags: u32) -> Result<(i32, i32), Errno> {
        let first = self.descriptors.reserve_lowest(0, self.limit)?;
        let second = self.descriptors.reserve_lowest(first + 1, self.limit)?;
        let (reader, writer) = self.open.open_pipe(self.tree, flags & SETTABLE)?;
        Ok((self.install(first, reader, on_exec(flags)), self.install(second, writer, on_exec(flags))))
    }

    /// Puts a file, whose reference comes with it, into a reserved slot.
    fn install(&mut self, number: usize, file: FileId, on_exec: OnExec) -> i32 {
        if let Some(old) = self.descriptors.set(number, Descriptor { file, on_exec }) {
            self.open.release(self.tree, old.file);
        }
        number as i32
    }

    /// `read(2)`, `pread64(2)`.
    pub(crate) fn read(
        &mut self,
        number: i32,
        position: Position,
        sink: &mut dyn Sink,
        generate: Generate<'_>,
    ) -> Result<usize, Errno> {
        let file = self.descriptors.get(number)?.file;
        let exe = Exe { path: &self.exe_path, inode: self.exe.inode() };
        self.open.read(self.tree, file, position, sink, &|file| generate(file, exe))
    }

    /// `write(2)`, `pwrite64(2)`.
    pub(crate) fn write(
        &mut self,
        number: i32,
        position: Position,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        let file = self.descriptors.get(number)?.file;
        self.open.write(self.tree, file, position, source)
    }

    /// `getdents64(2)`: bytes put.
    pub(crate) fn read_directory(&mut self, number: i32, sink: &mut dyn Sink) -> Result<usize, Errno> {
        let file = self.open.get_mut(self.descriptors.get(number)?.file)?;
        file.check_readable()?;
        let Object::Node(node) = file.object else { return Err(Errno::ENOTDIR) };
        if !self.tree.is_directory(node) {
            return Err(Errno::ENOTDIR);
        }
        let (done, next) = directory::read(self.tree, node, file.offset, sink)?;
        file.offset = next;
        Ok(done)
    }

    /// `lseek(2)`: the new offset in bytes. Errors: `EBADF`, `ESPIPE`, `EINVAL`, `ENXIO`.
    pub(crate) fn seek(&mut self, number: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
        let file = self.open.get_mut(self.descriptors.get(number)?.file)?;
        if file.flags & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        let Object::Node(node) = file.object else { return Err(Errno::ESPIPE) };
        if is_stream(self.tree, file.object) {
            return Err(Errno::ESPIPE);
        }
        let (size, has_size) = match &self.tree.node(node).kind {
            Kind::File(content) => (content.len() as i64, true),
            Kind::Device(_) => return Ok(0),
            Kind::Setting(_) => (0, true),
            _ => (0, false),
        };
        let new = match whence {
            SEEK_SET => Some(offset),
            SEEK_CUR => i64::try_from(file.offset).ok().and_then(|now| now.checked_add(offset)),
            SEEK_END if has_size => size.checked_add(offset),
            SEEK_DATA | SEEK_HOLE if has_size && !(0..size).contains(&offset) => return Err(Errno::ENXIO),
            SEEK_DATA if has_size => Some(offset),
            SEEK_HOLE if has_size => Some(size),
            _ => None,
        };
        file.offset = new.and_then(|new| u64::try_from(new).ok()).ok_or(Errno::EINVAL)?;
        Ok(file.offset)
    }

    /// `fstat(2)`.
    pub(crate) fn status(&self, number: i32) -> Result<Stat, Errno> {
        let file = self.get(number)?;
        Ok(status::of_object(self.tree, &self.open, file.object, &self.exe_path))
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
    pub(crate) fn change_directory(&mut self, path: &[u8]) -> Result<(), Errno> {
        let node = self.lookup(AT_FDCWD, path, LastLink::Follow)?.found()?;
        if !self.tree.is_directory(node) {
            return Err(Errno::ENOTDIR);
        }
        self.directory = node;
        Ok(())
    }

    /// `F_GETFD`.
    pub(crate) fn on_exec(&self, number: i32) -> Result<OnExec, Errno> {
        Ok(self.descriptors.get(number)?.on_exec)
    }

    /// `F_SETFD`.
    pub(crate) fn set_on_exec(&mut self, number: i32, on_exec: OnExec) -> Result<(), Errno> {
        self.descriptors.set_on_exec(number, on_exec)
    }

    /// `F_SETFL`: changes the flags that can be changed.
    pub(crate) fn set_status_flags(&mut self, number: i32, flags: u32) -> Result<(), Errno> {
        let file = self.open.get_mut(self.descriptors.get(number)?.file)?;
        if file.flags & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        file.flags = file.flags & !SETTABLE | flags & SETTABLE;
        Ok(())
    }

    /// Bytes that wait in the pipe behind a read end; `None` for everything else.
    pub(crate) fn waiting_bytes(&self, number: i32) -> Result<Option<usize>, Errno> {
        match self.get(number)?.object {
            Object::PipeReader(pipe) => Ok(self.open.pipe(pipe).map(super::pipe::Pipe::len)),
            _ => Ok(None),
        }
    }

    /// What a descriptor is ready for.
    pub(crate) fn readiness(&self, number: i32) -> Result<Readiness, Errno> {
        self.open.readiness(self.descriptors.get(number)?.file)
    }

    /// Closes everything: the end of the process.
    pub(crate) fn close_all(&mut self) {
        for number in 0..self.descriptors.len() {
            let _closed = self.close(number as i32); // EBADF: not open
        }
    }
}

fn on_exec(flags: u32) -> OnExec {
    if flags & O_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep }
}
