//! What `stat(2)` tells about files.

use abi::fs::{S_IFIFO, Stat};

use super::device::Device;
use super::open::Object;
use super::tree::{Kind, NodeId, Tree};

/// Device number of the initramfs, as `st_dev`.
pub(crate) const INITRAMFS_DEVICE: u64 = 2;
/// Device number of the files of `/proc`, as `st_dev`.
const PROC_DEVICE: u64 = 4;
/// Device number of the pipes, as `st_dev`.
const PIPE_DEVICE: u64 = 13;
/// Preferred size of a transfer, and the unit in which files take space, in bytes.
const BLOCK: i64 = 4096;

/// Status of a node. `exe` is the path of the program, the target of `/proc/self/exe`.
pub(crate) fn of_node(tree: &Tree, id: NodeId, exe: &[u8]) -> Stat {
    let node = tree.node(id);
    let (size, links, device) = match &node.kind {
        Kind::File(content) => (content.len(), 1, 0),
        Kind::Symlink(target) => (target.len(), 1, 0),
        Kind::ExeLink => (exe.len(), 1, 0),
        Kind::Directory(children) => {
            (0, 2 + children.iter().filter(|&&child| tree.is_directory(child)).count(), 0)
        }
        Kind::Device(device) => (0, 1, number(*device)),
        Kind::Proc(_) | Kind::Setting(_) => (0, 1, 0),
    };
    let file_system = match &node.kind {
        Kind::Proc(_) | Kind::Setting(_) | Kind::ExeLink => PROC_DEVICE,
        Kind::File(_) | Kind::Symlink(_) | Kind::Directory(_) | Kind::Device(_) => INITRAMFS_DEVICE,
    };
    Stat {
        st_dev: file_system,
        st_ino: id.inode(),
        st_nlink: links as u64,
        st_mode: node.mode,
        st_rdev: device,
        st_size: size as i64,
        st_blksize: BLOCK,
        st_blocks: (size as i64 + BLOCK - 1) / BLOCK * (BLOCK / 512),
        st_atime: node.modified,
        st_mtime: node.modified,
        st_ctime: node.modified,
        ..Stat::default()
    }
}

/// Status of what is open.
pub(crate) fn of_object(tree: &Tree, object: &Object, exe: &[u8]) -> Stat {
    if let Some(node) = object.named() {
        return of_node(tree, node, exe);
    }
    Stat {
        st_dev: PIPE_DEVICE,
        st_ino: object.pipe().map_or(0, |pipe| pipe.inode),
        st_nlink: 1,
        st_mode: S_IFIFO | 0o600,
        st_blksize: BLOCK,
        ..Stat::default()
    }
}

/// Device number (`major << 8 | minor`), as `devices.txt` lists them.
fn number(device: Device) -> u64 {
    let (major, minor) = match device {
        Device::Console => (5, 1),
        Device::Null => (1, 3),
        Device::Zero => (1, 5),
        Device::Random => (1, 9),
    };
    major << 8 | minor
}
