//! What `stat(2)` tells about files.

use abi::fs::{S_IFIFO, Stat};

use super::device::Device;
use super::inode::{Inode, Kind};
use super::open::Object;

/// Device number of the files in memory, as `st_dev`.
pub(crate) const TMPFS_DEVICE: u64 = 2;
/// Device number of the files of `/proc`, as `st_dev`.
const PROC_DEVICE: u64 = 4;
/// Device number of the pipes, as `st_dev`.
const PIPE_DEVICE: u64 = 13;
/// Device number of counters and faults, as `st_dev`.
const ANONYMOUS_DEVICE: u64 = 14;
/// Preferred size of a transfer, and the unit in which files take space, in bytes.
const BLOCK: i64 = 4096;

/// Status of an inode.
pub(crate) fn of_inode(inode: &Inode) -> Stat {
    let meta = *inode.meta.lock();
    let (size, space, device) = match &inode.kind {
        Kind::File(content) => (content.size(), content.space(), 0),
        Kind::Symlink(target) => (target.len() as u64, 0, 0),
        Kind::Directory(entries) => (20 * (entries.lock().len() as u64 + 2), 0, 0),
        Kind::Device(device) => (0, 0, number(*device)),
        Kind::Proc(_) | Kind::Setting(_) | Kind::ProcDirectory(_) | Kind::ProcLink(_) => (0, 0, 0),
    };
    let file_system = match &inode.kind {
        Kind::Proc(_) | Kind::Setting(_) | Kind::ProcDirectory(_) | Kind::ProcLink(_) => PROC_DEVICE,
        Kind::File(_) | Kind::Symlink(_) | Kind::Directory(_) | Kind::Device(_) => TMPFS_DEVICE,
    };
    Stat {
        st_dev: file_system,
        st_ino: inode.number,
        st_nlink: meta.links,
        st_mode: meta.mode,
        st_uid: meta.uid,
        st_gid: meta.gid,
        st_rdev: device,
        st_size: size as i64,
        st_blksize: BLOCK,
        st_blocks: space as i64 / 512,
        st_atime: meta.accessed.0,
        st_atime_nsec: meta.accessed.1,
        st_mtime: meta.modified.0,
        st_mtime_nsec: meta.modified.1,
        st_ctime: meta.changed.0,
        st_ctime_nsec: meta.changed.1,
        ..Stat::default()
    }
}

/// Status of what is open.
pub(crate) fn of_object(object: &Object) -> Stat {
    if let Some(inode) = object.inode() {
        return of_inode(inode);
    }
    let anonymous = Stat { st_nlink: 1, st_blksize: BLOCK, ..Stat::default() };
    match object.pipe() {
        Some(pipe) => Stat { st_dev: PIPE_DEVICE, st_ino: pipe.inode, st_mode: S_IFIFO | 0o600, ..anonymous },
        None => Stat { st_dev: ANONYMOUS_DEVICE, st_ino: 1, st_mode: 0o600, ..anonymous },
    }
}

/// Device number (`major << 8 | minor`), as `devices.txt` lists them.
fn number(device: Device) -> u64 {
    let (major, minor) = match device {
        Device::Console => (5, 1),
        Device::Null => (1, 3),
        Device::Zero => (1, 5),
        Device::Full => (1, 7),
        Device::Random => (1, 9),
        Device::Userfaults => (10, 126),
    };
    major << 8 | minor
}
