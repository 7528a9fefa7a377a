//! Inodes: files, directories, links and devices, apart from their names.
//!
//! An inode lives while a name, an open file or somebody else has it. The places of names are changed under the lock of the
//! name space ([`tree`](super::tree)); everything else has a lock of its own.

use alloc::vec::Vec;
use core::ops::Deref;
use core::sync::atomic::{AtomicU64, Ordering};

use abi::Errno;
use abi::fs::S_IFREG;
use spin::Mutex;

use super::content::Content;
use super::device::Device;
use super::mapped;
use super::procfs::{ProcDirectory, ProcFile, ProcLink};
use super::setting::Setting;
use crate::arch::shared::Shared;
use crate::time;

/// Bytes that are there for ever, or owned.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// In the ramdisk or the kernel.
    Static(&'static [u8]),
    /// Made by a program.
    Owned(Vec<u8>),
}

impl Bytes {
    /// A copy of `bytes`. Errors: `ENOMEM`.
    pub(crate) fn copy(bytes: &[u8]) -> Result<Bytes, Errno> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOMEM)?;
        copy.extend_from_slice(bytes);
        Ok(Bytes::Owned(copy))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// A time in seconds and nanoseconds since 1970.
pub(crate) type Time = (i64, i64);

/// Permissions, owners, links and times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// Type and permissions, as `st_mode` has them.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Names; for a directory 2 and one for each directory in it.
    pub(crate) links: u64,
    /// Last access.
    pub(crate) accessed: Time,
    /// Last change of the content.
    pub(crate) modified: Time,
    /// Last change of anything.
    pub(crate) changed: Time,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: Bytes,
    /// What it names.
    pub(crate) inode: Shared<Inode>,
}

/// What an inode is.
pub(crate) enum Kind {
    /// A directory: its entries, sorted by name.
    Directory(Mutex<Vec<Entry>>),
    /// A regular file.
    File(Content),
    /// A symbolic link.
    Symlink(Bytes),
    /// A device.
    Device(Device),
    /// A file that is written when it is read.
    Proc(ProcFile),
    /// A directory whose entries are made when they are looked for.
    ProcDirectory(ProcDirectory),
    /// A link whose target depends on who looks.
    ProcLink(ProcLink),
    /// A number that can be read and written.
    Setting(&'static Setting),
}

/// Where an inode has its name.
#[derive(Debug)]
pub(crate) struct Place {
    /// In this directory; `None` if it never had a name in one.
    pub(crate) parent: Option<Shared<Inode>>,
    /// Its name, or what stands for it.
    pub(crate) name: Bytes,
}

/// An inode.
pub(crate) struct Inode {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// What it is.
    pub(crate) kind: Kind,
    /// Permissions and kin.
    pub(crate) meta: Mutex<Meta>,
    /// Its name, the last one that it got; `None` for the root.
    pub(crate) place: Mutex<Option<Place>>,
}

/// The last number given.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Now, since 1970.
pub(crate) fn now() -> Time {
    let now = time::wall_clock();
    (now.as_secs() as i64, now.subsec_nanos().into())
}

impl Inode {
    /// A new inode with type and permissions `mode`, without a name. Errors: `ENOMEM`.
    pub(crate) fn new(kind: Kind, mode: u32, time: Time) -> Result<Shared<Inode>, Errno> {
        let links = match kind {
            Kind::Directory(_) | Kind::ProcDirectory(_) => 2,
            _ => 1,
        };
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed) + 1;
        let meta = Meta { mode, uid: 0, gid: 0, links, accessed: time, modified: time, changed: time };
        Ok(Shared::new(Inode { number, kind, meta: Mutex::new(meta), place: Mutex::new(None) })?)
    }

    /// An empty regular file with these permissions and no name. Errors: `ENOMEM`.
    pub(crate) fn new_file(permissions: u32) -> Result<Shared<Inode>, Errno> {
        Inode::new(Kind::File(Content::empty()), S_IFREG | permissions & 0o7777, now())
    }

    /// Type and permissions.
    pub(crate) fn mode(&self) -> u32 {
        self.meta.lock().mode
    }

    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory(_) | Kind::ProcDirectory(_))
    }

    /// The content of a regular file.
    pub(crate) fn content(&self) -> Option<&Content> {
        match &self.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    /// The content has changed.
    pub(crate) fn touch_modified(&self) {
        let now = now();
        let mut meta = self.meta.lock();
        (meta.modified, meta.changed) = (now, now);
    }

    /// Something else has changed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Meta)) {
        let now = now();
        let mut meta = self.meta.lock();
        meta.changed = now;
        change(&mut meta);
    }

    /// The absolute path, with ` (deleted)` behind it if the name is gone. Errors: `ENOMEM`.
    pub(crate) fn path(&self) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        let mut next = self.prepend_name(&mut path)?;
        while let Some(inode) = next {
            next = inode.prepend_name(&mut path)?;
        }
        if path.is_empty() {
            path.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            path.push(b'/');
        }
        if self.meta.lock().links == 0 {
            const DELETED: &[u8] = b" (deleted)";
            path.try_reserve(DELETED.len()).map_err(|_| Errno::ENOMEM)?;
            path.extend_from_slice(DELETED);
        }
        Ok(path)
    }

    /// Puts the name in front of `path`; the directory that it is in.
    fn prepend_name(&self, path: &mut Vec<u8>) -> Result<Option<Shared<Inode>>, Errno> {
        let place = self.place.lock();
        let Some(Place { parent, name }) = &*place else { return Ok(None) };
        let slash: &[u8] = if parent.is_some() { b"/" } else { b"" };
        path.try_reserve(slash.len() + name.len()).map_err(|_| Errno::ENOMEM)?;
        path.splice(0..0, slash.iter().chain(name.iter()).copied());
        Ok(parent.clone())
    }

    /// The name, or nothing for the root.
    pub(crate) fn with_name<R>(&self, work: impl FnOnce(&[u8]) -> R) -> R {
        match &*self.place.lock() {
            Some(place) => work(&place.name),
            None => work(b""),
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        if let Some(content) = self.content() {
            mapped::forget(self.number, || self.path(), content);
        }
    }
}

impl core::fmt::Debug for Inode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Inode({})", self.number)
    }
}
