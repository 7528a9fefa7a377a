//! Moving a VMA, or a part of one, with its pages: the core of mremap.
//!
//! ```text
//!  may fail                                      | cannot fail          | munmap of the old range
//!  lock the old VMA, make tables, insert the new | move entries, flush  | split, gather, clear, unmap ...
//!                                                                         fails: move back, unmap the new
//! ```
//!
//! Both VMAs are write-locked until all is done, so nobody faults in either range meanwhile. The munmap of the old range splits
//! the old VMA; the new half is locked before it enters the tree (I12): else, where the new half is the part that goes (in the
//! order before 6.6), a fault could put pages back into what has just been emptied.

use core::ptr;

use crate::error::MmError;
use crate::museum::Bug;
use crate::pgtable::Relocated;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::map::{Change, Map, MapWriteGuard};
use crate::space::order::Order;
use crate::tlb::Gather;
use crate::trace::Step;
use crate::vma::{Vma, VmaFlags};

/// What becomes of the old range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// It is unmapped.
    Unmap,
    /// It stays mapped, without its pages (`MREMAP_DONTUNMAP`).
    Keep,
}

/// A move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Move {
    /// First page of the old range.
    pub(super) from: Page,
    /// Pages that move, all of one VMA. 0 for a duplicate of shared memory.
    pub(super) pages: u64,
    /// The new range, free, and at least as long.
    pub(super) to: PageRange,
    /// What becomes of the old range.
    pub(super) source: Source,
}

impl Move {
    /// The old range; `None` for a duplicate.
    fn old(&self) -> Option<PageRange> {
        PageRange::from_start(self.from, self.pages)
    }
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Moves what `plan` says; the result is the flags of the VMA.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] near the limit of VMAs (M4) or without memory, [`MmError::Interrupted`] (E15). All is as it was
    /// then; a completed split may remain.
    pub(super) fn move_vma<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        plan: &Move,
    ) -> Result<VmaFlags, MmError> {
        // M4: the move makes one VMA more, and the munmap of the old range up to two.
        self.check_room_for_vmas(guard, 3)?;
        let vma = self.vma_at(guard, plan.from).ok_or(MmError::Fault)?;
        let flags = vma.flags();
        let has_pages = self.insert_moved(guard, vma, plan)?;
        // A duplicate gets its pages from the object, as faults come.
        if let Some(old) = plan.old() {
            if has_pages || self.tlb.is_gathered() {
                self.move_pages(old, plan.to.start());
            } else {
                self.trace_relocation(old, plan.to.start(), Relocated::default());
            }
        }
        match (plan.old(), plan.source) {
            (Some(old), Source::Unmap) => self.unmap_source::<O>(guard, old, plan)?,
            (Some(old), Source::Keep) => self.leave_source(guard, old, plan),
            (None, _) => {}
        }
        if flags.context().is_some() {
            self.forget_userfaults_at(guard, plan.to.start());
        }
        Ok(flags)
    }

    /// M4: whether `more` VMAs and one to spare fit below `max_map_count`.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] if not.
    pub(super) fn check_room_for_vmas(&self, map: &Map<'m, P>, more: usize) -> Result<(), MmError> {
        if map.totals.vmas + more >= self.machine.max_map_count()
            && !self.machine.has(Bug::MoveBeyondMapCount)
        {
            return Err(MmError::NoMemory);
        }
        Ok(())
    }

    /// Lets a VMA like `vma` be over the new range, with page tables for what moves there. Whether there is anything to move.
    fn insert_moved(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        vma: &'m Vma,
        plan: &Move,
    ) -> Result<bool, MmError> {
        let mut edit = self.edit(guard, plan.to.start());
        // Nobody faults in the old range from here on.
        if !self.machine.has(Bug::MoveWithoutLock) {
            edit.lock(vma);
        }
        let info = vma.info().moved(plan.from, plan.to);
        // Before the store: a merge moves the bounds of the neighbours.
        let neighbours = edit.cursor.gap().ok_or(MmError::Invalid)?;
        let (prev, next) = edit.touching_in(plan.to, None, neighbours);
        let made = plan.old().map_or(Ok(false), |old| self.tables.make_room(old, plan.to.start(), &self.tlb));
        // What moves is promised already.
        let moves = if plan.source == Source::Unmap { plan.pages } else { 0 };
        let more = info.flags.committed(plan.to.pages() - moves);
        let result = made.and_then(|has_pages| {
            edit.commit(more)?;
            edit.insert(&info, prev, next)?;
            Ok(has_pages)
        });
        if result.is_err() {
            let mut gather = Gather::new(self.machine, &self.tlb);
            self.tables.free(plan.to, neighbours.floor, neighbours.ceiling, &mut gather);
            gather.finish();
        }
        result
    }

    /// Moves the pages of `from` to `to`. The VMAs over both are write-locked, and no TLB knows the old place afterwards.
    fn move_pages(&self, from: PageRange, to: Page) {
        self.machine.pause(Point::ChangeEntries(from));
        let mut gather = Gather::new(self.machine, &self.tlb);
        let moved = self.tables.relocate(from, to, &mut gather);
        gather.finish();
        self.trace_relocation(from, to, moved);
    }

    fn trace_relocation(&self, from: PageRange, to: Page, moved: Relocated) {
        let Relocated { pages, tables } = moved;
        self.machine.trace(Step::Relocate { from, to: to.address(), pages, tables });
    }

    /// Unmaps the old range, whose pages have moved. If that fails, undoes the move.
    ///
    /// # Errors
    /// As munmap. Where undoing fails too, the move stands, and the old range stays mapped, empty, as on Linux.
    fn unmap_source<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        old: PageRange,
        plan: &Move,
    ) -> Result<(), MmError> {
        let Err(error) = self.unmap_keeping_lock::<O>(guard, old) else { return Ok(()) };
        let Ok(Some(taken)) = self.take_out::<O>(guard, plan.to) else { return Ok(()) };
        if let Some(moved) = PageRange::from_start(plan.to.start(), plan.pages) {
            // The tables are still there.
            self.move_pages(moved, old.start());
        }
        self.unmap_taken::<O>(guard, taken);
        Err(error)
    }

    /// Leaves the old range mapped. Its VMA is not locked in memory any more, and if all of it has moved, it is as new.
    fn leave_source(&self, guard: &mut MapWriteGuard<'_, 'm, P>, old: PageRange, plan: &Move) {
        let (source, new) = (self.vma_at(guard, plan.from), self.vma_at(guard, plan.to.start()));
        let (Some(source), Some(new)) = (source, new) else { return };
        let edit = self.edit(guard, plan.from);
        let (locked, flags) = (edit.lock(source), source.flags());
        locked.set_flags(flags - VmaFlags::LOCKING);
        edit.totals.account(flags, source.pages(), Change::Remove);
        edit.totals.account(source.flags(), source.pages(), Change::Add);
        if !ptr::eq(source, new) && source.range() == old {
            locked.clear_anon();
        }
    }
}
