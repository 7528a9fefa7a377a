//! What programs say about their memory, and ask: madvise, msync, mincore. The rules are those of `mm::space`.

use abi::Errno;
use mm::{PAGE_SIZE, Page, USER_END};

use super::Arguments;
use super::user::UserSlice;
use crate::process::Thread;

/// Pages that mincore answers for in one go.
const ANSWERS: usize = 512;

/// `madvise(2)`.
pub(super) fn madvise(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.space.madvise(arguments.u64(0), arguments.u64(1), arguments.u64(2))?;
    Ok(0)
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
