//! System V shared memory: shmget, shmat, shmdt, shmctl. Everybody is root here, so permissions refuse nobody.

use alloc::vec::Vec;

use abi::Errno;
use abi::ipc::{
    IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, IpcPerm, SHM_EXEC, SHM_INFO, SHM_LOCK, SHM_RDONLY, SHM_REMAP,
    SHM_RND, SHM_STAT, SHM_STAT_ANY, SHM_UNLOCK, ShmidDs,
};
use abi::mman::Prot;
use mm::space::{MmapOptions, MmapRequest, Placement, Sharing, Source};
use mm::vma::{Backing, VmaFlags};
use mm::{MmError, PAGE_SIZE, Page, USER_END};

use super::Arguments;
use super::user::user_struct;
use crate::ipc::segments::{self, Stay};
use crate::process::Thread;

user_struct!(IpcPerm { key, uid, gid, cuid, cgid, mode, seq, pad, unused });
user_struct!(ShmidDs { perm, segsz, atime, dtime, ctime, cpid, lpid, nattch, unused });
user_struct!(abi::ipc::IpcInfo { shmmax, shmmin, shmmni, shmseg, shmall, unused });
user_struct!(abi::ipc::ShmInfo { used_ids, pad, shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes });

/// `shmget(2)`.
pub(super) fn shmget(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    segments::get(arguments.i32(0), arguments.u64(1), arguments.u32(2)).map(|identifier| identifier as u64)
}

/// `shmat(2)`: the address. Errors: `EINVAL`, and those of `mmap`.
pub(super) fn shmat(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (address, flags) = (arguments.u64(1), arguments.u32(2));
    if arguments.i32(0) < 0 {
        return Err(Errno::EINVAL);
    }
    let remaps = flags & SHM_REMAP != 0;
    let start = match address {
        0 if remaps => return Err(Errno::EINVAL),
        0 => None,
        _ if address.is_multiple_of(PAGE_SIZE) => Some(address),
        _ if flags & SHM_RND == 0 || (remaps && address < PAGE_SIZE) => return Err(Errno::EINVAL),
        _ => Some(address - address % PAGE_SIZE),
    };
    let held = segments::hold(arguments.i32(0))?;
    let pages = held.size.div_ceil(PAGE_SIZE);
    let placement = match start {
        None => Placement::Anywhere,
        Some(start) if !remaps && start.checked_add(held.size).is_none() => return Err(Errno::EINVAL),
        Some(start) if USER_END.checked_sub(pages * PAGE_SIZE).is_none_or(|last| start > last) => {
            return Err(Errno::ENOMEM);
        }
        Some(start) if remaps => Placement::Fixed(Page::containing(start)),
        Some(start) => Placement::FixedNoReplace(Page::containing(start)),
    };
    let mut prot = Prot::READ;
    prot.set(Prot::WRITE, flags & SHM_RDONLY == 0);
    prot.set(Prot::EXEC, flags & SHM_EXEC != 0);
    let mut options = MmapOptions::empty();
    options.set(MmapOptions::NEVER_WRITE, flags & SHM_RDONLY != 0);
    let source = Source::Attachment { object: held.object };
    let request = MmapRequest { placement, pages, prot, sharing: Some(Sharing::Shared), source, options };
    thread.space.mmap(request).map_err(|error| match error {
        MmError::Exists => Errno::EINVAL,
        error => error.into(),
    })
}

/// `shmdt(2)`: what is left of an attachment that began at this address. Errors: `EINVAL` if there is nothing; `ENOMEM`.
pub(super) fn shmdt(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let address = arguments.u64(0);
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let mut pieces = Vec::new();
    let mut attached = None;
    let mut result = Ok(());
    thread.space.for_each_vma(|view| {
        let vma = &view.vma;
        let start = vma.range.start().address();
        let Backing::SharedAnonymous { object } = vma.backing else { return };
        let belongs = vma.flags.contains(VmaFlags::ATTACHED)
            && start >= address
            && (start - address) / PAGE_SIZE == vma.pgoff
            && attached.is_none_or(|(attached, end)| attached == object && vma.range.end().address() <= end);
        if belongs && result.is_ok() {
            // What mremap has put behind the end of the segment stays, unless it comes first.
            let size = segments::size_of(object).next_multiple_of(PAGE_SIZE);
            attached.get_or_insert((object, address.saturating_add(size)));
            result = pieces.try_reserve(1).map(|()| pieces.push((start, vma.range.pages() * PAGE_SIZE)));
        }
    });
    result.map_err(|_| Errno::ENOMEM)?;
    if pieces.is_empty() {
        return Err(Errno::EINVAL);
    }
    for (start, length) in pieces {
        // As on Linux, what is sealed stays, and nobody is told.
        let _sealed = thread.space.munmap(start, length);
    }
    Ok(0)
}

/// `shmctl(2)`. Errors: `EINVAL`, `EFAULT`.
pub(super) fn shmctl(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (identifier, command) = (arguments.i32(0), arguments.u32(1));
    if identifier < 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        IPC_INFO => {
            let (info, highest) = segments::limits();
            arguments.pointer(2).write(&info)?;
            Ok(highest)
        }
        SHM_INFO => {
            let (info, highest) = segments::usage();
            arguments.pointer(2).write(&info)?;
            Ok(highest)
        }
        IPC_STAT => {
            let status = segments::status(identifier)?;
            arguments.pointer(2).write(&status)?;
            Ok(0)
        }
        SHM_STAT | SHM_STAT_ANY => {
            let (status, identifier) = segments::status_at(identifier)?;
            arguments.pointer(2).write(&status)?;
            Ok(identifier as u64)
        }
        IPC_SET => {
            let new = arguments.pointer::<ShmidDs>(2).read()?;
            segments::set(identifier, &new.perm).map(|()| 0)
        }
        IPC_RMID => segments::remove(identifier).map(|()| 0),
        SHM_LOCK => segments::lock(identifier, Stay::Locked).map(|()| 0),
        SHM_UNLOCK => segments::lock(identifier, Stay::Free).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}
