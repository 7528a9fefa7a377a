//! Path resolution (`path_resolution(7)`). The process is root, so that search permission never fails.

use abi::Errno;

use super::tree::{Kind, NAME_MAX, NodeId, Tree};

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    /// The path names this node.
    Found(NodeId),
    /// Everything but the last component is there.
    Missing,
}

impl Lookup {
    /// The node, or `ENOENT`.
    pub(crate) fn found(self) -> Result<NodeId, Errno> {
        match self {
            Lookup::Found(node) => Ok(node),
            Lookup::Missing => Err(Errno::ENOENT),
        }
    }
}

impl Tree {
    /// Resolves `path`, if relative from the directory `base`. `exe` is what `/proc/self/exe` links to.
    ///
    /// Errors: `ENOENT` (empty path, missing directory), `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`.
    pub(crate) fn resolve(
        &self,
        base: NodeId,
        exe: NodeId,
        path: &[u8],
        last: LastLink,
    ) -> Result<Lookup, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        Walk { tree: self, exe, links: 0 }.walk(base, path, last)
    }
}

struct Walk<'t> {
    tree: &'t Tree,
    exe: NodeId,
    /// Links followed so far, at most [`LINKS_MAX`]: the bound of the recursion.
    links: u32,
}

impl Walk<'_> {
    fn walk(&mut self, base: NodeId, path: &[u8], last: LastLink) -> Result<Lookup, Errno> {
        let mut at = if path.starts_with(b"/") { NodeId::ROOT } else { base };
        let mut rest = path.trim_prefix_slashes();
        while !rest.is_empty() {
            let length = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let (name, tail) = rest.split_at(length);
            rest = tail.trim_prefix_slashes();
            let found = match self.step(at, name)? {
                Lookup::Found(node) => node,
                Lookup::Missing if rest.is_empty() => return Ok(Lookup::Missing),
                Lookup::Missing => return Err(Errno::ENOENT),
            };
            // A slash behind a name asks for a directory, so that a link there is followed.
            let follow = !tail.is_empty() || last == LastLink::Follow;
            at = match self.follow(at, found, follow)? {
                Lookup::Found(node) => node,
                Lookup::Missing if rest.is_empty() => return Ok(Lookup::Missing),
                Lookup::Missing => return Err(Errno::ENOENT),
            };
            if !tail.is_empty() && !self.tree.is_directory(at) {
                return Err(Errno::ENOTDIR);
            }
        }
        Ok(Lookup::Found(at))
    }

    fn step(&self, at: NodeId, name: &[u8]) -> Result<Lookup, Errno> {
        if !self.tree.is_directory(at) {
            return Err(Errno::ENOTDIR);
        }
        Ok(match name {
            b"." => Lookup::Found(at),
            b".." => Lookup::Found(self.tree.node(at).parent),
            _ if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
            _ => self.tree.entry(at, name).map_or(Lookup::Missing, Lookup::Found),
        })
    }

    fn follow(&mut self, directory: NodeId, found: NodeId, follow: bool) -> Result<Lookup, Errno> {
        let target = match self.tree.node(found).kind {
            Kind::Symlink(target) if follow => Some(target),
            Kind::ExeLink if follow => None,
            _ => return Ok(Lookup::Found(found)),
        };
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::ELOOP);
        }
        match target {
            Some([]) => Err(Errno::ENOENT),
            Some(target) => self.walk(directory, target, LastLink::Follow),
            None => Ok(Lookup::Found(self.exe)),
        }
    }
}

trait TrimSlashes {
    fn trim_prefix_slashes(&self) -> &Self;
}

impl TrimSlashes for [u8] {
    fn trim_prefix_slashes(&self) -> &[u8] {
        let length = self.iter().take_while(|&&byte| byte == b'/').count();
        &self[length..]
    }
}
