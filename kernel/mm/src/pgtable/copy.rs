//! Copy: the same private pages in a second set of page tables, for fork.

use super::huge::Span;
use super::table::{Entry, INDEX_BITS, Table};
use super::{PageTables, Pte, Spare};
use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::tlb::Gather;

/// A copy under way, from the tables of one address space to those of another.
///
/// The caller holds the mmap lock of the first (write) and the write locks of all its VMAs over what is copied, so nobody
/// installs, zaps or protects there. Nobody but the caller has the second.
pub struct Copy<'a, 'm, P: Platform> {
    from: &'a PageTables<'m, P>,
    to: &'a PageTables<'m, P>,
    /// The leaf table of `to` that was written last, with the number of its span.
    last: Option<(u64, &'m Table)>,
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// Begins to copy to `to`.
    pub fn copy_to<'a>(&'a self, to: &'a Self) -> Copy<'a, 'm, P> {
        Copy { from: self, to, last: None }
    }
}

impl<'m, P: Platform> Copy<'_, 'm, P> {
    /// Copies all leaves and guards of `range`, where the second tables have none. Neither of the two may write a copied page
    /// afterwards; a reference to its frame is added. What lost the right to write goes into `gather`, which is the first
    /// address space's.
    ///
    /// Tables are made without the page-table lock; it is taken once for each leaf table.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for a table. Some leaves may be copied then.
    pub fn leaves(&mut self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> Result<(), MmError> {
        self.leaves_where(range, |_| true, gather)
    }

    /// As [`leaves`](Self::leaves), for those that are `wanted`.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn leaves_where(
        &mut self,
        range: PageRange,
        wanted: impl Fn(Pte) -> bool,
        gather: &mut Gather<'_, 'm, P>,
    ) -> Result<(), MmError> {
        let mut rest = Some(range);
        while let Some(span) = rest.and_then(|rest| self.from.next_span(rest)) {
            let (source, part) = match span {
                Span::Leaves(source, part) => (source, part),
                Span::Huge(part) => {
                    rest = PageRange::new(self.copy_huge(part, gather)?, range.end());
                    continue;
                }
            };
            rest = PageRange::new(part.end(), range.end());
            // Nothing is made for what has no pages.
            let entries = source.entries(part);
            let mut first = Entry::next_used(entries, 0);
            while entries.get(first).is_some_and(|entry| !wanted(entry.get())) {
                first = Entry::next_used(entries, first + 1);
            }
            if let Some(part) = PageRange::new(part.start().up(first as u64), part.end()) {
                let target = self.target(part.start())?;
                self.copy_entries(source, target, part, &wanted, gather);
            }
        }
        Ok(())
    }

    /// The leaf table for `page` in the second tables, made if it is missing.
    fn target(&mut self, page: Page) -> Result<&'m Table, MmError> {
        let span = page.number() >> INDEX_BITS;
        if let Some((last, table)) = self.last
            && last == span
        {
            return Ok(table);
        }
        let table = match self.to.leaf_table(page) {
            Ok(table) => table,
            Err(level) => self.to.make_tables(page, level, 0)?,
        };
        self.last = Some((span, table));
        Ok(table)
    }

    /// Copies the huge leaf that maps `part`, if it maps nothing else: both have the block then. The page to go on with.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for a table, be it the one that is kept for the copy.
    #[cold]
    #[inline(never)]
    fn copy_huge(&self, part: PageRange, gather: &mut Gather<'_, 'm, P>) -> Result<Page, MmError> {
        let spare = Spare::one(self.from.machine)?;
        self.to.make_level_one(part.start())?;
        let Some(locked) = self.from.lock_huge(part, gather.tlb()) else { return Ok(part.start()) };
        let (old, pte) = (locked.leaf, locked.leaf.without_write());
        if pte != old {
            locked.set(pte);
            gather.touch_huge(part);
        }
        self.from.machine.frames().get_huge(pte.frame());
        drop(locked);
        self.to.set_huge(part.start(), pte, spare);
        Ok(part.end())
    }

    /// Copies the entries for `part`, all of it in one leaf table. Not inlined, so that the loop has all registers.
    #[inline(never)]
    fn copy_entries(
        &self,
        source: &Table,
        target: &Table,
        part: PageRange,
        wanted: impl Fn(Pte) -> bool,
        gather: &mut Gather<'_, 'm, P>,
    ) {
        let frames = self.from.machine.frames().metadata();
        let (mut low, mut high) = (usize::MAX, 0);
        let locked = self.from.lock.lock();
        for (at, (source, target)) in source.entries(part).iter().zip(target.entries(part)).enumerate() {
            let old = source.get();
            if old.is_absent() || !wanted(old) {
                continue;
            }
            let pte = old.without_write();
            if pte != old {
                source.set(pte);
                low = low.min(at);
                high = at + 1;
            }
            if pte.is_leaf() {
                frames.get(pte.frame());
            }
            debug_assert!(target.get().is_absent());
            // The child is registered with nobody.
            target.set(pte.without_write_protection());
        }
        drop(locked);
        let page = |at: usize| Page::new(part.start().number() + at as u64);
        if low < high
            && let Some(lost) = PageRange::new(page(low), page(high))
        {
            gather.touch(lost);
        }
    }
}
