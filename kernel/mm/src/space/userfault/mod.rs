//! Faults that the program resolves: registering, resolving, waiting (`ioctl_userfaultfd(2)`). The picture is in
//! [`crate::userfault`].
//!
//! | operation | lock |
//! | --- | --- |
//! | register, unregister, release | mmap lock (write) |
//! | fill | the VMA's lock (read) if it has an identity, else the mmap lock (read), page by page |
//! | write-protect | mmap lock (read) |
//! | wait, read a message, wake | that of the line, and no other |
//!
//! Only private anonymous memory can be registered. A fork and mremap to another place lose the registration, and with it the
//! write protection of pages, as there are no events that would tell of them.

mod fill;
mod register;
mod wait;

pub use fill::{Fill, WriteProtection};

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::AddressSpace;
use crate::space::map::Map;
use crate::vma::Vma;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// The pages of `[address, address + length)` (bytes), as all requests want them.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for what is not aligned, empty, or outside of what can be mapped.
    pub fn userfault_range(&self, address: u64, length: u64) -> Result<PageRange, MmError> {
        let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
        let pages = Page::starting_at(length).ok_or(MmError::Invalid)?.number();
        let range = PageRange::from_start(start, pages).ok_or(MmError::Invalid)?;
        if start < self.min_page || range.end() > Page::USER_END {
            return Err(MmError::Invalid);
        }
        Ok(range)
    }

    /// The first VMA that has a part of `range`, from `at` on, and that part.
    fn next_part(&self, map: &Map<'m, P>, range: PageRange, at: Page) -> Option<(&'m Vma, PageRange)> {
        let vma = self.vma_from(map, at)?;
        let part = PageRange::new(at.max(vma.start()), vma.end().min(range.end()))?;
        Some((vma, part))
    }

    /// Checks all VMAs of `range`.
    ///
    /// # Errors
    /// The first of `check`; [`MmError::Invalid`] if there is no VMA.
    fn check_parts(
        &self,
        map: &Map<'m, P>,
        range: PageRange,
        check: impl Fn(&Vma) -> Result<(), MmError>,
    ) -> Result<(), MmError> {
        let mut at = range.start();
        while let Some((vma, part)) = self.next_part(map, range, at) {
            check(vma)?;
            at = part.end();
        }
        if at == range.start() { Err(MmError::Invalid) } else { Ok(()) }
    }
}
