//! The name space: a tree of directories in memory (tmpfs) that begins as the ramdisk says, with the kernel's own files.
//!
//! Names are looked up, made and removed under one lock. What they named is let go without it: the last reference to a file
//! frees its content.
//!
//! Invariants: the root has no place, every other directory that has a name is in exactly one; entries are sorted by name.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use spin::Mutex;

use super::content::Content;
use super::device::Device;
use super::inode::{Bytes, Entry, Inode, Kind, Place, Time, now};
use super::procfs;
use super::setting::SETTINGS;
use crate::arch::shared::Shared;

/// Longest name of a directory entry in bytes (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;

/// One member of the initramfs archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Path relative to the root.
    pub(crate) path: &'static [u8],
    /// Type and permissions.
    pub(crate) mode: u32,
    /// Last change, seconds since 1970.
    pub(crate) modified: i64,
    /// Content of a file, target of a symbolic link.
    pub(crate) content: &'static [u8],
}

/// The name space.
#[derive(Debug)]
pub(crate) struct Tree {
    /// `/`.
    pub(crate) root: Shared<Inode>,
    /// The right to look at entries and places, and to change them. Locks of inodes are taken inside.
    pub(super) names: Mutex<()>,
}

/// The entries of a directory that programs can change.
pub(super) fn entries(directory: &Inode) -> Option<&Mutex<Vec<Entry>>> {
    match &directory.kind {
        Kind::Directory(entries) => Some(entries),
        _ => None,
    }
}

/// The place of `name` in `entries`, or where it belongs.
pub(super) fn position(entries: &[Entry], name: &[u8]) -> Result<usize, usize> {
    // Files often come in order.
    if entries.last().is_some_and(|last| *last.name < *name) {
        return Err(entries.len());
    }
    entries.binary_search_by(|entry| (*entry.name).cmp(name))
}

/// The inode of this name in a directory; `None` also if `directory` is none.
pub(super) fn entry(directory: &Inode, name: &[u8]) -> Option<Shared<Inode>> {
    let entries = entries(directory)?.lock();
    let at = position(&entries, name).ok()?;
    Some(entries[at].inode.clone())
}

/// Gives `inode` a name, which is free, in `parent`. Errors: `ENOMEM`; `EPERM` for a directory of `/proc`; `ENOENT` for one that
/// was removed.
pub(super) fn add(parent: &Shared<Inode>, name: Bytes, inode: &Shared<Inode>) -> Result<(), Errno> {
    if parent.meta.lock().links == 0 {
        return Err(Errno::ENOENT);
    }
    let copy = match &name {
        Bytes::Static(bytes) => Bytes::Static(bytes),
        Bytes::Owned(bytes) => Bytes::copy(bytes)?,
    };
    let mut entries = entries(parent).ok_or(Errno::EPERM)?.lock();
    let Err(at) = position(&entries, &name) else { return Err(Errno::EEXIST) };
    entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    entries.insert(at, Entry { name, inode: inode.clone() });
    drop(entries);
    *inode.place.lock() = Some(Place { parent: Some(parent.clone()), name: copy });
    if inode.is_directory() {
        parent.meta.lock().links += 1;
    }
    parent.touch_modified();
    Ok(())
}

/// Takes a name out of `parent`. The place stays as it was, for the path of what has lost its name.
pub(super) fn remove(parent: &Shared<Inode>, name: &[u8]) -> Option<Entry> {
    let mut entries = entries(parent)?.lock();
    let at = position(&entries, name).ok()?;
    let removed = entries.remove(at);
    drop(entries);
    if removed.inode.is_directory() {
        parent.meta.lock().links -= 1;
    }
    parent.touch_modified();
    Some(removed)
}

impl Tree {
    /// The tree of these archive members, with `/dev`, `/proc` and `/tmp` added. A member that occurs twice counts as
    /// it comes last; missing directories are made.
    ///
    /// Errors: `ENOMEM`; `EINVAL` for a path with `..` or a name longer than [`NAME_MAX`]; `ENOTDIR` for a
    /// path through something that is no directory.
    pub(crate) fn build(members: impl Iterator<Item = Member>) -> Result<Tree, Errno> {
        let root = directory(0o755, (0, 0))?;
        let tree = Tree { root, names: Mutex::new(()) };
        for member in members {
            let kind = match member.mode & S_IFMT {
                S_IFDIR => Kind::Directory(Mutex::new(Vec::new())),
                S_IFREG => Kind::File(Content::of(member.content)),
                S_IFLNK => Kind::Symlink(Bytes::Static(member.content)),
                _ => continue, // device nodes of the archive: the kernel brings its own
            };
            tree.insert(member.path, member.mode, (member.modified, 0), kind)?;
        }
        tree.insert_kernel_files()?;
        Ok(tree)
    }

    fn insert_kernel_files(&self) -> Result<(), Errno> {
        let now = now();
        for (path, device) in [
            (&b"dev/console"[..], Device::Console),
            (b"dev/tty", Device::Console),
            (b"dev/null", Device::Null),
            (b"dev/zero", Device::Zero),
            (b"dev/full", Device::Full),
            (b"dev/random", Device::Random),
            (b"dev/urandom", Device::Random),
        ] {
            self.insert(path, S_IFCHR | 0o666, now, Kind::Device(device))?;
        }
        let userfaults = Kind::Device(Device::Userfaults);
        self.insert(b"dev/userfaultfd", S_IFCHR | 0o600, now, userfaults)?;
        for (path, target) in [
            (&b"dev/fd"[..], &b"/proc/self/fd"[..]),
            (b"dev/stdin", b"/proc/self/fd/0"),
            (b"dev/stdout", b"/proc/self/fd/1"),
            (b"dev/stderr", b"/proc/self/fd/2"),
        ] {
            self.insert(path, S_IFLNK | 0o777, now, Kind::Symlink(Bytes::Static(target)))?;
        }
        for path in [&b"tmp"[..], b"dev/shm"] {
            self.insert(path, S_IFDIR | 0o1777, now, Kind::Directory(Mutex::new(Vec::new())))?;
        }
        for setting in &SETTINGS {
            self.insert(setting.path, S_IFREG | 0o644, now, Kind::Setting(setting))?;
        }
        procfs::FILES
            .iter()
            .try_for_each(|&(path, file)| self.insert(path, S_IFREG | 0o444, now, Kind::Proc(file)))?;
        for (path, link) in procfs::LINKS {
            self.insert(path, S_IFLNK | 0o777, now, Kind::ProcLink(link))?;
        }
        Ok(())
    }

    /// Puts what a path of the archive names there, with the directories on the way.
    fn insert(&self, path: &'static [u8], mode: u32, time: Time, kind: Kind) -> Result<(), Errno> {
        let names = || path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
        if names().any(|name| name == b".." || name.len() > NAME_MAX) {
            return Err(Errno::EINVAL);
        }
        let mut names = names().peekable();
        let mut at = self.root.clone();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return insert_last(&at, name, mode, time, kind);
            }
            at = match entry(&at, name) {
                Some(child) if child.is_directory() => child,
                Some(_) => return Err(Errno::ENOTDIR),
                None => {
                    let child = directory(0o755, time)?;
                    add(&at, Bytes::Static(name), &child)?;
                    child
                }
            };
        }
        Ok(()) // the root itself
    }
}

/// A new directory without a name. Errors: `ENOMEM`.
pub(super) fn directory(permissions: u32, time: Time) -> Result<Shared<Inode>, Errno> {
    Inode::new(Kind::Directory(Mutex::new(Vec::new())), S_IFDIR | permissions & 0o7777, time)
}

fn insert_last(
    parent: &Shared<Inode>,
    name: &'static [u8],
    mode: u32,
    time: Time,
    kind: Kind,
) -> Result<(), Errno> {
    if let Some(old) = entry(parent, name) {
        if old.is_directory() {
            if !matches!(kind, Kind::Directory(_)) {
                return Err(Errno::EISDIR);
            }
            old.change(|meta| meta.mode = mode); // it keeps its entries
            return Ok(());
        }
        drop(remove(parent, name));
    }
    let inode = Inode::new(kind, mode, time)?;
    add(parent, Bytes::Static(name), &inode)?;
    let mut meta = parent.meta.lock();
    (meta.modified, meta.changed) = (time, time);
    Ok(())
}
