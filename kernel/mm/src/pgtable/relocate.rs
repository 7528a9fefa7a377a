//! Relocate: moving or sharing the leaves of a range, for mremap.
//!
//! ```text
//!   from    [ leaf table ][ leaf table ]          cut at the borders of the leaf tables at both ends
//!   to          [ leaf table ][ leaf table ]
//! ```

use super::table::{Table, entry_end, index_of};
use super::{PageTables, Pte, PteView};
use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::tlb::Gather;

/// Leaf entries that go from one table to another.
struct Piece<'m> {
    /// The table with the entries.
    table: &'m Table,
    /// Their pages.
    pages: PageRange,
    /// First page of where they go; all of it belongs to one leaf table.
    to: Page,
}

impl Piece<'_> {
    /// Indices of the entries at both ends, in order.
    fn indices(&self) -> impl Iterator<Item = (Page, usize, usize)> + use<> {
        let (start, to) = (self.pages.start(), self.to);
        self.pages.iter().map(move |page| {
            let there = to.up(page.number() - start.number());
            (page, index_of(page, 0), index_of(there, 0))
        })
    }

    /// Whether there is no entry in it.
    fn is_empty(&self) -> bool {
        self.pages.iter().all(|page| self.table.get(index_of(page, 0)).is_absent())
    }
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// Makes the tables that are missing for the leaves of `from` at as many pages from `to` on.
    ///
    /// # Errors
    /// `NoMemory`. Tables that were made before stay; the caller frees them, as no VMA spans them.
    pub fn make_room(&self, from: PageRange, to: Page) -> Result<(), MmError> {
        self.for_each_piece(from, to, |piece| match self.leaf_table(piece.to) {
            Err(level) if !piece.is_empty() => self.make_tables(piece.to, level).map(drop),
            _ => Ok(()),
        })
    }

    /// Moves the leaves of `from` to as many pages from `to` on, where there is [room](Self::make_room) and no leaf. The number
    /// of leaves. TLBs may know them at their old places until `gather` is finished.
    pub fn relocate(&self, from: PageRange, to: Page, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.copy_leaves(from, to, |piece, there| {
            let (mut moved, mut low, mut high) = (0, piece.pages.end(), piece.pages.start());
            for (page, index, target) in piece.indices() {
                let pte = piece.table.get(index);
                if pte.is_absent() {
                    continue;
                }
                piece.table.set(index, Pte::ABSENT);
                there.set(target, pte);
                moved += 1;
                low = low.min(page);
                high = page.up(1);
            }
            if let Some(touched) = PageRange::new(low, high) {
                gather.touch(touched);
            }
            moved
        })
    }

    /// Lets as many pages from `to` on, where there is [room](Self::make_room) and no leaf, map the frames of `from` too. The
    /// number of leaves. The frames are shared on purpose: of kind `Shared`.
    pub fn share(&self, from: PageRange, to: Page) -> u64 {
        self.copy_leaves(from, to, |piece, there| {
            let mut shared = 0;
            for (_, index, target) in piece.indices() {
                let pte = piece.table.get(index);
                if let PteView::Leaf { frame, .. } = pte.view() {
                    self.machine.frames().get(frame);
                    there.set(target, pte);
                    shared += 1;
                }
            }
            shared
        })
    }

    /// Calls `copy` under the page-table lock with every piece of `from` that has entries and the table that they go to. The sum
    /// of what it says.
    fn copy_leaves(
        &self,
        from: PageRange,
        to: Page,
        mut copy: impl FnMut(&Piece<'m>, &'m Table) -> u64,
    ) -> u64 {
        let mut copied = 0;
        let result = self.for_each_piece(from, to, |piece| {
            if let Ok(there) = self.leaf_table(piece.to) {
                let _entries = self.lock.lock();
                copied += copy(&piece, there);
            } else {
                debug_assert!(piece.is_empty(), "there is no room for {} at {:?}", piece.pages, piece.to);
            }
            Ok(())
        });
        debug_assert!(result.is_ok());
        copied
    }

    /// Calls `f` for every piece of `from`, in order, as long as it succeeds.
    fn for_each_piece(
        &self,
        from: PageRange,
        to: Page,
        mut f: impl FnMut(Piece<'m>) -> Result<(), MmError>,
    ) -> Result<(), MmError> {
        let mut page = from.start();
        while page < from.end() {
            let table = match self.leaf_table(page) {
                Ok(table) => table,
                Err(level) => {
                    page = entry_end(page, level);
                    continue;
                }
            };
            let there = to.up(page.number() - from.start().number());
            let room = entry_end(there, 1).number() - there.number();
            let end = entry_end(page, 1).min(page.up(room)).min(from.end());
            if let Some(pages) = PageRange::new(page, end) {
                f(Piece { table, pages, to: there })?;
            }
            page = end;
        }
        Ok(())
    }
}
