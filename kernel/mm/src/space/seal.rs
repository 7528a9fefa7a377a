//! mseal: VMAs whose range and permissions nobody can change any more, short of the end of the address space.
//!
//! A sealed VMA has [`VmaFlags::SEALED`]. It refuses munmap and all that unmaps (E5, E12), mprotect and mremap.

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::map::Map;
use crate::space::mprotect::ADDRESSES_END;
use crate::space::{AddressSpace, pages_for};
use crate::vma::{Vma, VmaFlags};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Seals the pages that `[address, address + length)` (bytes) touches. Length 0 is no error, nor are sealed pages.
    /// `flags` must be 0.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for wrong arguments, [`MmError::NoMemory`] for a range that is not mapped throughout; nothing
    /// has changed then. [`MmError::Interrupted`] (E1). [`MmError::NoMemory`] also at the limit of VMAs or without memory
    /// for a split: the VMAs before that one are sealed then, as on Linux.
    pub fn mseal(&self, address: u64, length: u64, flags: u64) -> Result<(), MmError> {
        if flags != 0 {
            return Err(MmError::Invalid);
        }
        let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
        if length == 0 {
            return Ok(());
        }
        let range = PageRange::from_start(start, pages_for(length)).ok_or(MmError::Invalid)?;
        if range.end() >= ADDRESSES_END {
            return Err(MmError::Invalid);
        }
        let mut guard = self.write()?;
        if !self.is_mapped_throughout(&guard, range) {
            return Err(MmError::NoMemory);
        }
        let mut at = range.start();
        while let Some(vma) = self.vma_at(&guard, at)
            && let Some(part) = PageRange::new(at, vma.end().min(range.end()))
        {
            at = part.end();
            let flags = vma.flags();
            if !flags.contains(VmaFlags::SEALED) {
                self.edit(&mut guard, part.start()).modify(vma, part, flags | VmaFlags::SEALED)?;
            }
        }
        Ok(())
    }

    /// Whether there is no hole in `range`.
    fn is_mapped_throughout(&self, map: &Map<'m, P>, range: PageRange) -> bool {
        let mut reached = range.start();
        let mut cursor = self.cursor(map, reached);
        let mut next = cursor.find(range.end().number());
        while let Some((found, _)) = next {
            if found.start > reached.number() {
                return false;
            }
            reached = Page::new(found.end);
            next = cursor.next_below(range.end().number());
        }
        reached >= range.end()
    }
}

impl Vma {
    /// Refuses where the VMA is sealed: for all that unmaps it, moves it, or changes its permissions.
    ///
    /// # Errors
    /// [`MmError::NotPermitted`] (E5, E12).
    pub(super) fn may_change(&self) -> Result<(), MmError> {
        if self.flags().contains(VmaFlags::SEALED) { Err(MmError::NotPermitted) } else { Ok(()) }
    }
}
