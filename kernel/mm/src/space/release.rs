//! The steps of munmap after the point of no return: unmap, free tables, flush, free. Nothing here can fail.

use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::gather::Removed;
use crate::space::lifetime::free_vma;
use crate::space::map::Neighbours;
use crate::sync::List;
use crate::tlb::Gather;
use crate::trace::Step;
use crate::vma::Vma;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Unmaps the pages of `range`, frees the page tables that only it used, flushes the TLBs, and only then frees
    /// frames, tables and the VMAs `removed` (I20-I23). Caller holds the mmap lock for writing or downgraded, and the
    /// tree has no VMA in `range` that could be faulted on.
    pub(super) fn release(&self, range: PageRange, neighbours: Neighbours, removed: Removed<'m>) {
        let ceiling =
            if self.machine.has(Bug::TablesFreedBeyondNext) { Page::USER_END } else { neighbours.ceiling };
        self.machine.pause(Point::ChangeEntries(range));
        let slot = self.tables.slot(range.start());
        let vacant = self.tables.is_vacant(slot, range);
        let keeps_tables = self.tables.keeps_tables(slot, range, neighbours.floor, ceiling);
        if vacant && keeps_tables && !self.tlb.is_gathered() {
            return self.release_unused(range, neighbours, removed);
        }
        let mut gather = Gather::new(self.machine, &self.tlb);
        self.release_by(&mut gather, neighbours, removed.count, |gather| {
            let pages = if vacant { 0 } else { self.tables.zap_from(slot, range, gather) };
            self.machine.trace(Step::Unmap { pages });
            self.machine.pause(Point::FreeTables(range));
            let tables =
                if keeps_tables { 0 } else { self.tables.free(range, neighbours.floor, ceiling, gather) };
            Unmapped { vmas: removed.vmas, tables }
        });
    }

    /// As [`release`](Self::release), for a range of which nothing is in memory, with tables that stay.
    #[inline]
    fn release_unused(&self, range: PageRange, neighbours: Neighbours, removed: Removed<'m>) {
        self.trace_neighbours(neighbours);
        self.machine.trace(Step::Unmap { pages: 0 });
        self.machine.pause(Point::FreeTables(range));
        self.machine.trace(Step::FreeTables { tables: 0 });
        self.free_vmas(removed.vmas);
        self.machine.trace(Step::Free { pages: 0, tables: 0, vmas: removed.count });
    }

    fn trace_neighbours(&self, neighbours: Neighbours) {
        self.machine.trace(Step::Neighbours {
            floor: neighbours.floor.address(),
            ceiling: neighbours.ceiling.address(),
        });
    }

    /// Frees VMAs whose pages are gone, and that no TLB knows any more.
    #[inline(never)]
    fn free_vmas(&self, mut vmas: List<'m, Vma>) {
        self.machine.pause(Point::FreeVmas);
        while let Some(vma) = vmas.pop() {
            free_vma(self.machine, vma);
        }
    }

    /// Has `unmap` unhook pages and tables of `count` VMAs, and frees it all after the flush. `gather` is new, and finished
    /// afterwards.
    #[inline]
    pub(super) fn release_by(
        &self,
        gather: &mut Gather<'_, 'm, P>,
        neighbours: Neighbours,
        count: u64,
        unmap: impl FnOnce(&mut Gather<'_, 'm, P>) -> Unmapped<'m>,
    ) {
        self.trace_neighbours(neighbours);
        let unmapped = unmap(gather);
        self.machine.trace(Step::FreeTables { tables: unmapped.tables });
        let freed = gather.finish();
        self.free_vmas(unmapped.vmas);
        self.machine.trace(Step::Free { pages: freed.pages, tables: freed.tables, vmas: count });
    }
}

/// What [`AddressSpace::release`] has unhooked.
pub(super) struct Unmapped<'m> {
    /// The VMAs, to be freed after the flush.
    pub(super) vmas: List<'m, Vma>,
    pub(super) tables: u64,
}
