//! mincore: which pages are in memory.

use crate::error::MmError;
use crate::pgtable::PteView;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::AddressSpace;
use crate::space::lifetime::object_of;
use crate::vma::Vma;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Whether an access to the pages from `start` on would find them in memory, for as many as are of one VMA and fit
    /// `answers`, one byte each: 1 or 0. How many that were, at least 1.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] if `start` is not mapped.
    pub fn mincore(&self, start: Page, answers: &mut [u8]) -> Result<usize, MmError> {
        let map = self.read();
        let vma = self.vma_at(&map, start).ok_or(MmError::NoMemory)?;
        let wanted = start.up(answers.len() as u64);
        let Some(range) = PageRange::new(start, vma.end().min(wanted)) else { return Ok(0) };
        for (page, answer) in range.iter().zip(answers) {
            *answer = self.is_in_memory(vma, page).into();
        }
        Ok(range.pages() as usize)
    }

    /// Whether `page` of `vma`, which is stable, is in memory.
    fn is_in_memory(&self, vma: &Vma, page: Page) -> bool {
        let offset = vma.pgoff().wrapping_add(page.number() - vma.start().number());
        matches!(self.tables.traverse(page).view(), PteView::Leaf { .. })
            || object_of(vma.backing()).is_some_and(|object| object.find(self.machine, offset).is_some())
    }
}
