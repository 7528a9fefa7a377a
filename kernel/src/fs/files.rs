//! The files of a thread: its name space, its descriptors and what they refer to.
//!
//! The rules of `open(2)`, `dup(2)`, `fcntl(2)`, `lseek(2)` and their kin, without user memory: paths and
//! results are kernel values here. A call that fails has changed nothing.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{
    AT_FDCWD, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME,
    O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, S_IFREG, SEEK_CUR,
    SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET, Stat,
};
use spin::Mutex;

use super::content::{Content, Extent, SIZE_MAX};
use super::counter::Counter;
use super::descriptors::{Descriptor, Descriptors, OnExec};
use super::inode::{Bytes, Inode, Kind, Place, now};
use super::open::{Generate, Object, OpenFile, Position, Readiness};
use super::path::{LastLink, Lookup, Slot};
use super::pipe::pipe;
use super::transfer::{Sink, Source};
use super::tree::{Tree, add};
use super::userfault::Userfaults;
use super::{directory, status};
use crate::arch::shared::Shared;

/// Status flags that `F_SETFL` changes.
const SETTABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
/// Flags of `open` that only concern the opening itself and are not kept.
const OPENING: u32 = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | abi::fs::O_NOCTTY;
/// The bit of `O_TMPFILE` that is its own.
const TMPFILE: u32 = O_TMPFILE & !O_DIRECTORY;

/// The files of a thread. What threads share lies behind it.
pub(crate) struct Files {
    /// The name space.
    pub(crate) tree: &'static Tree,
    /// The program that runs.
    pub(crate) exe: Shared<Inode>,
    /// The number of the process, for `/proc/self`.
    pub(crate) pid: i32,
    place: Shared<Mutex<Whereabouts>>,
    /// Taken inside nothing; nothing is taken inside. Files are closed without it.
    descriptors: Shared<Mutex<Descriptors>>,
}

/// What `chdir(2)` and `umask(2)` set.
#[derive(Clone)]
struct Whereabouts {
    directory: Shared<Inode>,
    umask: u32,
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
    /// Files of process `pid`, which runs `exe`: the console as standard input, output and error. Errors: `ENOMEM`,
    /// `ENOENT`.
    pub(crate) fn new(
        tree: &'static Tree,
        exe: Shared<Inode>,
        pid: i32,
        limit: usize,
    ) -> Result<Files, Errno> {
        let place = Whereabouts { directory: tree.root.clone(), umask: 0o022 };
        let place = Shared::new(Mutex::new(place))?;
        let descriptors = Shared::new(Mutex::new(Descriptors::new(limit)))?;
        let files = Files { tree, exe, pid, place, descriptors };
        let input = files.open_at(AT_FDCWD, b"/dev/console", O_RDWR | O_LARGEFILE, 0)?;
        files.duplicate(input, 1, OnExec::Keep)?;
        files.duplicate(input, 2, OnExec::Keep)?;
        Ok(files)
    }

    /// Files of a new thread or process. Errors: `ENOMEM`.
    pub(crate) fn derive(&self, descriptors: Share, place: Share) -> Result<Files, Errno> {
        let descriptors = match descriptors {
            Share::Share => self.descriptors.clone(),
            Share::Copy => {
                let copy = self.descriptors.lock().try_clone()?;
                Shared::new(Mutex::new(copy))?
            }
        };
        let place = match place {
            Share::Share => self.place.clone(),
            Share::Copy => {
                let copy = self.place.lock().clone();
                Shared::new(Mutex::new(copy))?
            }
        };
        Ok(Files { tree: self.tree, exe: self.exe.clone(), pid: self.pid, place, descriptors })
    }

    /// The program is `exe` now, by `execve`: descriptors that are not to be kept are closed, and shared with nobody any more.
    /// Errors: `ENOMEM`, when nothing has changed.
    pub(crate) fn exec(&mut self, exe: Shared<Inode>) -> Result<(), Errno> {
        let own = Files { exe, ..self.derive(Share::Copy, Share::Share)? };
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
    pub(crate) fn directory(&self) -> Shared<Inode> {
        self.place.lock().directory.clone()
    }

    /// `umask(2)`: sets the bits that new files do not get; the old ones.
    pub(crate) fn set_umask(&self, umask: u32) -> u32 {
        core::mem::replace(&mut self.place.lock().umask, umask & 0o777)
    }

    /// `permissions` without those that new files do not get.
    pub(super) fn masked(&self, permissions: u32) -> u32 {
        permissions & 0o7777 & !self.place.lock().umask
    }

    /// Numbers at and above this one are refused (`RLIMIT_NOFILE`).
    pub(crate) fn limit(&self) -> usize {
        self.descriptors.lock().limit
    }

    /// Sets [`limit`](Self::limit).
    pub(crate) fn set_limit(&self, limit: usize) {
        self.descriptors.lock().limit = limit;
    }

    /// The numbers of the open files, ascending. Errors: `ENOMEM`.
    pub(crate) fn open_numbers(&self) -> Result<Vec<i32>, Errno> {
        self.descriptors.lock().numbers()
    }

    /// `openat(2)`: the new descriptor; a new file gets `permissions`.
    pub(crate) fn open_at(&self, base: i32, path: &[u8], flags: u32, permissions: u32) -> Result<i32, Errno> {
        let number = self.descriptors.lock().reserve_lowest(0)?;
        let flags = match flags {
            _ if flags & O_PATH != 0 => flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
            _ if flags & TMPFILE != 0 && flags & O_DIRECTORY == 0 => return Err(Errno::EINVAL),
            _ => flags,
        };
        let kept = flags & !OPENING;
        let file = match self.find_to_open(base, path, flags, permissions)? {
            Lookup::Found(inode) => {
                if flags & O_TRUNC != 0
                    && let Some(content) = inode.content()
                {
                    content.set_size(inode.number, 0)?;
                    inode.touch_modified();
                }
                OpenFile::open(Object::of(inode), kept)?
            }
            Lookup::Open(file) => file,
            Lookup::Missing(_) => return Err(Errno::ENOENT),
        };
        self.install_lowest(number, file, on_exec(flags))
    }

    fn find_to_open(&self, base: i32, path: &[u8], flags: u32, permissions: u32) -> Result<Lookup, Errno> {
        let exclusive = flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
        let last = if flags & O_NOFOLLOW != 0 || exclusive { LastLink::Keep } else { LastLink::Follow };
        let inode = match self.lookup(base, path, last)? {
            Lookup::Found(_) if exclusive => return Err(Errno::EEXIST),
            Lookup::Found(inode) => inode,
            Lookup::Open(file) => return Ok(Lookup::Open(file)),
            Lookup::Missing(_) if flags & O_CREAT == 0 => return Err(Errno::ENOENT),
            Lookup::Missing(_) if path.ends_with(b"/") => return Err(Errno::EISDIR),
            Lookup::Missing(_) if flags & O_DIRECTORY != 0 => return Err(Errno::EINVAL),
            Lookup::Missing(slot) => match self.create(&slot, permissions) {
                // Somebody else was first.
                Err(Errno::EEXIST) if !exclusive => {
                    return self.find_to_open(base, path, flags & !O_CREAT, permissions);
                }
                created => return created.map(Lookup::Found),
            },
        };
        let writes = flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0;
        match &inode.kind {
            Kind::Symlink(_) | Kind::ProcLink(_) if flags & O_PATH == 0 => Err(Errno::ELOOP),
            Kind::Directory(_) if flags & TMPFILE != 0 => {
                if flags & O_ACCMODE == O_RDONLY {
                    return Err(Errno::EINVAL);
                }
                let file = Inode::new_file(self.masked(permissions))?;
                file.meta.lock().links = 0;
                let name = Bytes::Static(b"#tmpfile");
                *file.place.lock() = Some(Place { parent: Some(inode.clone()), name });
                Ok(Lookup::Found(file))
            }
            Kind::Directory(_) | Kind::ProcDirectory(_) if writes || flags & O_CREAT != 0 => {
                Err(Errno::EISDIR)
            }
            Kind::Directory(_) | Kind::ProcDirectory(_) => Ok(Lookup::Found(inode)),
            _ if flags & O_DIRECTORY != 0 => Err(Errno::ENOTDIR),
            // Root may write to every file, but to those of the kernel only where that means something.
            Kind::Proc(_) if writes && inode.mode() & 0o222 == 0 => Err(Errno::EACCES),
            _ => Ok(Lookup::Found(inode)),
        }
    }

    /// A new regular file in `slot`. Errors: `ENOMEM`, `EPERM`, `EEXIST`.
    fn create(&self, slot: &Slot, permissions: u32) -> Result<Shared<Inode>, Errno> {
        let inode = Inode::new_file(self.masked(permissions))?;
        let _names = self.tree.names.lock();
        add(&slot.parent, Bytes::copy(&slot.name)?, &inode)?;
        Ok(inode)
    }

    /// `memfd_create(2)`: the new descriptor. `seals` are those that the file has at once; `F_SEAL_SEAL` for one that cannot be
    /// sealed.
    pub(crate) fn memory_file(&self, name: &[u8], seals: u32, on_exec: OnExec) -> Result<i32, Errno> {
        let content = Content::sealable();
        let inode = Inode::new(Kind::File(content), S_IFREG | 0o777, now())?;
        if let Some(content) = inode.content() {
            content.add_seals(inode.number, seals)?;
        }
        let mut path = Vec::new();
        path.try_reserve(name.len() + 7).map_err(|_| Errno::ENOMEM)?;
        path.extend_from_slice(b"/memfd:");
        path.extend_from_slice(name);
        inode.meta.lock().links = 0;
        *inode.place.lock() = Some(Place { parent: None, name: Bytes::Owned(path) });
        let file = OpenFile::open(Object::of(inode), O_RDWR | O_LARGEFILE)?;
        self.install_lowest(0, file, on_exec)
    }

    /// `eventfd2(2)`: the new descriptor.
    pub(crate) fn counter(&self, counter: Counter, flags: u32) -> Result<i32, Errno> {
        let file = OpenFile::open(Object::Counter(counter), flags & O_NONBLOCK | O_RDWR)?;
        self.install_lowest(0, file, on_exec(flags))
    }

    /// `userfaultfd(2)`: the new descriptor.
    pub(crate) fn userfaults(&self, faults: Userfaults, flags: u32) -> Result<i32, Errno> {
        let file = OpenFile::open(Object::Userfaults(faults), flags & O_NONBLOCK | O_RDONLY)?;
        self.install_lowest(0, file, on_exec(flags))
    }

    /// The directory that a path begins in: that of the descriptor `base` (or `AT_FDCWD`), unless the path is absolute.
    /// Errors: `EBADF`, `ENOTDIR`.
    pub(crate) fn base(&self, base: i32, path: &[u8]) -> Result<Shared<Inode>, Errno> {
        if path.starts_with(b"/") || base == AT_FDCWD {
            return Ok(self.directory());
        }
        match self.get(base)?.object.inode() {
            Some(inode) if inode.is_directory() => Ok(inode.clone()),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Resolves a path, if relative from the directory that the descriptor `base` (or `AT_FDCWD`) stands for.
    pub(crate) fn lookup(&self, base: i32, path: &[u8], last: LastLink) -> Result<Lookup, Errno> {
        self.tree.resolve(self.base(base, path)?, Some(self), path, last)
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
        self.get(number)?.read(position, sink, generate)
    }

    /// `write(2)`, `pwrite64(2)`.
    pub(crate) fn write(
        &self,
        number: i32,
        position: Position,
        source: &mut dyn Source,
    ) -> Result<usize, Errno> {
        self.get(number)?.write(position, source)
    }

    /// `getdents64(2)`: bytes put.
    pub(crate) fn read_directory(&self, number: i32, sink: &mut dyn Sink) -> Result<usize, Errno> {
        let file = self.get(number)?;
        file.check_readable()?;
        let inode = file.object.inode().filter(|inode| inode.is_directory()).ok_or(Errno::ENOTDIR)?;
        let mut cursor = file.cursor.lock();
        if cursor.offset == 0 {
            cursor.text = directory::records(self.tree, inode, self)?;
        }
        let done = directory::read(&cursor.text, cursor.offset, sink)?;
        cursor.offset += done as u64;
        Ok(done)
    }

    /// `lseek(2)`: the new offset in bytes. Errors: `EBADF`, `ESPIPE`, `EINVAL`, `ENXIO`.
    pub(crate) fn seek(&self, number: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
        let file = self.get(number)?;
        if file.flags() & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        let inode = file.object.inode().filter(|_| !file.object.is_stream()).ok_or(Errno::ESPIPE)?;
        let mut cursor = file.cursor.lock();
        let content = match &inode.kind {
            Kind::Device(_) => return Ok(0),
            Kind::File(content) => Some(content),
            _ => None,
        };
        let size = match (&inode.kind, content) {
            (_, Some(content)) => Some(content.size() as i64),
            (Kind::Setting(_), _) => Some(0),
            _ => None,
        };
        let find = |wanted| {
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            let found = content.and_then(|content| content.find(from, wanted)).ok_or(Errno::ENXIO)?;
            Ok::<_, Errno>(Some(found as i64))
        };
        let new = match (whence, size) {
            (SEEK_SET, _) => Some(offset),
            (SEEK_CUR, _) => i64::try_from(cursor.offset).ok().and_then(|now| now.checked_add(offset)),
            (SEEK_END, Some(size)) => size.checked_add(offset),
            (SEEK_DATA, Some(_)) => find(Extent::Data)?,
            (SEEK_HOLE, Some(_)) => find(Extent::Hole)?,
            _ => None,
        };
        let new = new.and_then(|new| u64::try_from(new).ok()).filter(|&new| new <= SIZE_MAX);
        cursor.offset = new.ok_or(Errno::EINVAL)?;
        Ok(cursor.offset)
    }

    /// `fstat(2)`.
    pub(crate) fn status(&self, number: i32) -> Result<Stat, Errno> {
        Ok(status::of_object(&self.get(number)?.object))
    }

    /// `stat(2)` and kin.
    pub(crate) fn status_at(&self, base: i32, path: &[u8], last: LastLink) -> Result<Stat, Errno> {
        match self.lookup(base, path, last)? {
            Lookup::Open(file) => Ok(status::of_object(&file.object)),
            other => Ok(status::of_inode(&*other.found()?)),
        }
    }

    /// `readlinkat(2)`: the target of a link. Errors: `EINVAL` if it is no link.
    pub(crate) fn link_target(&self, base: i32, path: &[u8]) -> Result<Vec<u8>, Errno> {
        // The descriptor of a link itself, opened with `O_PATH`.
        let inode = if path.is_empty() {
            self.get(base)?.object.inode().ok_or(Errno::ENOENT)?.clone()
        } else {
            self.lookup(base, path, LastLink::Keep)?.found()?
        };
        match &inode.kind {
            Kind::Symlink(target) => {
                let mut copy = Vec::new();
                copy.try_reserve_exact(target.len()).map_err(|_| Errno::ENOMEM)?;
                copy.extend_from_slice(target);
                Ok(copy)
            }
            Kind::ProcLink(link) => link.text(self),
            _ if path.is_empty() => Err(Errno::ENOENT),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `chdir(2)`, `fchdir(2)`. Errors: `ENOTDIR`.
    pub(crate) fn change_directory(&self, directory: Shared<Inode>) -> Result<(), Errno> {
        if !directory.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let old = core::mem::replace(&mut self.place.lock().directory, directory);
        drop(old);
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
