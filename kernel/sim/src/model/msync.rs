//! msync, of memory without files.

use abi::Errno;
use abi::mman::{MS_ASYNC, MS_INVALIDATE, MS_SYNC};

use super::{Model, PAGE};

impl Model {
    /// `msync(address, length, flags)` with raw arguments.
    ///
    /// # Errors
    /// Linux's.
    pub fn msync(&self, address: u64, length: u64, flags: u64) -> Result<(), Errno> {
        let known = flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) == 0;
        if !known || (flags & MS_ASYNC != 0 && flags & MS_SYNC != 0) || !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let (start, pages) = (address / PAGE, length.wrapping_add(PAGE - 1) / PAGE);
        let end = start + pages;
        if pages == 0 {
            return Ok(());
        }
        if end >= 1 << 52 {
            return Err(Errno::ENOMEM);
        }
        let areas = self.overlapping(start, end);
        if flags & MS_INVALIDATE != 0 && areas.iter().any(|area| area.attributes.locking.is_locked()) {
            return Err(Errno::EBUSY);
        }
        let covered: u64 = areas.iter().map(|area| area.end.min(end) - area.start.max(start)).sum();
        if covered < pages { Err(Errno::ENOMEM) } else { Ok(()) }
    }
}
