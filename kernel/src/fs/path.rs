//! Path resolution (`path_resolution(7)`). The process is root, so that search permission never fails.

use alloc::vec::Vec;

use abi::Errno;

use super::Files;
use super::inode::{Bytes, Inode, Kind};
use super::open::OpenFile;
use super::procfs::Target;
use super::tree::{NAME_MAX, Tree, entry};
use crate::arch::shared::Shared;

/// Most symbolic links that one resolution follows (`MAXSYMLINKS`).
const LINKS_MAX: u32 = 40;

/// What happens if the last component is a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LastLink {
    /// It is followed.
    Follow,
    /// The link itself is meant.
    Keep,
}

/// The result of a resolution.
pub(crate) enum Lookup {
    /// The path names this inode.
    Found(Shared<Inode>),
    /// The path leads to an open file that has no inode in the tree: an end of a pipe in `/proc/self/fd`.
    Open(Shared<OpenFile>),
    /// Everything but the last component is there.
    Missing(Slot),
}

/// Where a name would be.
pub(crate) struct Slot {
    /// In this directory.
    pub(crate) parent: Shared<Inode>,
    /// With this name.
    pub(crate) name: Vec<u8>,
}

impl Lookup {
    /// The inode, or `ENOENT`.
    pub(crate) fn found(self) -> Result<Shared<Inode>, Errno> {
        match self {
            Lookup::Found(inode) => Ok(inode),
            Lookup::Open(_) => Err(Errno::ENXIO),
            Lookup::Missing(_) => Err(Errno::ENOENT),
        }
    }
}

/// What the last component of a path is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Last<'p> {
    /// A name.
    Name(&'p [u8]),
    /// `.`, or the path is `/`.
    Dot,
    /// `..`.
    DotDot,
}

impl Files {
    /// The directory that holds the last component of `path`, that component, and whether slashes follow it: for calls that
    /// make and remove names. Errors: as [`resolve`](Tree::resolve).
    pub(crate) fn parent_of<'p>(
        &self,
        base: Shared<Inode>,
        path: &'p [u8],
    ) -> Result<(Shared<Inode>, Last<'p>, bool), Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        let start = path[..end].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (before, name) = (&path[..start], &path[start..end]);
        let last = match name {
            b"" | b"." => Last::Dot,
            b".." => Last::DotDot,
            _ if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
            name => Last::Name(name),
        };
        let parent = if before.is_empty() {
            base
        } else {
            self.tree.resolve(base, Some(self), before, LastLink::Follow)?.found()?
        };
        if !parent.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok((parent, last, end < path.len()))
    }
}

impl Tree {
    /// Resolves `path`, if relative from the directory `base`. `files` are those of whoever looks, for `/proc`.
    ///
    /// Errors: `ENOENT` (empty path, missing directory), `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`, `ENOMEM`.
    pub(crate) fn resolve(
        &self,
        base: Shared<Inode>,
        files: Option<&Files>,
        path: &[u8],
        last: LastLink,
    ) -> Result<Lookup, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        Walk { tree: self, files, links: 0 }.walk(base, path, last)
    }
}

struct Walk<'t> {
    tree: &'t Tree,
    files: Option<&'t Files>,
    /// Links followed so far, at most [`LINKS_MAX`]: the bound of the recursion.
    links: u32,
}

impl Walk<'_> {
    fn walk(&mut self, base: Shared<Inode>, path: &[u8], last: LastLink) -> Result<Lookup, Errno> {
        let mut at = if path.starts_with(b"/") { self.tree.root.clone() } else { base };
        let mut rest = trim_slashes(path);
        while !rest.is_empty() {
            let length = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let (name, tail) = rest.split_at(length);
            rest = trim_slashes(tail);
            // A slash behind a name asks for a directory, so that a link there is followed.
            let follow = !tail.is_empty() || last == LastLink::Follow;
            let found = match self.step(&at, name)? {
                Some(found) => self.follow(at, found, follow)?,
                None => Lookup::Missing(Slot { parent: at, name: copy(name)? }),
            };
            at = match found {
                Lookup::Found(inode) => inode,
                other if tail.is_empty() => return Ok(other),
                // A directory can be made of it.
                other @ Lookup::Missing(_) if rest.is_empty() => return Ok(other),
                Lookup::Missing(_) => return Err(Errno::ENOENT),
                Lookup::Open(_) => return Err(Errno::ENOTDIR),
            };
            if !tail.is_empty() && !at.is_directory() {
                return Err(Errno::ENOTDIR);
            }
        }
        Ok(Lookup::Found(at))
    }

    fn step(&self, at: &Shared<Inode>, name: &[u8]) -> Result<Option<Shared<Inode>>, Errno> {
        if !at.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        match name {
            b"." => Ok(Some(at.clone())),
            b".." => Ok(Some(self.parent(at))),
            _ if name.len() > NAME_MAX => Err(Errno::ENAMETOOLONG),
            _ => {
                let found = {
                    let _names = self.tree.names.lock();
                    entry(at, name)
                };
                match (found, self.files, &at.kind) {
                    (Some(found), ..) => Ok(Some(found)),
                    (None, Some(files), Kind::ProcDirectory(directory)) => directory.look_up(at, name, files),
                    (None, Some(files), _) if is_proc(at, self.tree) => {
                        super::procfs::look_up_process(at, name, files)
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    fn parent(&self, at: &Shared<Inode>) -> Shared<Inode> {
        let _names = self.tree.names.lock();
        let place = at.place.lock();
        place.as_ref().and_then(|place| place.parent.clone()).unwrap_or_else(|| at.clone())
    }

    fn follow(
        &mut self,
        directory: Shared<Inode>,
        found: Shared<Inode>,
        follow: bool,
    ) -> Result<Lookup, Errno> {
        if !follow || !matches!(found.kind, Kind::Symlink(_) | Kind::ProcLink(_)) {
            return Ok(Lookup::Found(found));
        }
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::ELOOP);
        }
        match &found.kind {
            Kind::Symlink(target) if target.is_empty() => Err(Errno::ENOENT),
            Kind::Symlink(target) => self.walk(directory, target, LastLink::Follow),
            Kind::ProcLink(link) => match link.target(self.files.ok_or(Errno::ENOENT)?)? {
                Target::Inode(inode) => Ok(Lookup::Found(inode)),
                Target::Open(file) => Ok(Lookup::Open(file)),
                Target::Path(path) => self.walk(directory, &path, LastLink::Follow),
            },
            _ => Ok(Lookup::Found(found)),
        }
    }
}

/// Whether `at` is `/proc`, where processes are directories.
pub(super) fn is_proc(at: &Shared<Inode>, tree: &Tree) -> bool {
    let place = at.place.lock();
    let in_root =
        |parent: &Option<Shared<Inode>>| parent.as_ref().is_some_and(|parent| parent.is(&tree.root));
    place.as_ref().is_some_and(|place| *place.name == *b"proc" && in_root(&place.parent))
}

fn copy(name: &[u8]) -> Result<Vec<u8>, Errno> {
    match Bytes::copy(name)? {
        Bytes::Owned(name) => Ok(name),
        Bytes::Static(_) => Err(Errno::ENOMEM), // not reached: a copy is owned
    }
}

fn trim_slashes(path: &[u8]) -> &[u8] {
    let length = path.iter().take_while(|&&byte| byte == b'/').count();
    &path[length..]
}
