//! msync: the rules of the call. Memory without a file is always as new as it can be.

use abi::mman::{MS_ASYNC, MS_INVALIDATE, MS_SYNC};

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::mprotect::ADDRESSES_END;
use crate::space::{AddressSpace, pages_for};
use crate::vma::VmaFlags;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Checks a call of msync for the pages that `[address, address + length)` (bytes) touches; `flags` are `MS_`.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong address or flags, [`MmError::NoMemory`] for a range that wraps or has a hole,
    /// [`MmError::Busy`] for locked pages with `MS_INVALIDATE`.
    pub fn msync(&self, address: u64, length: u64, flags: u64) -> Result<(), MmError> {
        let both = MS_ASYNC | MS_SYNC;
        if flags & !(both | MS_INVALIDATE) != 0 || flags & both == both {
            return Err(MmError::Invalid);
        }
        let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
        let Some(range) = PageRange::from_start(start, pages_for(length)) else { return Ok(()) };
        if range.end() >= ADDRESSES_END {
            return Err(MmError::NoMemory);
        }
        self.for_each_part(&mut self.read(), range, |_, vma, _| {
            let keeps = flags & MS_INVALIDATE != 0 && vma.flags().contains(VmaFlags::LOCKED);
            if keeps { Err(MmError::Busy) } else { Ok(()) }
        })
    }
}
