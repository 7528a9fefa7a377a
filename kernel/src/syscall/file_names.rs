//! Names of files: mkdir, unlink, rename, link, symlink; what inodes are given: chmod, chown, utimensat; directories: chdir,
//! getcwd; umask.

use abi::Errno;
use abi::fs::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, S_IFMT, S_IFREG,
    UTIME_NOW, UTIME_OMIT,
};
use abi::time::Timespec;

use super::Arguments;
use super::user::{UserPtr, UserSlice};
use crate::arch::shared::Shared;
use crate::fs::inode::{Inode, Time, now};
use crate::fs::names::{Empty, Removal, set_owner, set_permissions};
use crate::fs::path::LastLink;
use crate::process::Thread;

/// `AT_FDCWD` as a system call gets it.
const HERE: u64 = AT_FDCWD as u64;

/// `mkdir(2)`.
pub(super) fn mkdir(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, mode, ..]) = *arguments;
    mkdirat(thread, &Arguments([HERE, path, mode, 0, 0, 0]))
}

/// `mkdirat(2)`.
pub(super) fn mkdirat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let path = arguments.path(1)?;
    thread.files.make_directory(arguments.i32(0), path.as_bytes(), arguments.u32(2) & 0o1777)?;
    Ok(0)
}

/// `rmdir(2)`.
pub(super) fn rmdir(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.unlink(AT_FDCWD, arguments.path(0)?.as_bytes(), Removal::Directory)?;
    Ok(0)
}

/// `unlink(2)`.
pub(super) fn unlink(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.files.unlink(AT_FDCWD, arguments.path(0)?.as_bytes(), Removal::Other)?;
    Ok(0)
}

/// `unlinkat(2)`.
pub(super) fn unlinkat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let removal = match arguments.u32(2) {
        0 => Removal::Other,
        AT_REMOVEDIR => Removal::Directory,
        _ => return Err(Errno::EINVAL),
    };
    thread.files.unlink(arguments.i32(0), arguments.path(1)?.as_bytes(), removal)?;
    Ok(0)
}

/// `rename(2)`.
pub(super) fn rename(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([old, new, ..]) = *arguments;
    renameat2(thread, &Arguments([HERE, old, HERE, new, 0, 0]))
}

/// `renameat(2)`.
pub(super) fn renameat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([old_base, old, new_base, new, ..]) = *arguments;
    renameat2(thread, &Arguments([old_base, old, new_base, new, 0, 0]))
}

/// `renameat2(2)`.
pub(super) fn renameat2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (old, new) = (arguments.path(1)?, arguments.path(3)?);
    let (old, new) = ((arguments.i32(0), old.as_bytes()), (arguments.i32(2), new.as_bytes()));
    thread.files.rename(old, new, arguments.u32(4))?;
    Ok(0)
}

/// `link(2)`.
pub(super) fn link(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([old, new, ..]) = *arguments;
    linkat(thread, &Arguments([HERE, old, HERE, new, 0, 0]))
}

/// `linkat(2)`.
pub(super) fn linkat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(4);
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let last = if flags & AT_SYMLINK_FOLLOW != 0 { LastLink::Follow } else { LastLink::Keep };
    let (old, new) = (arguments.path(1)?, arguments.path(3)?);
    let inode = thread.files.inode_at(arguments.i32(0), old.as_bytes(), last, empty(flags))?;
    thread.files.link(&inode, arguments.i32(2), new.as_bytes())?;
    Ok(0)
}

/// `symlink(2)`.
pub(super) fn symlink(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([target, path, ..]) = *arguments;
    symlinkat(thread, &Arguments([target, HERE, path, 0, 0, 0]))
}

/// `symlinkat(2)`.
pub(super) fn symlinkat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (target, path) = (arguments.path(0)?, arguments.path(2)?);
    thread.files.make_symlink(target.as_bytes(), arguments.i32(1), path.as_bytes())?;
    Ok(0)
}

/// `mknod(2)`.
pub(super) fn mknod(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, mode, device, ..]) = *arguments;
    mknodat(thread, &Arguments([HERE, path, mode, device, 0, 0]))
}

/// `mknodat(2)`: regular files only. Errors: `EPERM` for anything else.
pub(super) fn mknodat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    use abi::fs::{O_CREAT, O_EXCL, O_WRONLY};
    let (path, mode) = (arguments.path(1)?, arguments.u32(2));
    if !matches!(mode & S_IFMT, 0 | S_IFREG) {
        return Err(Errno::EPERM);
    }
    let flags = O_CREAT | O_EXCL | O_WRONLY;
    let number = thread.files.open_at(arguments.i32(0), path.as_bytes(), flags, mode)?;
    thread.files.close(number)?;
    Ok(0)
}

/// `chmod(2)`.
pub(super) fn chmod(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, mode, ..]) = *arguments;
    fchmodat(thread, &Arguments([HERE, path, mode, 0, 0, 0]))
}

/// `fchmod(2)`.
pub(super) fn fchmod(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if let Some(inode) = thread.files.get(arguments.i32(0))?.object.inode() {
        set_permissions(inode, arguments.u32(1));
    }
    Ok(0)
}

/// `fchmodat(2)`.
pub(super) fn fchmodat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([base, path, mode, ..]) = *arguments;
    fchmodat2(thread, &Arguments([base, path, mode, 0, 0, 0]))
}

/// `fchmodat2(2)`.
pub(super) fn fchmodat2(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    set_permissions(&*inode(thread, arguments, arguments.u32(3))?, arguments.u32(2));
    Ok(0)
}

/// `chown(2)`.
pub(super) fn chown(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, user, group, ..]) = *arguments;
    fchownat(thread, &Arguments([HERE, path, user, group, 0, 0]))
}

/// `lchown(2)`.
pub(super) fn lchown(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, user, group, ..]) = *arguments;
    fchownat(thread, &Arguments([HERE, path, user, group, AT_SYMLINK_NOFOLLOW.into(), 0]))
}

/// `fchown(2)`.
pub(super) fn fchown(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if let Some(inode) = thread.files.get(arguments.i32(0))?.object.inode() {
        set_owner(inode, arguments.u32(1), arguments.u32(2));
    }
    Ok(0)
}

/// `fchownat(2)`.
pub(super) fn fchownat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    set_owner(&*inode(thread, arguments, arguments.u32(4))?, arguments.u32(2), arguments.u32(3));
    Ok(0)
}

/// What arguments 0 and 1 name. Errors: `EINVAL` for unknown flags, those of paths.
fn inode(thread: &Thread, arguments: &Arguments, flags: u32) -> Result<Shared<Inode>, Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let last = if flags & AT_SYMLINK_NOFOLLOW != 0 { LastLink::Keep } else { LastLink::Follow };
    thread.files.inode_at(arguments.i32(0), arguments.path(1)?.as_bytes(), last, empty(flags))
}

/// What an empty path means with these flags.
pub(super) fn empty(flags: u32) -> Empty {
    if flags & AT_EMPTY_PATH != 0 { Empty::Descriptor } else { Empty::Nothing }
}

/// `utimensat(2)`; a null path means the descriptor.
pub(super) fn utimensat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let times = match arguments.u64(2) {
        0 => [Timespec { seconds: 0, nanoseconds: UTIME_NOW }; 2],
        address => [read_time(address)?, read_time(address.checked_add(16).ok_or(Errno::EFAULT)?)?],
    };
    let [accessed, modified] = times.map(time);
    let (accessed, modified) = (accessed?, modified?);
    let inode = if arguments.u64(1) == 0 {
        thread.files.get(arguments.i32(0))?.object.inode().cloned().ok_or(Errno::EINVAL)?
    } else {
        inode(thread, arguments, arguments.u32(3))?
    };
    set_times(&inode, accessed, modified);
    Ok(0)
}

/// `utimes(2)`: microseconds.
pub(super) fn utimes(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let Arguments([path, times, ..]) = *arguments;
    let read = |address: u64| {
        let Timespec { seconds, nanoseconds: microseconds } = read_time(address)?;
        if !(0..1_000_000).contains(&microseconds) {
            return Err(Errno::EINVAL);
        }
        Ok(Some((seconds, microseconds * 1000)))
    };
    let [accessed, modified] = match times {
        0 => [Some(now()); 2],
        address => [read(address)?, read(address.checked_add(16).ok_or(Errno::EFAULT)?)?],
    };
    set_times(&*inode(thread, &Arguments([HERE, path, 0, 0, 0, 0]), 0)?, accessed, modified);
    Ok(0)
}

fn read_time(address: u64) -> Result<Timespec, Errno> {
    UserPtr::new(address).read()
}

/// The time to set; `None` to leave it. Errors: `EINVAL`.
fn time(time: Timespec) -> Result<Option<Time>, Errno> {
    match time.nanoseconds {
        UTIME_NOW => Ok(Some(now())),
        UTIME_OMIT => Ok(None),
        0..1_000_000_000 => Ok(Some((time.seconds, time.nanoseconds))),
        _ => Err(Errno::EINVAL),
    }
}

fn set_times(inode: &Inode, accessed: Option<Time>, modified: Option<Time>) {
    inode.change(|meta| {
        meta.accessed = accessed.unwrap_or(meta.accessed);
        meta.modified = modified.unwrap_or(meta.modified);
    });
}

/// `umask(2)`: the old one.
pub(super) fn umask(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    Ok(thread.files.set_umask(arguments.u32(0)).into())
}

/// `getcwd(2)`: the length with the NUL.
pub(super) fn getcwd(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let directory = thread.files.directory();
    if directory.meta.lock().links == 0 {
        return Err(Errno::ENOENT);
    }
    let mut path = directory.path()?;
    path.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    path.push(0);
    if (path.len() as u64) > arguments.u64(1) {
        return Err(Errno::ERANGE);
    }
    UserSlice::new(arguments.u64(0), path.len() as u64)?.write(&path)?;
    Ok(path.len() as u64)
}

/// `chdir(2)`.
pub(super) fn chdir(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let path = arguments.path(0)?;
    let inode = thread.files.lookup(AT_FDCWD, path.as_bytes(), LastLink::Follow)?.found()?;
    thread.files.change_directory(inode)?;
    Ok(0)
}

/// `fchdir(2)`.
pub(super) fn fchdir(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let inode = thread.files.get(arguments.i32(0))?.object.inode().cloned().ok_or(Errno::ENOTDIR)?;
    thread.files.change_directory(inode)?;
    Ok(0)
}
