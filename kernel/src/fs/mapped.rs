//! Files that are mapped, by the number of their object: for what `/proc` calls them.
//!
//! A VMA keeps the content of a file, but not its inode. When that goes while the content is still mapped, its last path is kept.

use alloc::vec::Vec;

use abi::Errno;
use mm::PAGE_SHIFT;
use mm::space::{Copies, Hole};
use spin::Mutex;

use super::content::{Content, File, WRITE_SEALS};
use super::inode::Inode;
use crate::arch::shared::{Shared, Watch};
use crate::memory::Kernel;
use crate::process::spaces;

/// What is known of a file.
enum Known {
    /// Its inode.
    Inode(Watch<Inode>),
    /// It was deleted.
    Deleted(Deleted),
}

/// A file that was deleted.
struct Deleted {
    /// Its last path.
    path: Vec<u8>,
    /// Its content.
    object: Shared<File>,
    /// The seals of that.
    seals: u32,
}

/// By number, ascending.
static FILES: Mutex<Vec<(u64, Known)>> = Mutex::new(Vec::new());

/// The object of a file that is to be mapped. Errors: `EACCES` if it is no regular file; `ENOMEM`.
pub(crate) fn object_of(inode: &Shared<Inode>) -> Result<Shared<File>, Errno> {
    let object = inode.content().ok_or(Errno::EACCES)?.object(inode.number)?;
    let mut files = FILES.lock();
    if let Err(at) = files.binary_search_by_key(&inode.number, |(number, _)| *number) {
        let at = if files.len() == files.capacity() {
            files.retain(|(_, known)| is_needed(known));
            files.partition_point(|(number, _)| *number < inode.number)
        } else {
            at
        };
        files.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        files.insert(at, (inode.number, Known::Inode(inode.watch())));
    }
    Ok(object)
}

fn is_needed(known: &Known) -> bool {
    match known {
        Known::Inode(inode) => inode.is_alive(),
        Known::Deleted(deleted) => deleted.object.is_mapped(),
    }
}

/// Forgets what is not mapped any more.
pub(crate) fn sweep() {
    FILES.lock().retain(|(_, known)| is_needed(known));
}

/// An inode goes. If its content is still mapped, its path stays known.
pub(super) fn forget(number: u64, path: impl FnOnce() -> Result<Vec<u8>, Errno>, content: &Content) {
    let Some(object) = content.own_object().filter(|object| object.is_mapped()) else { return };
    let Ok(path) = path() else { return };
    let mut files = FILES.lock();
    if let Ok(at) = files.binary_search_by_key(&number, |(number, _)| *number) {
        files[at].1 = Known::Deleted(Deleted { path, object, seals: content.seals() });
    }
}

/// The path of the file with this number; `None` if it is not known. Errors: `ENOMEM`.
pub(crate) fn path_of(number: u64) -> Result<Option<Vec<u8>>, Errno> {
    let inode = {
        let files = FILES.lock();
        let Ok(at) = files.binary_search_by_key(&number, |(number, _)| *number) else { return Ok(None) };
        match &files[at].1 {
            Known::Inode(inode) => inode.get(),
            Known::Deleted(Deleted { path, .. }) => {
                let mut copy = Vec::new();
                copy.try_reserve_exact(path.len()).map_err(|_| Errno::ENOMEM)?;
                copy.extend_from_slice(path);
                return Ok(Some(copy));
            }
        }
    };
    inode.map(|inode| inode.path()).transpose()
}

/// Makes a hole in shared memory or a file that is mapped, for all that map it. Errors: `EPERM` for a file that is sealed;
/// `ENOMEM`, `EFBIG`.
pub(crate) fn punch(hole: &Hole<'static, Kernel>) -> Result<(), Errno> {
    let (object, offsets) = (&hole.object, hole.offsets.clone());
    if hole.is_file {
        match inode_or_seals(object.number()) {
            Ok(inode) => {
                let content = inode.content().ok_or(Errno::EACCES)?;
                let (start, length) =
                    (offsets.start << PAGE_SHIFT, (offsets.end - offsets.start) << PAGE_SHIFT);
                return content.punch(inode.number, start, length);
            }
            Err(seals) if seals & WRITE_SEALS != 0 => return Err(Errno::EPERM),
            Err(_) => {}
        }
    }
    let unmap = |offsets| spaces::unmap(object.object_id(), &offsets, Copies::Stay);
    Ok(object.punch(offsets, unmap)?)
}

/// The inode of the file with this number, if it has one.
pub(crate) fn inode(number: u64) -> Option<Shared<Inode>> {
    inode_or_seals(number).ok()
}

/// The inode of the file with this number, or if it is gone, its seals.
fn inode_or_seals(number: u64) -> Result<Shared<Inode>, u32> {
    let files = FILES.lock();
    let at = files.binary_search_by_key(&number, |(number, _)| *number).map_err(|_| 0u32)?;
    match &files[at].1 {
        Known::Inode(inode) => inode.get().ok_or(0),
        Known::Deleted(deleted) => Err(deleted.seals),
    }
}
