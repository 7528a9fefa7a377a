//! Huge leaves: entries of tables of level 1 that map 2 MiB.
//!
//! ```text
//! level 1   [ leaf ]──────────► block of 512 frames          a table is kept for the leaf (see `FrameAllocator::keep`)
//!
//! split     leaf ──► not present, SPLITTING ──► flush ──► [ the kept table ]──► 512 leaves with the same rights
//! ```
//!
//! - A huge leaf comes and goes, is changed and split, under the page-table lock only, as an entry that leads to a table does.
//!   So the two never meet: whoever makes a table finds the leaf, and the other way round.
//! - A split needs no memory, so that nothing that unmaps, protects or moves a part of 2 MiB can fail for it. The table that it
//!   takes was made together with the leaf, and is kept with the table of level 1 that the leaf is in.
//! - Processors never see small leaves and the huge one of the same memory at the same time (some stop then): between the two
//!   there is a flush, without the page-table lock, as all flushes. Whoever wants to change the leaf meanwhile waits
//!   ([`Wait::SplitLeaf`]); it takes no longer than the flush.
//! - The verbs split what they are to change a part of. A leaf may span several VMAs that were one when it came, as long as
//!   nobody wants different things of them.

use super::table::{Table, entry_end, index_of};
use super::{Installed, NoTable, PageTables, Protection, Pte, PteView, Spare, new_table};
use crate::error::MmError;
use crate::event::Event;
use crate::frame::Frame;
use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::schedule::{Point, Wait};
use crate::sync::SpinGuard;
use crate::tlb::{TlbState, forget_huge};

/// Where leaves are.
pub(super) enum Span<'m> {
    /// A leaf table, and the part of a range that it spans.
    Leaves(&'m Table, PageRange),
    /// A huge leaf, and the part of a range that it maps.
    Huge(PageRange),
}

/// A huge leaf that is not being split, with the page-table lock.
pub(super) struct LockedLeaf<'a, 'm, P: Platform> {
    machine: &'m P,
    tables: SpinGuard<'a, u64>,
    /// The table that it is in.
    frame: Frame,
    table: &'m Table,
    index: usize,
    /// The entry.
    pub(super) leaf: Pte,
}

impl<P: Platform> LockedLeaf<'_, '_, P> {
    /// Puts `leaf`, a huge leaf, in its place.
    pub(super) fn set(&self, leaf: Pte) {
        self.table.set(self.index, leaf);
    }

    /// Clears the entry. The table that was kept for it.
    pub(super) fn clear(mut self) -> Frame {
        self.set(Pte::ABSENT);
        *self.tables -= 1;
        self.take_kept()
    }

    fn take_kept(&self) -> Frame {
        self.machine.frames().take_kept(self.frame).expect("a table is kept for every huge leaf")
    }

    /// Moves the leaf, and the table that is kept for it, to the entry for `to` in the same tables, which is absent, in a table
    /// that is there.
    pub(super) fn relocate(self, tables: &PageTables<'_, P>, to: Page) {
        let Some((frame, table)) = tables.level_one(to) else {
            return debug_assert!(false, "no room for a huge leaf at {to:?}");
        };
        self.set(Pte::ABSENT);
        self.machine.frames().keep(frame, self.take_kept());
        table.set(index_of(to, 1), self.leaf);
    }
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// The first place in `range` where leaves may be. Inlined, because it is a call for each of many small ranges else.
    #[inline(always)]
    pub(super) fn next_span(&self, range: PageRange) -> Option<Span<'m>> {
        match self.leaf_table(range.start()) {
            Ok(table) => Some(Span::Leaves(table, in_one_table(range))),
            Err(_) => self.next_span_behind(range),
        }
    }

    /// As [`next_span`](Self::next_span), with any first entries: what the absent ones span is skipped.
    #[inline(never)]
    pub(super) fn next_span_behind(&self, range: PageRange) -> Option<Span<'m>> {
        let mut rest = Some(range);
        while let Some(left) = rest {
            let page = left.start();
            let (table, level) = self.lowest_table(page, 0);
            if level == 0 {
                return Some(Span::Leaves(table, in_one_table(left)));
            }
            if level == 1 && table.get(index_of(page, 1)).is_leaf() {
                return Some(Span::Huge(in_one_table(left)));
            }
            rest = PageRange::new(table.next_used_page(page, level, range.end()), range.end());
        }
        None
    }

    /// The table of level 1 over `page`, with its frame, if it is there.
    pub(super) fn level_one(&self, page: Page) -> Option<(Frame, &'m Table)> {
        let frame = self.top.get(index_of(page, 3)).as_table()?;
        let frame = self.machine.table(frame).get(index_of(page, 2)).as_table()?;
        Some((frame, self.machine.table(frame)))
    }

    /// Whether a huge leaf over `page` could be installed: nothing is there, no leaf table either.
    pub fn has_room_for_huge(&self, page: Page) -> bool {
        let (table, level) = self.lowest_table(page, 1);
        table.get(index_of(page, level)).is_absent()
    }

    /// As [`install`](Self::install), for the huge leaf over `page` and the whole `block`. The caller has a stable VMA over
    /// all of it.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for a table, be it one on the way or the one that is kept.
    #[cold]
    #[inline(never)]
    pub fn install_huge(
        &self,
        page: Page,
        block: Frame,
        protection: Protection,
    ) -> Result<Installed, MmError> {
        let mut spare = Spare::one(self.machine)?;
        if let Err(level) = self.table_of(page, 1) {
            self.make_tables(page, level, 1)?;
        }
        let Some((frame, table)) = self.level_one(page) else { return Err(MmError::NoMemory) };
        let mut tables = self.lock.lock();
        let found = table.get(index_of(page, 1));
        if !found.is_absent() {
            return Ok(Installed::Occupied(found));
        }
        *tables += spare.keep(frame);
        table.set(index_of(page, 1), Pte::huge_leaf(block, protection));
        Ok(Installed::New)
    }

    /// Gives the huge leaf over `page` the rights `protection`, which are more, if it still is `expected`. No flush is
    /// needed. The caller has a stable VMA over the page.
    #[cold]
    #[inline(never)]
    pub fn permit_huge(&self, page: Page, expected: Pte, protection: Protection) {
        let Some((_, table)) = self.level_one(page) else { return };
        let _entries = self.lock.lock();
        if table.get(index_of(page, 1)) == expected {
            table.set(index_of(page, 1), expected.with_protection(protection));
        }
    }

    /// Puts a huge leaf over `page` into tables that are nobody else's yet, with the table `spare` to be kept.
    #[cold]
    #[inline(never)]
    pub(super) fn set_huge(&self, page: Page, leaf: Pte, mut spare: Spare<'m, P>) {
        if let Some((frame, table)) = self.level_one(page) {
            debug_assert!(table.get(index_of(page, 1)).is_absent());
            *self.lock.lock() += spare.keep(frame);
            table.set(index_of(page, 1), leaf);
        }
    }

    /// The table of level 1 over `page`, made if it is missing.
    ///
    /// # Errors
    /// `NoMemory`.
    #[cold]
    #[inline(never)]
    pub(super) fn make_level_one(&self, page: Page) -> Result<(), NoTable> {
        match self.table_of(page, 1) {
            Ok(_) => Ok(()),
            Err(level) => self.make_tables(page, level, 1).map(drop),
        }
    }

    /// The huge leaf that [`next_span`](Self::next_span) has found in `part`, if it can be changed as a whole. Otherwise the
    /// caller looks again: it was there in part only and is split now, or somebody else has split or cleared it.
    #[cold]
    #[inline(never)]
    pub(super) fn lock_huge(&self, part: PageRange, tlb: &TlbState) -> Option<LockedLeaf<'_, 'm, P>> {
        if part.pages() < PageSize::Huge.pages() {
            self.split(part.start(), tlb);
            return None;
        }
        let (frame, table) = self.level_one(part.start())?;
        let index = index_of(part.start(), 1);
        let tables = self.lock.lock();
        let leaf = table.get(index);
        if leaf.is_splitting() && !self.machine.has(Bug::SplitNotNoticed) {
            drop(tables);
            self.wait_for_split(part.start());
            return None;
        }
        leaf.is_leaf().then_some(LockedLeaf { machine: self.machine, tables, frame, table, index, leaf })
    }

    /// Makes small leaves with the same rights of the huge leaf over `page`, if there is one; all TLBs whose state is `tlb` have
    /// forgotten it then. The caller has a stable VMA over `page`, or none can be found there any more.
    #[cold]
    #[inline(never)]
    pub fn split(&self, page: Page, tlb: &TlbState) {
        let range = PageRange::around(page, PageSize::Huge);
        let Some(locked) = self.lock_huge(range, tlb) else { return };
        let (leaf, above, index) = (locked.leaf, locked.table, locked.index);
        let spare = locked.take_kept();
        locked.set(leaf.splitting());
        drop(locked);
        if leaf.is_present() && !self.machine.has(Bug::SplitWithoutFlush) {
            forget_huge(self.machine, tlb, range);
        }
        if let PteView::Leaf { frame, protection, .. } = leaf.view() {
            self.machine.frames().break_huge(frame);
            let table = self.machine.table(spare);
            for number in range.iter() {
                table.set(index_of(number, 0), Pte::leaf(leaf.frame_of(number), protection));
            }
        }
        self.machine.pause(Point::SplitLeaf(page));
        let entries = self.lock.lock();
        above.set(index, Pte::table(spare));
        drop(entries);
        self.machine.count(Event::ThpSplitPmd);
    }

    /// Waits until the leaf over `page` is not being split any more.
    #[cold]
    pub fn wait_for_split(&self, page: Page) {
        let mut round = 0;
        while self.traverse(page).is_splitting() {
            self.machine.wait(Wait::SplitLeaf, round);
            round = round.saturating_add(1);
        }
    }
}

/// What a leaf table spans of the pages at the start of `range`.
#[inline(always)]
pub(super) fn in_one_table(range: PageRange) -> PageRange {
    // Not empty, as the table spans the first page.
    PageRange::new(range.start(), entry_end(range.start(), 1).min(range.end())).unwrap_or(range)
}

impl<'m, P: Platform> Spare<'m, P> {
    /// One table.
    ///
    /// # Errors
    /// `NoMemory`.
    pub(super) fn one(machine: &'m P) -> Result<Self, MmError> {
        let mut spare = Spare { machine, frames: [None; _] };
        spare.frames[0] = Some(new_table(machine)?);
        Ok(spare)
    }

    /// Lets `table` keep the one table; how many it is.
    fn keep(&mut self, table: Frame) -> u64 {
        let spare = self.frames[0].take();
        spare.inspect(|spare| self.machine.frames().keep(table, *spare)).into_iter().count() as u64
    }
}
