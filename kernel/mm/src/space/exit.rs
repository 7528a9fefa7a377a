//! The end of an address space.

use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::gather::Removed;
use crate::space::map::{Neighbours, Totals};
use crate::space::release::Unmapped;
use crate::sync::List;
use crate::tlb::Gather;
use crate::trace::Step;
use crate::vma::{Vma, WriteSection};

/// The whole user half.
const EVERYTHING: PageRange = PageRange::from_start(Page::ZERO, Page::USER_END.number()).expect("not empty");

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Unmaps and frees everything, all VMAs at once. The address space is nobody else's, so no CPU has it loaded.
    fn clear(&mut self) {
        let space = &*self;
        // Not through `write`: the end of a process cannot fail.
        let mut guard = space.write_unconditionally();
        let mut removed = Removed { vmas: List::new(), count: 0 };
        let section = WriteSection::new(guard.sequence());
        space.each_vma(&guard, |_, vma| {
            vma.start_write(section, space.machine).detach(space.machine);
            removed.vmas.push(vma);
            removed.count += 1;
        });
        space.vmas.clear(&mut guard.token);
        guard.totals = Totals::default();
        space.machine.commitment().give_back(core::mem::take(&mut guard.committed));
        let _guard = guard.downgrade();
        let mut gather = Gather::last(space.machine, &space.tlb);
        space.release_all(removed, &mut gather);
    }

    /// As [`release`](Self::release) for all that there is, `removed`, the last VMA first. Looks only at tables that they can
    /// have: a table that two of them share goes with the lower one, when the pages of both are gone.
    fn release_all(&self, removed: Removed<'m>, gather: &mut Gather<'_, 'm, P>) {
        let neighbours = Neighbours::between(None, None);
        let Removed { vmas, count } = removed;
        self.release_by(gather, neighbours, count, |gather| {
            let (mut pages, mut tables) = (0, 0);
            self.machine.pause(Point::ChangeEntries(EVERYTHING));
            let mut rest = vmas.iter().peekable();
            while let Some(last) = rest.next() {
                let mut start = last.start();
                // Those in the same leaf table in one go. Between them there is nothing.
                while let Some(below) = rest.next_if(|below| shares_table(below, start)) {
                    start = below.start();
                }
                let range = PageRange::new(start, last.end()).unwrap_or(last.range());
                let floor = rest.peek().map_or(neighbours.floor, |below| below.end());
                pages += self.tables.zap(range, gather);
                tables += self.tables.free(range, floor, neighbours.ceiling, gather);
            }
            drop(rest);
            self.machine.trace(Step::Unmap { pages });
            Unmapped { vmas, tables }
        });
    }
}

/// Whether the last page of `below` has its entry in the leaf table of `start`, a page above.
fn shares_table(below: &Vma, start: Page) -> bool {
    below.end() > PageRange::around(start, PageSize::Huge).start()
}

impl<P: Platform> Drop for AddressSpace<'_, P> {
    fn drop(&mut self) {
        self.clear();
    }
}
