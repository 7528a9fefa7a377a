//! The name space: the files of the initramfs, and the few of `/dev` and `/proc` that the kernel adds.
//!
//! Built once at boot and never changed, so it needs no lock. Invariants: node 0 is the root and its own
//! parent; the children of a directory are sorted by name and name it as their parent.

use alloc::vec::Vec;

use abi::Errno;
use abi::fs::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};

use super::device::Device;
use super::open::ProcFile;
use super::setting::{SETTINGS, Setting};

/// Longest name of a directory entry in bytes (`NAME_MAX`).
pub(crate) const NAME_MAX: usize = 255;

/// A node of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// `/`.
    pub(crate) const ROOT: NodeId = NodeId(0);

    /// The inode number, from 1.
    pub(crate) fn inode(self) -> u64 {
        u64::from(self.0) + 1
    }
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A directory and its entries, sorted by name.
    Directory(Vec<NodeId>),
    /// A regular file and its content.
    File(&'static [u8]),
    /// A symbolic link and its target.
    Symlink(&'static [u8]),
    /// `/proc/self/exe`: a link to the program that runs.
    ExeLink,
    /// A device.
    Device(Device),
    /// A file that is written when it is read.
    Proc(ProcFile),
    /// A number that can be read and written.
    Setting(&'static Setting),
}

/// A file, directory or link.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name in its parent.
    pub(crate) name: &'static [u8],
    /// The directory it is in.
    pub(crate) parent: NodeId,
    /// Type and permissions, as `st_mode` has them.
    pub(crate) mode: u32,
    /// Last change of the content, seconds since 1970.
    pub(crate) modified: i64,
    /// What it is.
    pub(crate) kind: Kind,
}

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

/// The name space. Immutable once built.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The tree of these archive members, with `/dev` and `/proc` added. A member that occurs twice counts as
    /// it comes last; missing directories are made.
    ///
    /// Errors: `ENOMEM`; `EINVAL` for a path with `..` or a name longer than [`NAME_MAX`]; `ENOTDIR` for a
    /// path through something that is no directory.
    pub(crate) fn build(members: impl Iterator<Item = Member>) -> Result<Tree, Errno> {
        let mut tree = Tree { nodes: Vec::new() };
        tree.push(Node {
            name: b"",
            parent: NodeId::ROOT,
            mode: S_IFDIR | 0o755,
            modified: 0,
            kind: Kind::Directory(Vec::new()),
        })?;
        for member in members {
            let kind = match member.mode & S_IFMT {
                S_IFDIR => Kind::Directory(Vec::new()),
                S_IFREG => Kind::File(member.content),
                S_IFLNK => Kind::Symlink(member.content),
                _ => continue, // device nodes of the archive: the kernel brings its own
            };
            tree.insert(member.path, member.mode, member.modified, kind)?;
        }
        tree.insert_kernel_files()?;
        Ok(tree)
    }

    fn insert_kernel_files(&mut self) -> Result<(), Errno> {
        for (path, device) in [
            (&b"dev/console"[..], Device::Console),
            (b"dev/tty", Device::Console),
            (b"dev/null", Device::Null),
            (b"dev/zero", Device::Zero),
            (b"dev/random", Device::Random),
            (b"dev/urandom", Device::Random),
        ] {
            self.insert(path, S_IFCHR | 0o666, 0, Kind::Device(device))?;
        }
        for setting in &SETTINGS {
            self.insert(setting.path, S_IFREG | 0o644, 0, Kind::Setting(setting))?;
        }
        self.insert(b"proc/self/exe", S_IFLNK | 0o777, 0, Kind::ExeLink)?;
        self.insert(b"proc/self/maps", S_IFREG | 0o444, 0, Kind::Proc(ProcFile::Maps))?;
        self.insert(b"proc/vmstat", S_IFREG | 0o444, 0, Kind::Proc(ProcFile::Vmstat))?;
        self.insert(b"proc/sugarbush/trace", S_IFREG | 0o444, 0, Kind::Proc(ProcFile::Trace))
    }

    /// The node. Ids come from this tree only, so that it exists.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The entry of this name in a directory; `None` also if `directory` is none.
    pub(crate) fn entry(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        let at = self.position(directory, name).ok()?;
        Some(self.children(directory)[at])
    }

    /// The entries of a directory by name; empty if it is none.
    pub(crate) fn children(&self, directory: NodeId) -> &[NodeId] {
        match &self.node(directory).kind {
            Kind::Directory(children) => children,
            _ => &[],
        }
    }

    /// Whether it is a directory.
    pub(crate) fn is_directory(&self, id: NodeId) -> bool {
        matches!(self.node(id).kind, Kind::Directory(_))
    }

    /// The absolute path of a node; `ENOMEM`.
    pub(crate) fn path_of(&self, id: NodeId) -> Result<Vec<u8>, Errno> {
        let mut length = 0;
        let mut at = id;
        while at != NodeId::ROOT {
            length += 1 + self.node(at).name.len();
            at = self.node(at).parent;
        }
        let mut path = Vec::new();
        path.try_reserve_exact(length.max(1)).map_err(|_| Errno::ENOMEM)?;
        path.resize(length.max(1), b'/');
        at = id;
        while at != NodeId::ROOT {
            let name = self.node(at).name;
            path[length - name.len()..length].copy_from_slice(name);
            length -= 1 + name.len();
            at = self.node(at).parent;
        }
        Ok(path)
    }

    fn position(&self, directory: NodeId, name: &[u8]) -> Result<usize, usize> {
        self.children(directory).binary_search_by(|&child| self.node(child).name.cmp(name))
    }

    fn push(&mut self, node: Node) -> Result<NodeId, Errno> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| Errno::ENOMEM)?;
        self.nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.nodes.push(node);
        Ok(NodeId(id))
    }

    fn insert(&mut self, path: &'static [u8], mode: u32, modified: i64, kind: Kind) -> Result<(), Errno> {
        let mut names =
            path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".").peekable();
        let mut at = NodeId::ROOT;
        while let Some(name) = names.next() {
            if name == b".." || name.len() > NAME_MAX {
                return Err(Errno::EINVAL);
            }
            if names.peek().is_none() {
                return self.insert_last(at, name, mode, modified, kind);
            }
            at = match self.entry(at, name) {
                Some(child) if self.is_directory(child) => child,
                Some(_) => return Err(Errno::ENOTDIR),
                None => self.add(at, name, S_IFDIR | 0o755, modified, Kind::Directory(Vec::new()))?,
            };
        }
        Ok(()) // the root itself
    }

    fn insert_last(
        &mut self,
        parent: NodeId,
        name: &'static [u8],
        mode: u32,
        modified: i64,
        kind: Kind,
    ) -> Result<(), Errno> {
        let Some(old) = self.entry(parent, name) else {
            return self.add(parent, name, mode, modified, kind).map(|_| ());
        };
        let node = &mut self.nodes[old.0 as usize];
        match (&node.kind, &kind) {
            (Kind::Directory(_), Kind::Directory(_)) => {} // keeps its entries
            (Kind::Directory(_), _) => return Err(Errno::EISDIR),
            _ => node.kind = kind,
        }
        (node.mode, node.modified) = (mode, modified);
        Ok(())
    }

    fn add(
        &mut self,
        parent: NodeId,
        name: &'static [u8],
        mode: u32,
        modified: i64,
        kind: Kind,
    ) -> Result<NodeId, Errno> {
        let Err(at) = self.position(parent, name) else { return Err(Errno::EEXIST) };
        let id = self.push(Node { name, parent, mode, modified, kind })?;
        let Kind::Directory(children) = &mut self.nodes[parent.0 as usize].kind else {
            return Err(Errno::ENOTDIR);
        };
        children.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        children.insert(at, id);
        Ok(id)
    }
}
