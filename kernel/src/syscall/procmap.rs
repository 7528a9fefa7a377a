//! `PROCMAP_QUERY` of `/proc/PID/maps`.

use abi::Errno;
use abi::ioctl::ProcmapQuery;
use mm::PAGE_SIZE;
use mm::space::{VmaKind, VmaView};

use super::user::{UserSlice, UserValue, user_struct};
use crate::fs::build_id::{self, BuildId};
use crate::fs::mapped;
use crate::process::Thread;
use crate::process::proc::maps::{VmaName, line};
use crate::process::proc::query::{QUERY_FLAGS, permissions, query};

user_struct!(ProcmapQuery {
    size,
    query_flags,
    query_addr,
    vma_start,
    vma_end,
    vma_flags,
    vma_page_size,
    vma_offset,
    inode,
    dev_major,
    dev_minor,
    vma_name_size,
    build_id_size,
    vma_name_addr,
    build_id_addr,
});

/// A structure that ends before this has no address to look at.
const SIZE_MIN: u64 = 24;
/// Bytes of the structure as we know it.
const SIZE: usize = ProcmapQuery::SIZE;

/// Answers the query at `address` about process `pid`. Errors: `EFAULT`, `EINVAL`, `E2BIG` for a structure with more in it than we
/// know, `ENOENT` if nothing is found, `ENAMETOOLONG` for a name or identifier without room, `ESRCH`.
pub(super) fn procmap_query(thread: &Thread, pid: i32, address: u64) -> Result<(), Errno> {
    let (mut asked, size) = read_query(address)?;
    let halves = |size: u32, address: u64| (size == 0) == (address == 0);
    if asked.query_flags & !QUERY_FLAGS != 0
        || !halves(asked.vma_name_size, asked.vma_name_addr)
        || !halves(asked.build_id_size, asked.build_id_addr)
    {
        return Err(Errno::EINVAL);
    }
    let view = query(thread, pid, asked.query_flags, asked.query_addr)?;
    let name = VmaName::of(&view);
    let line = line(&view, &name);
    (asked.vma_start, asked.vma_end) = (line.start, line.end);
    asked.vma_flags = permissions(line.flags);
    asked.vma_page_size = PAGE_SIZE;
    (asked.vma_offset, asked.inode) = (line.offset, line.inode);
    (asked.dev_major, asked.dev_minor) = line.device;
    if asked.build_id_size != 0 {
        let found = build_id(&view);
        asked.build_id_size = match found {
            Some((_, length)) if length > asked.build_id_size as usize => return Err(Errno::ENAMETOOLONG),
            Some((id, length)) => {
                UserSlice::new(asked.build_id_addr, length as u64)?.write(&id[..length])?;
                length as u32
            }
            None => 0,
        };
    }
    if asked.vma_name_size != 0 {
        let length = line.name.len() as u64 + 1;
        asked.vma_name_size = match line.name {
            [] => 0,
            _ if length > asked.vma_name_size.into() => return Err(Errno::ENAMETOOLONG),
            name => {
                let mut to = UserSlice::new(asked.vma_name_addr, length)?;
                to.write(name)?;
                to.write(b"\0")?;
                length as u32
            }
        };
    }
    let mut bytes = [0; SIZE];
    asked.encode(&mut bytes);
    let known = size.min(SIZE);
    UserSlice::new(address, known as u64)?.write(&bytes[..known])
}

/// The structure at `address`, and how long the program says it is.
fn read_query(address: u64) -> Result<(ProcmapQuery, usize), Errno> {
    let mut first = [0; 8];
    UserSlice::new(address, 8)?.read(&mut first)?;
    let size = u64::from_le_bytes(first);
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < SIZE_MIN {
        return Err(Errno::EINVAL);
    }
    let size = size as usize;
    let mut bytes = [0; SIZE];
    let mut from = UserSlice::new(address, size as u64)?;
    from.read(&mut bytes[..size.min(SIZE)])?;
    let mut left = size.saturating_sub(SIZE);
    while left > 0 {
        let mut more = [0; 64];
        let part = left.min(more.len());
        from.read(&mut more[..part])?;
        if more != [0; 64] {
            return Err(Errno::E2BIG);
        }
        left -= part;
    }
    Ok((ProcmapQuery::decode(&mut &bytes[..]), size))
}

/// The build identifier of the file that is mapped.
fn build_id(view: &VmaView) -> Option<BuildId> {
    let VmaKind::File(number) = view.kind else { return None };
    build_id::of(mapped::inode(number)?.content()?)
}
