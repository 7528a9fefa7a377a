//! Guards: entries that keep their pages away, for `MADV_GUARD_INSTALL`.

use super::huge::Span;
use super::table::{Table, entry_end, index_of};
use super::{NoTable, PageTables, Pte};
use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::tlb::Gather;

impl<'m, P: Platform> PageTables<'m, P> {
    /// Makes guards of all entries of `range`; `gather` takes over the frames of leaves. Tables that are missing are made.
    ///
    /// The caller has a stable VMA over the range. A fault that comes at the same time puts its page in before, and it goes,
    /// or finds the guard.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for a table: all is done up to the span of that table, and nothing from there on.
    pub fn install_guards(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> Result<(), MmError> {
        let mut page = range.start();
        while let Some(rest) = PageRange::new(page, entry_end(page, 1).min(range.end())) {
            let found = match self.leaf_table(page) {
                Ok(table) => Ok(table),
                // Asked first, because tables are allocated before anybody looks whether they are missing.
                Err(_) if self.traverse(page).is_leaf() => Err(NoTable::HugeLeaf),
                Err(level) => self.make_tables(page, level, 0),
            };
            let table = match found {
                Ok(table) => table,
                Err(NoTable::HugeLeaf) => {
                    self.split(page, gather.tlb());
                    continue;
                }
                Err(NoTable::NoMemory) => return Err(MmError::NoMemory),
            };
            gather.flush_if_full();
            page = self.guard_entries(table, rest, gather);
        }
        Ok(())
    }

    /// Makes guards of the entries of `part`, all of it in `table`, until the gather is full. The page to go on with.
    fn guard_entries(&self, table: &Table, part: PageRange, gather: &mut Gather<'_, 'm, P>) -> Page {
        let mut page = part.start();
        let (mut low, mut high) = (part.end(), part.start());
        let entries = self.lock.lock();
        while page < part.end() && !gather.is_full() {
            // In one step, because a fault makes an absent entry present without the lock.
            let old = table.swap(index_of(page, 0), Pte::GUARD);
            if old.is_leaf() {
                gather.push(old.frame());
                low = low.min(page);
                high = page.up(1);
            }
            page = page.up(1);
        }
        drop(entries);
        if let Some(touched) = PageRange::new(low, high) {
            gather.touch(touched);
        }
        page
    }

    /// Clears all guards of `range`, and nothing else. The caller has stable VMAs over the range. No flush is needed: no
    /// processor caches them.
    pub fn remove_guards(&self, range: PageRange) {
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                let _entries = self.lock.lock();
                table
                    .entries(part)
                    .iter()
                    .filter(|entry| entry.get() == Pte::GUARD)
                    .for_each(|entry| entry.set(Pte::ABSENT));
                part.end()
            }
            Span::Huge(part) => part.end(),
        });
    }
}
