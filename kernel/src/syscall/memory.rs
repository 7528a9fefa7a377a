//! Memory: mmap, munmap, mprotect, mremap, mseal, brk. The rules are those of `mm::space`; here arguments are only handed
//! on.

use abi::Errno;
use abi::mman::Map;
use mm::PAGE_SIZE;
use mm::space::MmapRequest;

use super::{Arguments, file_mapping};
use crate::process::Thread;

/// `mmap(2)`.
pub(super) fn mmap(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let [address, length, prot, flags, _, offset] = arguments.0;
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if !Map::from_bits_retain(flags).contains(Map::ANONYMOUS) {
        return file_mapping::map(thread, arguments);
    }
    Ok(thread.space.mmap(MmapRequest::decode(address, length, prot, flags)?)?)
}

/// `munmap(2)`.
pub(super) fn munmap(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.munmap(arguments.u64(0), arguments.u64(1))?;
    Ok(0)
}

/// `mprotect(2)`.
pub(super) fn mprotect(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.mprotect(arguments.u64(0), arguments.u64(1), arguments.u64(2))?;
    Ok(0)
}

/// `mremap(2)`.
pub(super) fn mremap(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let [old, old_length, new_length, flags, new, _] = arguments.0;
    Ok(thread.space.mremap(old, old_length, new_length, flags, new)?)
}

/// `mseal(2)`.
pub(super) fn mseal(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.mseal(arguments.u64(0), arguments.u64(1), arguments.u64(2))?;
    Ok(0)
}

/// `brk(2)`: the new break, or the old one if it cannot move.
pub(super) fn brk(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    Ok(thread.space.brk(arguments.u64(0)))
}
