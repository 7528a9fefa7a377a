//! `PROCMAP_QUERY`: one mapping of `maps`, without the text (`ioctl_procmap_query(2)`).

use abi::Errno;
use abi::ioctl::{
    PROCMAP_QUERY_COVERING_OR_NEXT_VMA, PROCMAP_QUERY_FILE_BACKED_VMA, PROCMAP_QUERY_VMA_EXECUTABLE,
    PROCMAP_QUERY_VMA_READABLE, PROCMAP_QUERY_VMA_SHARED, PROCMAP_QUERY_VMA_WRITABLE,
};
use mm::space::{VmaKind, VmaView};
use mm::vma::VmaFlags;
use mm::{Page, USER_END};

use super::space_of;
use crate::fs::inode::Kind;
use crate::fs::open::OpenFile;
use crate::fs::procfs::{ProcFile, Subject};
use crate::process::{Space, Thread, table};

/// What may be asked for of the mapping itself.
const PERMISSIONS: u64 = PROCMAP_QUERY_VMA_READABLE
    | PROCMAP_QUERY_VMA_WRITABLE
    | PROCMAP_QUERY_VMA_EXECUTABLE
    | PROCMAP_QUERY_VMA_SHARED;
/// All that may be asked for.
pub(crate) const QUERY_FLAGS: u64 =
    PERMISSIONS | PROCMAP_QUERY_COVERING_OR_NEXT_VMA | PROCMAP_QUERY_FILE_BACKED_VMA;

/// The process whose `maps` is open, if that is what is open.
pub(crate) fn process_of_maps(file: &OpenFile) -> Option<i32> {
    match file.object.inode()?.kind {
        Kind::Proc(ProcFile { subject: Subject::Maps, pid }) => Some(pid),
        _ => None,
    }
}

/// The mapping that a query with these flags at `address` finds in process `pid`. Errors: `ESRCH`, `ENOENT`.
pub(crate) fn query(reader: &Thread, pid: i32, flags: u64, address: u64) -> Result<VmaView, Errno> {
    if pid == reader.pid() {
        return find(&reader.space, flags, address).ok_or(Errno::ENOENT);
    }
    let space = table::process(pid).and_then(|process| space_of(&process)).ok_or(Errno::ESRCH)?;
    find(&space, flags, address).ok_or(Errno::ENOENT)
}

fn find(space: &Space, flags: u64, mut address: u64) -> Option<VmaView> {
    let next = flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA != 0;
    while address < USER_END {
        let [_, at, above] = space.vmas_around(Page::containing(address));
        let view = at.or(if next { above } else { None })?;
        if is_wanted(&view, flags) {
            return Some(view);
        }
        if !next {
            break;
        }
        address = view.vma.range.end().address();
    }
    None
}

fn is_wanted(view: &VmaView, flags: u64) -> bool {
    let is_file = matches!(view.kind, VmaKind::File(_) | VmaKind::Shared(_));
    let missing = flags & PERMISSIONS & !permissions(view.vma.flags);
    missing == 0 && (is_file || flags & PROCMAP_QUERY_FILE_BACKED_VMA == 0)
}

/// What an answer says of a mapping with these properties.
pub(crate) fn permissions(flags: VmaFlags) -> u64 {
    [
        (VmaFlags::READ, PROCMAP_QUERY_VMA_READABLE),
        (VmaFlags::WRITE, PROCMAP_QUERY_VMA_WRITABLE),
        (VmaFlags::EXEC, PROCMAP_QUERY_VMA_EXECUTABLE),
        (VmaFlags::SHARED, PROCMAP_QUERY_VMA_SHARED),
    ]
    .into_iter()
    .filter(|&(flag, _)| flags.contains(flag))
    .fold(0, |sum, (_, bit)| sum | bit)
}
