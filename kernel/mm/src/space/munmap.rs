//! munmap: the recipe. Its steps are in [`super::gather`] and [`super::release`].
//!
//! ```text
//!  may fail                                          | cannot fail
//!  split start, gather (split end, lock, detach), go | downgrade, neighbours, unmap, free tables,
//!  back, clear: the point of no return               | flush, free frames, free VMAs
//! ```

use crate::error::MmError;
use crate::museum;
use crate::platform::Platform;
use crate::range::{Page, PageRange, USER_END};
use crate::schedule::Point;
use crate::space::map::{Map, Neighbours};
use crate::space::order::{NeighboursRead, Order, in_order};
use crate::space::{AddressSpace, pages_for};
use crate::sync::WriteGuard;
use crate::trace::Step;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Unmaps all pages that `[address, address + length)` (bytes) touches. Nothing mapped there is no error (E3).
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range (E2), [`MmError::Interrupted`] (E1), [`MmError::NoMemory`] at the limit of
    /// VMAs (E4) or without memory (E7, E8, E14), [`MmError::NotPermitted`] if any of it is sealed (E5, E12). The same
    /// pages stay mapped with the same properties then; a completed split may remain.
    pub fn munmap(&self, address: u64, length: u64) -> Result<(), MmError> {
        let range = range_to_unmap(address, length)?;
        let guard = self.write()?;
        let result = in_order!(self.order, self.unmap_range(guard, range));
        museum::result_of_munmap(self.machine, result)
    }

    /// The sequence, in the order `O`.
    pub(super) fn unmap_range<O: Order>(
        &self,
        mut guard: WriteGuard<'_, Map<'m, P>>,
        range: PageRange,
    ) -> Result<(), MmError> {
        self.machine.trace(Step::Begin(range));
        let mut edit = self.edit(&mut guard, range.start());
        let Some(first) = edit.cursor.find(range.end()) else { return Ok(()) };

        let first = edit.split_start::<O>(first, range)?;
        let prev = edit.prev_before_gather::<O>(first);
        let gathered = edit.gather(first, range)?;
        let next = edit.next_after_gather::<O>(range);
        edit.return_to::<O>(range.start());
        let removed = self.clear_tree(&mut edit, gathered, range)?;
        // The point of no return: from here on nothing fails (I18).

        let position = edit.cursor.position();
        self.machine.pause(Point::Downgrade);
        let guard = guard.downgrade();
        self.machine.trace(Step::Downgrade);
        self.machine.pause(Point::ReadNeighbours(range));
        let neighbours = match O::NEIGHBOURS {
            NeighboursRead::BeforeClear => Neighbours::between(prev, next),
            NeighboursRead::AfterClear => {
                Neighbours::beside::<P>(&mut self.vmas.resume(&guard.token, position))
            }
            NeighboursRead::FromGap => Neighbours::of_gap::<P>(&self.vmas.resume(&guard.token, position)),
        };
        self.release(range, neighbours, removed);
        Ok(())
    }
}

/// The pages to unmap (E2).
fn range_to_unmap(address: u64, length: u64) -> Result<PageRange, MmError> {
    let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
    if address > USER_END || length > USER_END - address {
        return Err(MmError::Invalid);
    }
    PageRange::from_start(start, pages_for(length)).ok_or(MmError::Invalid)
}
