//! What programs say about their memory, and ask: madvise, msync, mincore. The rules are those of `mm::space`.

use abi::Errno;
use abi::mman::MADV_REMOVE;
use mm::{PAGE_SIZE, Page, USER_END};

use super::Arguments;
use super::user::UserSlice;
use super::vectors::UserVectors;
use crate::fs::mapped;
use crate::process::Thread;

/// The own thread and process, in place of a descriptor (since Linux 6.14).
const PIDFD_SELF_THREAD: i32 = -10_000;
const PIDFD_SELF_THREAD_GROUP: i32 = -10_001;
/// Pages that mincore answers for in one go.
const ANSWERS: usize = 512;

/// `madvise(2)`.
pub(super) fn madvise(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    advise(thread, arguments.u64(0), arguments.u64(1), arguments.u64(2))?;
    Ok(0)
}

/// Follows the advice with this number, an `int`.
fn advise(thread: &Thread, address: u64, length: u64, advice: u64) -> Result<(), Errno> {
    if u64::from(advice as u32) == MADV_REMOVE {
        return thread.space.remove(address, length, mapped::punch);
    }
    Ok(thread.space.madvise(address, length, advice)?)
}

/// `process_madvise(2)` of the process itself, which is what `PIDFD_SELF` stands for; there are no descriptors of processes.
/// How many bytes of the ranges, up to the one where an error comes.
pub(super) fn process_madvise(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if arguments.u32(4) != 0 {
        return Err(Errno::EINVAL);
    }
    let vectors = UserVectors::read(arguments.u64(1), arguments.u64(2))?;
    if !matches!(arguments.i32(0), PIDFD_SELF_THREAD | PIDFD_SELF_THREAD_GROUP) {
        return Err(Errno::EBADF);
    }
    let mut done = 0;
    for (address, length) in vectors.ranges() {
        match advise(thread, address, length, arguments.u64(3)) {
            Ok(()) => done += length,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// `msync(2)`.
pub(super) fn msync(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.msync(arguments.u64(0), arguments.u64(1), arguments.u32(2).into())?;
    Ok(0)
}

/// `mincore(2)`. What was written before an error stays.
pub(super) fn mincore(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (address, length) = (arguments.u64(0), arguments.u64(1));
    let mut page = Page::starting_at(address).ok_or(Errno::EINVAL)?;
    if address.checked_add(length).is_none_or(|end| end > USER_END) {
        return Err(Errno::ENOMEM);
    }
    let mut left = length.div_ceil(PAGE_SIZE);
    let mut to = UserSlice::new(arguments.u64(2), left)?;
    let mut answers = [0; ANSWERS];
    while left > 0 {
        let wanted = left.min(ANSWERS as u64) as usize;
        let count = thread.space.mincore(page, &mut answers[..wanted])?;
        to.write(&answers[..count])?;
        page = page.up(count as u64);
        left -= count as u64;
    }
    Ok(0)
}
