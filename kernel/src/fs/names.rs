//! Making, removing and changing names: mkdir, unlink, rename, link, symlink, and what inodes are given.

use abi::Errno;
use abi::fs::{AT_FDCWD, RENAME_EXCHANGE, RENAME_NOREPLACE, S_IFLNK, S_IFMT};

use super::Files;
use super::inode::{Bytes, Inode, Kind, Place, now};
use super::path::{Last, LastLink};
use super::tree::{add, directory, entries, entry, remove};
use crate::arch::shared::Shared;

/// A name that is to be made or removed.
struct Name<'p> {
    parent: Shared<Inode>,
    name: &'p [u8],
    /// Slashes follow: it has to be a directory.
    slashes: bool,
}

/// What is to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Removal {
    /// A directory (`rmdir(2)`).
    Directory,
    /// Anything else (`unlink(2)`).
    Other,
}

impl Files {
    /// The name that `path` ends in; `dot` is the error for one that ends in `.`, and `dot_dot` for one that ends in `..`.
    fn name<'p>(&self, base: i32, path: &'p [u8], dot: Errno, dot_dot: Errno) -> Result<Name<'p>, Errno> {
        let (parent, last, slashes) = self.parent_of(self.base(base, path)?, path)?;
        match last {
            Last::Name(name) => Ok(Name { parent, name, slashes }),
            Last::Dot => Err(dot),
            Last::DotDot => Err(dot_dot),
        }
    }

    /// `mkdirat(2)`. Errors: `EEXIST`, `ENOMEM`, those of paths.
    pub(crate) fn make_directory(&self, base: i32, path: &[u8], permissions: u32) -> Result<(), Errno> {
        let Name { parent, name, .. } = self.name(base, path, Errno::EEXIST, Errno::EEXIST)?;
        let inode = directory(self.masked(permissions), now())?;
        let _names = self.tree.names.lock();
        add(&parent, Bytes::copy(name)?, &inode)
    }

    /// `symlinkat(2)`. Errors: `EEXIST`, `ENOMEM`, those of paths.
    pub(crate) fn make_symlink(&self, target: &[u8], base: i32, path: &[u8]) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        let Name { parent, name, slashes } = self.name(base, path, Errno::EEXIST, Errno::EEXIST)?;
        if slashes {
            return Err(Errno::ENOENT);
        }
        let inode = Inode::new(Kind::Symlink(Bytes::copy(target)?), S_IFLNK | 0o777, now())?;
        let _names = self.tree.names.lock();
        add(&parent, Bytes::copy(name)?, &inode)
    }

    /// A second name for `inode` (`linkat(2)`). Errors: `EPERM` for a directory, `ENOENT` for a file without a name, `EEXIST`,
    /// `ENOMEM`, those of paths.
    pub(crate) fn link(&self, inode: &Shared<Inode>, base: i32, path: &[u8]) -> Result<(), Errno> {
        let Name { parent, name, slashes } = self.name(base, path, Errno::EEXIST, Errno::EEXIST)?;
        if slashes {
            return Err(Errno::ENOENT);
        }
        if inode.is_directory() || matches!(inode.kind, Kind::Proc(_) | Kind::ProcLink(_)) {
            return Err(Errno::EPERM);
        }
        let _names = self.tree.names.lock();
        add(&parent, Bytes::copy(name)?, inode)?;
        inode.change(|meta| meta.links += 1);
        Ok(())
    }

    /// `unlinkat(2)`. Errors: `ENOENT`, `EISDIR`, `ENOTDIR`, `ENOTEMPTY`, `EBUSY` for the root, `EPERM` for the kernel's files.
    pub(crate) fn unlink(&self, base: i32, path: &[u8], removal: Removal) -> Result<(), Errno> {
        let (dot, dot_dot) = match removal {
            Removal::Directory => (Errno::EINVAL, Errno::ENOTEMPTY),
            Removal::Other => (Errno::EISDIR, Errno::EISDIR),
        };
        let root = path.iter().all(|&byte| byte == b'/') && !path.is_empty();
        let dot = if root && removal == Removal::Directory { Errno::EBUSY } else { dot };
        let Name { parent, name, slashes } = self.name(base, path, dot, dot_dot)?;
        let removed = {
            let _names = self.tree.names.lock();
            let inode = entry(&parent, name).ok_or(match parent.kind {
                Kind::Directory(_) => Errno::ENOENT,
                _ => Errno::EPERM,
            })?;
            match removal {
                Removal::Directory => check_removable_directory(&inode)?,
                Removal::Other if inode.is_directory() => return Err(Errno::EISDIR),
                Removal::Other if slashes => return Err(Errno::ENOTDIR),
                Removal::Other if matches!(inode.kind, Kind::Proc(_) | Kind::Setting(_)) => {
                    return Err(Errno::EPERM);
                }
                Removal::Other => {}
            }
            lose_name(&inode);
            remove(&parent, name)
        };
        drop(removed);
        Ok(())
    }

    /// `renameat2(2)`. Errors: as Linux has them.
    pub(crate) fn rename(
        &self,
        (old_base, old_path): (i32, &[u8]),
        (new_base, new_path): (i32, &[u8]),
        flags: u32,
    ) -> Result<(), Errno> {
        let exchange = flags & RENAME_EXCHANGE != 0;
        if flags & !(RENAME_EXCHANGE | RENAME_NOREPLACE) != 0 || (exchange && flags & RENAME_NOREPLACE != 0) {
            return Err(Errno::EINVAL);
        }
        let old = self.name(old_base, old_path, Errno::EBUSY, Errno::EBUSY)?;
        let taken = if flags & RENAME_NOREPLACE != 0 { Errno::EEXIST } else { Errno::EBUSY };
        let new = self.name(new_base, new_path, taken, taken)?;
        let name = Bytes::copy(new.name)?;
        let replaced = {
            let _names = self.tree.names.lock();
            let inode = entry(&old.parent, old.name).ok_or(Errno::ENOENT)?;
            let target = entry(&new.parent, new.name);
            if target.is_some() && flags & RENAME_NOREPLACE != 0 {
                return Err(Errno::EEXIST);
            }
            if exchange && target.is_none() {
                return Err(Errno::ENOENT);
            }
            if !inode.is_directory() && (old.slashes || (new.slashes && !exchange)) {
                return Err(Errno::ENOTDIR);
            }
            if inode.is_directory() && is_within(&new.parent, &inode) {
                return Err(Errno::EINVAL);
            }
            if let Some(target) = &target
                && target.is_directory()
                && is_within(&old.parent, target)
            {
                return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
            if entries(&old.parent).is_none() || entries(&new.parent).is_none() {
                return Err(Errno::EPERM);
            }
            match target {
                Some(target) if target.is(&inode) => return Ok(()),
                Some(target) if exchange => {
                    self.exchange(&old, &new, &inode, &target)?;
                    return Ok(());
                }
                Some(target) => {
                    match (inode.is_directory(), target.is_directory()) {
                        (true, false) => return Err(Errno::ENOTDIR),
                        (false, true) => return Err(Errno::EISDIR),
                        (true, true) => check_removable_directory(&target)?,
                        (false, false) => {}
                    }
                    // There is room for the new entry then, so nothing fails any more but for memory.
                    let replaced = remove(&new.parent, new.name);
                    lose_name(&target);
                    add(&new.parent, name, &inode)?;
                    remove(&old.parent, old.name);
                    replaced
                }
                None => {
                    add(&new.parent, name, &inode)?;
                    remove(&old.parent, old.name);
                    None
                }
            }
        };
        drop(replaced);
        Ok(())
    }

    /// Lets two names change what they name.
    fn exchange(
        &self,
        old: &Name<'_>,
        new: &Name<'_>,
        inode: &Shared<Inode>,
        target: &Shared<Inode>,
    ) -> Result<(), Errno> {
        let (old_name, new_name) = (Bytes::copy(old.name)?, Bytes::copy(new.name)?);
        for (name, from, to) in [(old, inode, target), (new, target, inode)] {
            let Some(entries) = entries(&name.parent) else { return Err(Errno::EPERM) };
            let mut entries = entries.lock();
            if let Some(entry) = entries.iter_mut().find(|entry| *entry.name == *name.name) {
                entry.inode = to.clone();
            }
            drop(entries);
            match (from.is_directory(), to.is_directory()) {
                (true, false) => name.parent.meta.lock().links -= 1,
                (false, true) => name.parent.meta.lock().links += 1,
                _ => {}
            }
            name.parent.touch_modified();
        }
        *inode.place.lock() = Some(Place { parent: Some(new.parent.clone()), name: new_name });
        *target.place.lock() = Some(Place { parent: Some(old.parent.clone()), name: old_name });
        Ok(())
    }

    /// What a descriptor and a path name: the descriptor itself where the path is empty and that is allowed.
    /// Errors: `EBADF`, `ENOENT`, those of paths.
    pub(crate) fn inode_at(
        &self,
        base: i32,
        path: &[u8],
        last: LastLink,
        empty: Empty,
    ) -> Result<Shared<Inode>, Errno> {
        match (path, empty) {
            (b"", Empty::Descriptor) if base == AT_FDCWD => Ok(self.directory()),
            (b"", Empty::Descriptor) => self.get(base)?.object.inode().cloned().ok_or(Errno::EINVAL),
            _ => self.lookup(base, path, last)?.found(),
        }
    }
}

/// What an empty path means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Empty {
    /// Nothing (`ENOENT`).
    Nothing,
    /// The descriptor itself (`AT_EMPTY_PATH`).
    Descriptor,
}

/// `chmod(2)`: sets the permissions.
pub(crate) fn set_permissions(inode: &Inode, permissions: u32) {
    inode.change(|meta| meta.mode = meta.mode & S_IFMT | permissions & 0o7777);
}

/// `chown(2)`: sets owner and group; `u32::MAX` leaves one.
pub(crate) fn set_owner(inode: &Inode, uid: u32, gid: u32) {
    inode.change(|meta| {
        if uid != u32::MAX {
            meta.uid = uid;
        }
        if gid != u32::MAX {
            meta.gid = gid;
        }
    });
}

/// Whether `inode` is `directory` or below it. The lock of the name space is held.
fn is_within(inode: &Shared<Inode>, directory: &Shared<Inode>) -> bool {
    let mut at = Some(inode.clone());
    while let Some(inode) = at {
        if inode.is(directory) {
            return true;
        }
        at = inode.place.lock().as_ref().and_then(|place| place.parent.clone());
    }
    false
}

fn check_removable_directory(inode: &Inode) -> Result<(), Errno> {
    match &inode.kind {
        Kind::Directory(entries) if entries.lock().is_empty() => Ok(()),
        Kind::Directory(_) => Err(Errno::ENOTEMPTY),
        Kind::ProcDirectory(_) => Err(Errno::EPERM),
        _ => Err(Errno::ENOTDIR),
    }
}

/// An inode has one name less. A directory is gone then.
fn lose_name(inode: &Inode) {
    inode.change(|meta| meta.links = if inode.is_directory() { 0 } else { meta.links.saturating_sub(1) });
}
