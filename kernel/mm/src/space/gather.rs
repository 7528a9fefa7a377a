//! The steps of munmap up to the point of no return.

use core::mem;

use maple::Store;

use crate::error::MmError;
use crate::museum::Bug;
use crate::platform::{Fallible, Platform};
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::edit::{Edit, NewHalf};
use crate::space::lifetime::lock_vma_killable;
use crate::space::map::{Change, Totals};
use crate::space::order::{NeighboursRead, Order, Return};
use crate::sync::List;
use crate::trace::Step;
use crate::vma::{Vma, WriteSection};

/// VMAs on their way out: write-locked and detached, but still in the tree. Dropped before the clear, it attaches
/// them again (the unwinding of E6-E14).
pub(super) struct Gathered<'g, 'm, P: Platform> {
    machine: &'m P,
    section: WriteSection<'g>,
    vmas: List<'m, Vma>,
    totals: Totals,
}

impl<'g, 'm, P: Platform> Gathered<'g, 'm, P> {
    /// Takes one more, all of which goes: locks it, then detaches it (I10).
    ///
    /// # Errors
    /// E12 for a sealed VMA, E15: it has not been taken.
    fn take(&mut self, vma: &'m Vma) -> Result<(), MmError> {
        vma.may_change()?;
        let vma = if self.machine.has(Bug::DetachBeforeLock) {
            vma.detach_before_lock(self.section, self.machine)
        } else {
            let locked = lock_vma_killable(self.machine, self.section, vma)?;
            locked.detach(self.machine);
            locked
        };
        let counted = match self.vmas.first() {
            Some(other) if self.machine.has(Bug::LockedPagesOfWrongVma) => other.flags(),
            _ => vma.flags(),
        };
        self.vmas.push(vma.vma());
        let range = vma.range();
        self.totals.account(counted, range.pages(), Change::Add);
        self.totals.vmas += 1;
        self.machine.trace(Step::Gather(range));
        Ok(())
    }

    /// Their sums.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The tree does not hold them any more: they cannot come back. None are left here.
    pub(super) fn commit(&mut self) -> Removed<'m> {
        Removed { vmas: mem::take(&mut self.vmas), count: self.totals.vmas as u64 }
    }
}

impl<P: Platform> Drop for Gathered<'_, '_, P> {
    fn drop(&mut self) {
        while let Some(vma) = self.vmas.pop() {
            if !self.machine.has(Bug::UnwindLeavesDetached) {
                vma.still_locked(self.section).attach();
            }
        }
    }
}

/// Where the cursor stands after a gather.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stand {
    /// Still on the first VMA, which is the only one.
    OnFirst,
    /// On the last one, or behind it.
    Moved,
}

/// VMAs that have left the tree and wait for their pages to be unmapped.
#[must_use]
pub(super) struct Removed<'m> {
    /// The objects.
    pub(super) vmas: List<'m, Vma>,
    /// How many.
    pub(super) count: u64,
}

impl<'g, 'm, P: Platform> Edit<'_, 'g, 'm, P> {
    /// Splits `first`, the first VMA of `range`, at the start of `range` if need be. The result is the first VMA to
    /// go, and the cursor stands on it.
    ///
    /// # Errors
    /// E4 for a hole inside one VMA at the limit, E5, E7, E8. Nothing has changed then.
    #[inline(always)]
    pub(super) fn split_start<O: Order>(
        &mut self,
        first: &'m Vma,
        range: PageRange,
    ) -> Result<&'m Vma, MmError> {
        if first.start() >= range.start() { Ok(first) } else { self.split_inside::<O>(first, range) }
    }

    #[inline(never)]
    fn split_inside<O: Order>(&mut self, first: &'m Vma, range: PageRange) -> Result<&'m Vma, MmError> {
        if first.end() > range.end() && self.at_map_count_limit() {
            return Err(MmError::NoMemory);
        }
        first.may_change()?;
        let new = self.split(first, range.start(), O::START_SPLIT)?;
        self.trace(Step::SplitStart(new.range()));
        Ok(match O::START_SPLIT {
            NewHalf::Lower => first,
            NewHalf::Upper => new,
        })
    }

    /// The VMA below, if the order reads it before the gather. The cursor stands on `first` again then.
    pub(super) fn prev_before_gather<O: Order>(&mut self, first: &'m Vma) -> Option<&'m Vma> {
        if O::NEIGHBOURS != NeighboursRead::BeforeClear {
            return None;
        }
        let prev = self.cursor.prev();
        self.cursor.next(first.end());
        prev
    }

    /// No VMAs yet, to [`gather`](Self::gather).
    pub(super) fn nothing_gathered(&self) -> Gathered<'g, 'm, P> {
        Gathered {
            machine: self.machine,
            section: self.section,
            vmas: List::new(),
            totals: Totals::default(),
        }
    }

    /// Gathers the VMAs of `range` from `first` on, where the cursor stands: locks and detaches each (I10); the last one is split
    /// at the end first if need be. (`gathered` is the caller's, because it is too large to be handed around.)
    ///
    /// # Errors
    /// E12 for a sealed VMA, E7, E8 from the end split, E15. What has been gathered is for the caller to drop; splits remain.
    #[inline(always)]
    pub(super) fn gather(
        &mut self,
        gathered: &mut Gathered<'g, 'm, P>,
        first: &'m Vma,
        range: PageRange,
    ) -> Result<Stand, MmError> {
        let mut last = None;
        let mut take = |vma: &'m Vma| {
            if vma.end() > range.end() {
                last = Some(vma);
                return Ok(());
            }
            gathered.take(vma)
        };
        let is_only = first.end() >= range.end();
        take(first)?;
        if !is_only {
            self.cursor.visit_below(range.end(), take)?;
        }
        if let Some(last) = last {
            last.may_change()?;
            let new = self.split(last, range.end(), NewHalf::Upper)?;
            self.trace(Step::SplitEnd(new.range()));
            gathered.take(last)?;
            if is_only {
                self.cursor.prev();
            }
        }
        Ok(if is_only { Stand::OnFirst } else { Stand::Moved })
    }

    /// The VMA above, if the order reads it before the clear, and where the cursor stands then.
    pub(super) fn next_after_gather<O: Order>(
        &mut self,
        range: PageRange,
        stand: Stand,
    ) -> (Option<&'m Vma>, Stand) {
        if O::NEIGHBOURS != NeighboursRead::BeforeClear {
            return (None, stand);
        }
        (self.vma_above(range.end()), Stand::Moved)
    }

    /// The first VMA at or above `end`; the cursor stands below or on it.
    pub(super) fn vma_above(&mut self, end: Page) -> Option<&'m Vma> {
        if self.cursor.start() >= end {
            return self.cursor.find(Page::USER_END);
        }
        self.cursor.next(Page::USER_END)
    }

    /// Brings the cursor back to the slot that holds `start`, or leaves it on the only VMA.
    pub(super) fn return_to<O: Order>(&mut self, start: Page, from: Stand) {
        let walks_back = match O::RETURN {
            Return::Reset => false,
            Return::WalkBack => true,
            Return::WalkBackInLeaf => self.cursor.holds(start),
        };
        if walks_back {
            let leaves = if from == Stand::OnFirst { 0 } else { self.cursor.walk_back(start) };
            self.trace(Step::WalkBack { leaves });
        } else {
            self.cursor.walk(start);
            self.trace(Step::Reset);
        }
    }

    /// Clears `range` in the tree although another VMA will be stored there. For the museum.
    pub(super) fn clear_for_replacement(&mut self, range: PageRange) -> Result<(), MmError> {
        let reservation = self.cursor.reserve(self.machine, range, Store::Erase)?;
        self.cursor.clear(reservation);
        self.machine.pause(Point::ClearTree(range));
        Ok(())
    }

    /// Clears `range` in the tree: the last step that may fail, and the point of no return. Counts only then (I19). If all that
    /// goes is the VMA that the cursor stands on, that is most often one in place.
    ///
    /// # Errors
    /// E14: what has been gathered is for the caller to drop, which attaches all again; splits remain.
    #[inline(always)]
    pub(super) fn clear(
        &mut self,
        gathered: &mut Gathered<'g, 'm, P>,
        range: PageRange,
        stand: Stand,
    ) -> Result<Removed<'m>, MmError> {
        if !self.machine.admit(Fallible::TreeNodes) {
            return Err(MmError::NoMemory);
        }
        self.machine.pause(Point::ClearTree(range));
        if stand == Stand::Moved || !self.cursor.remove() {
            let reservation = self.cursor.reserve_admitted(range, Store::Erase)?;
            self.cursor.clear(reservation);
        }
        self.totals.subtract(gathered.totals());
        let pages = gathered.totals().pages;
        let removed = gathered.commit();
        self.trace(Step::Clear { vmas: removed.count, pages });
        Ok(removed)
    }
}
