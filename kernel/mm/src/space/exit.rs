//! The end of an address space.

use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::gather::Removed;
use crate::space::map::{Neighbours, Totals};
use crate::space::release::Unmapped;
use crate::sync::List;
use crate::trace::Step;
use crate::vma::{Vma, WriteSection};

/// The whole user half.
const EVERYTHING: PageRange = PageRange::from_start(Page::ZERO, Page::USER_END.number()).expect("not empty");

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Unmaps and frees everything, all VMAs at once. The address space can be used again afterwards.
    pub fn clear(&self) {
        // Not through `write`: the end of a process cannot fail.
        let mut guard = self.write_unconditionally();
        let mut removed = Removed { vmas: List::new(), count: 0 };
        let section = WriteSection::new(guard.sequence());
        self.each_vma(&guard, |_, vma| {
            vma.start_write(section, self.machine).detach(self.machine);
            removed.vmas.push(vma);
            removed.count += 1;
        });
        self.vmas.clear(&mut guard.token);
        guard.totals = Totals::default();
        self.machine.commitment().give_back(core::mem::take(&mut guard.committed));
        let _guard = guard.downgrade();
        self.release_all(removed);
    }

    /// As [`release`](Self::release) for all that there is, `removed`, the last VMA first. Looks only at tables that they can
    /// have: a table that two of them share goes with the lower one, when the pages of both are gone.
    fn release_all(&self, mut removed: Removed<'m>) {
        let neighbours = Neighbours::between(None, None);
        self.release_by(neighbours, removed.count, |gather| {
            let mut done = Unmapped { vmas: List::new(), pages: 0, tables: 0 };
            self.machine.pause(Point::ChangeEntries(EVERYTHING));
            while let Some(vma) = removed.vmas.pop() {
                let range = vma.range();
                let floor = removed.vmas.first().map_or(neighbours.floor, Vma::end);
                done.pages += self.tables.zap(range, gather);
                done.tables += self.tables.free(range, floor, neighbours.ceiling, gather);
                done.vmas.push(vma);
            }
            self.machine.trace(Step::Unmap { pages: done.pages });
            done
        });
    }
}

impl<P: Platform> Drop for AddressSpace<'_, P> {
    fn drop(&mut self) {
        self.clear();
    }
}
