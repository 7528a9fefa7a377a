//! munmap: the recipe. Its steps are in [`super::gather`] and [`super::release`].
//!
//! ```text
//!  may fail                                          | cannot fail
//!  split start, gather (split end, lock, detach), go | downgrade, neighbours, unmap, free tables,
//!  back, clear: the point of no return               | flush, free frames, free VMAs
//! ```

use crate::error::MmError;
use crate::museum::{self, Bug};
use crate::platform::Platform;
use crate::range::{Page, PageRange, USER_END};
use crate::schedule::Point;
use crate::space::gather::Removed;
use crate::space::map::{Map, MapWriteGuard, Neighbours, VmaPosition};
use crate::space::order::{NeighboursRead, Order, in_order};
use crate::space::{AddressSpace, pages_for};
use crate::trace::Step;
use crate::vma::Vma;

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
        mut guard: MapWriteGuard<'_, 'm, P>,
        range: PageRange,
    ) -> Result<(), MmError> {
        if let Some(taken) = self.take_out::<O>(&mut guard, range)? {
            self.unmap_downgraded::<O>(guard, taken);
        }
        Ok(())
    }

    /// The second half, from the point of no return on: nothing fails (I18).
    #[inline(always)]
    pub(super) fn unmap_downgraded<O: Order>(
        &self,
        guard: MapWriteGuard<'_, 'm, P>,
        taken: TakenOut<'_, 'm, P>,
    ) {
        self.machine.pause(Point::Downgrade);
        let guard = guard.downgrade();
        self.machine.trace(Step::Downgrade);
        self.unmap_taken::<O>(&guard, taken);
    }

    /// The sequence without the downgrade, for a caller who is not done yet.
    pub(super) fn unmap_keeping_lock<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        range: PageRange,
    ) -> Result<(), MmError> {
        if let Some(taken) = self.take_out::<O>(guard, range)? {
            self.unmap_taken::<O>(guard, taken);
        }
        Ok(())
    }

    /// The first half, which may fail, up to the point of no return. `None` if nothing is mapped there.
    #[inline(always)]
    pub(super) fn take_out<'t, O: Order>(
        &'t self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        range: PageRange,
    ) -> Result<Option<TakenOut<'t, 'm, P>>, MmError> {
        self.machine.trace(Step::Begin(range));
        let mut edit = self.edit(guard, range.start());
        let Some(first) = edit.cursor.find(range.end()) else { return Ok(None) };

        let first = edit.split_start::<O>(first, range)?;
        let prev = edit.prev_before_gather::<O>(first);
        let mut gathered = edit.nothing_gathered();
        let stand = edit.gather(&mut gathered, first, range)?;
        let (next, stand) = edit.next_after_gather::<O>(range, stand);
        edit.return_to::<O>(range.start(), stand);
        let downgraded = museum::downgraded_if(self.machine, Bug::EarlyDowngrade, &self.map);
        let removed = edit.clear(&mut gathered, range, stand)?;
        drop(downgraded);
        Ok(Some(TakenOut { range, removed, prev, next, position: edit.cursor.position_at(range.start()) }))
    }

    /// The second half, which cannot fail. Caller holds the mmap lock for writing or downgraded.
    #[inline(always)]
    pub(super) fn unmap_taken<O: Order>(&self, map: &Map<'m, P>, taken: TakenOut<'_, 'm, P>) {
        let TakenOut { range, removed, prev, next, position } = taken;
        self.machine.pause(Point::ReadNeighbours(range));
        let neighbours = match O::NEIGHBOURS {
            NeighboursRead::BeforeClear => Neighbours::between(prev, next),
            NeighboursRead::AfterClear => {
                let [prev, next] = self.vmas.beside(&map.token, &position);
                Neighbours::between(prev, next)
            }
            NeighboursRead::FromGap => Neighbours::of_gap::<P>(&self.vmas.resume(&map.token, position)),
        };
        self.release(range, neighbours, removed);
    }
}

/// A range that the tree has no VMA in any more, on the way to be unmapped.
#[must_use]
pub(super) struct TakenOut<'t, 'm, P: Platform> {
    range: PageRange,
    removed: Removed<'m>,
    /// The neighbours, if the order reads them before the clear.
    prev: Option<&'m Vma>,
    next: Option<&'m Vma>,
    /// Where the cursor stands: on the gap.
    position: VmaPosition<'t, 'm, P>,
}

/// The pages to unmap (E2).
pub(super) fn range_to_unmap(address: u64, length: u64) -> Result<PageRange, MmError> {
    let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
    if address > USER_END || length > USER_END - address {
        return Err(MmError::Invalid);
    }
    PageRange::from_start(start, pages_for(length)).ok_or(MmError::Invalid)
}
