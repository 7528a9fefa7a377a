//! mmap of files, and memory files: `mmap(2)`, `memfd_create(2)`.

use abi::Errno;
use abi::fs::{
    F_SEAL_EXEC, F_SEAL_SEAL, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL, O_ACCMODE, O_PATH,
    O_RDWR, O_WRONLY,
};
use abi::mman::Prot;
use mm::PAGE_SIZE;
use mm::space::{MmapOptions, MmapRequest, Sharing, Source};

use super::Arguments;
use super::user::UserString;
use crate::fs::content::WRITE_SEALS;
use crate::fs::descriptors::OnExec;
use crate::fs::device::Device;
use crate::fs::inode::Kind;
use crate::fs::mapped;
use crate::fs::open::OpenFile;
use crate::process::Thread;

/// Longest name of a memory file in bytes.
const NAME_MAX: usize = 249;

/// `mmap(2)` of a file. Errors: those of `mmap`; `EBADF`; `EACCES` for a file that is not open for that; `ENODEV` for what cannot
/// be mapped; `EPERM` for a file that is sealed; `EOVERFLOW` for an offset beyond what there is.
pub(super) fn map(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let [address, length, prot, flags, _, offset] = arguments.0;
    let file = thread.files.get(arguments.i32(4))?;
    if file.flags() & O_PATH != 0 {
        return Err(Errno::EBADF);
    }
    let mut request = MmapRequest::decode(address, length, prot, flags)?;
    let first_page = offset / PAGE_SIZE;
    if first_page.checked_add(request.pages).is_none_or(|end| end > i64::MAX as u64 / PAGE_SIZE + 1) {
        return Err(Errno::EOVERFLOW);
    }
    let Some(sharing) = request.sharing else { return Err(Errno::EINVAL) };
    check_access(&file, sharing, request.prot)?;
    let inode = file.object.inode().ok_or(Errno::ENODEV)?;
    let content = match &inode.kind {
        Kind::File(content) => content,
        // Private, it is anonymous memory; shared, too, but seen by all who inherit it.
        Kind::Device(Device::Zero) => return Ok(thread.space.mmap(request)?),
        _ => return Err(Errno::ENODEV),
    };
    let object = mapped::object_of(inode)?;
    if sharing == Sharing::Shared {
        let sealed = content.seals() & WRITE_SEALS != 0;
        if sealed && request.prot.contains(Prot::WRITE) {
            return Err(Errno::EPERM);
        }
        if sealed || file.flags() & O_ACCMODE != O_RDWR {
            request.options |= MmapOptions::NEVER_WRITE;
        }
    }
    request.source = Source::File { object: object.object_id(), first_page };
    Ok(thread.space.mmap(request)?)
}

/// Every mapping is read, and a shared one that is to be written needs a file that is open for both.
fn check_access(file: &OpenFile, sharing: Sharing, prot: Prot) -> Result<(), Errno> {
    let mode = file.flags() & O_ACCMODE;
    let writes = sharing == Sharing::Shared && prot.contains(Prot::WRITE);
    if mode == O_WRONLY || (writes && mode != O_RDWR) { Err(Errno::EACCES) } else { Ok(()) }
}

/// `memfd_create(2)`. Errors: `EINVAL`, `EFAULT`, `EMFILE`, `ENOMEM`.
pub(super) fn memfd_create(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let flags = arguments.u32(1);
    let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & !known != 0 || flags & (MFD_NOEXEC_SEAL | MFD_EXEC) == MFD_NOEXEC_SEAL | MFD_EXEC {
        return Err(Errno::EINVAL);
    }
    let name = UserString::read(arguments.u64(0))?;
    if name.as_bytes().len() > NAME_MAX {
        return Err(Errno::EINVAL);
    }
    let seals = match flags {
        _ if flags & MFD_NOEXEC_SEAL != 0 => F_SEAL_EXEC,
        _ if flags & MFD_ALLOW_SEALING != 0 => 0,
        _ => F_SEAL_SEAL,
    };
    let on_exec = if flags & MFD_CLOEXEC != 0 { OnExec::Close } else { OnExec::Keep };
    Ok(thread.files.memory_file(name.as_bytes(), seals, on_exec)? as u64)
}
