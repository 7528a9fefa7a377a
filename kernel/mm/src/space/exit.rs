//! The end of an address space.

use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::AddressSpace;
use crate::space::gather::Removed;
use crate::space::map::{Neighbours, Totals};
use crate::sync::List;
use crate::vma::WriteSection;

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
        let _guard = guard.downgrade();
        self.release(EVERYTHING, Neighbours::between(None, None), removed);
    }
}

impl<P: Platform> Drop for AddressSpace<'_, P> {
    fn drop(&mut self) {
        self.clear();
    }
}
