//! Free: unhooking the tables that only the unmapped range used.

use super::table::{LEVELS, Table, entry_span, index_of, is_in_one_table};
use super::{PageTables, Pte, Slot};
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::tlb::Gather;

/// The end of what the lower half of a root table spans, just above [`Page::USER_END`].
const TABLES_END: Page = Page::new(entry_span(LEVELS) / 2);

impl<'m, P: Platform> PageTables<'m, P> {
    /// Unhooks every table whose span intersects `range` and lies inside `[floor, ceiling)`; `gather` takes over
    /// their frames. The number of tables.
    ///
    /// ```text
    /// prev |............ range ............| next
    ///      floor                            ceiling
    /// ```
    ///
    /// `floor` is the end of the VMA before the range or page 0, `ceiling` the start of the VMA behind it or
    /// [`Page::USER_END`]: a table with a page of a neighbour in its span stays (I22). No VMA can be found in
    /// between, and all leaves there are zapped (I20), so such tables are empty but for tables that go as well.
    #[inline]
    pub fn free(&self, range: PageRange, floor: Page, ceiling: Page, gather: &mut Gather<'_, 'm, P>) -> u64 {
        debug_assert!(floor <= range.start() && range.end() <= ceiling, "{range} is cut by floor or ceiling");
        if self.keeps_tables(self.slot(range.start()), range, floor, ceiling) {
            return 0;
        }
        self.free_tables(range, floor, ceiling, gather)
    }

    /// Whether a look tells that [`free`](Self::free) will find nothing, `slot` being that of the first page of `range`: the range is
    /// in one leaf table, and the lowest table that there is for it has a neighbour. One that is made meanwhile has one, too.
    #[inline]
    pub fn keeps_tables(&self, slot: Slot<'m>, range: PageRange, floor: Page, ceiling: Page) -> bool {
        let level = match slot.table {
            Ok(_) => 1,
            Err(level) => level + 1,
        };
        let start = range.start().number() & !(entry_span(level) - 1);
        let end = start + entry_span(level);
        let shared = floor.number() > start || end > ceiling.number() && ceiling < Page::USER_END;
        is_in_one_table(range) && (shared || level == LEVELS)
    }

    #[inline(never)]
    fn free_tables(
        &self,
        range: PageRange,
        floor: Page,
        ceiling: Page,
        gather: &mut Gather<'_, 'm, P>,
    ) -> u64 {
        // Above the last user page there is no neighbour, and nothing else in the last table.
        let ceiling = if ceiling >= Page::USER_END { TABLES_END } else { ceiling };
        if is_in_one_table(range) {
            return self.free_path(range, floor, ceiling, gather);
        }
        let mut unhooked = 0;
        // From the leaves up, so that a table is empty when its turn comes.
        for level in 1..LEVELS {
            let Some(spans) = spans_inside(range, floor, ceiling, level) else { break };
            unhooked += self.unhook_tables(spans, range, level, gather);
        }
        unhooked
    }

    /// As [`free_tables`](Self::free_tables), for a range in one leaf table: one walk finds all that there is.
    fn free_path(&self, range: PageRange, floor: Page, ceiling: Page, gather: &mut Gather<'_, 'm, P>) -> u64 {
        let page = range.start();
        let mut path = [self.top; LEVELS as usize];
        let mut lowest = LEVELS - 1;
        while lowest > 0
            && let Some(next) = path[lowest as usize].get(index_of(page, lowest)).as_table()
        {
            lowest -= 1;
            path[lowest as usize] = self.machine.table(next);
        }
        let mut unhooked = 0;
        for level in lowest + 1..LEVELS {
            if spans_inside(range, floor, ceiling, level).is_none() {
                break;
            }
            unhooked += self.unhook(path[level as usize], page, level, gather);
        }
        unhooked
    }

    /// Unhooks the tables that the entries for `spans` in tables of `level` lead to.
    fn unhook_tables(
        &self,
        spans: PageRange,
        range: PageRange,
        level: u32,
        gather: &mut Gather<'_, 'm, P>,
    ) -> u64 {
        let mut unhooked = 0;
        let mut page = spans.start();
        while page < spans.end() {
            let (table, at) = self.lowest_table(page, level);
            if at == level {
                unhooked += self.unhook(table, page.max(range.start()), level, gather);
            }
            page = table.next_used_page(page, at, spans.end());
        }
        unhooked
    }

    /// Unhooks the table that the entry for `page` in `table`, of `level`, leads to, if it does; how many it is.
    #[inline]
    fn unhook(&self, table: &Table, page: Page, level: u32, gather: &mut Gather<'_, 'm, P>) -> u64 {
        let entry = table.entry(index_of(page, level));
        let Some(frame) = entry.get().as_table() else { return 0 };
        debug_assert!(self.machine.table(frame).is_empty(), "a table over {page:?} is freed and not empty");
        debug_assert!(
            level != 2 || self.machine.frames().kept(frame).next().is_none(),
            "a table over {page:?} is freed and keeps another one"
        );
        let mut tables = self.lock.lock();
        entry.set(Pte::ABSENT);
        *tables -= 1;
        drop(tables);
        gather.unhook_table(PageRange::single(page), frame);
        1
    }
}

/// `range` rounded out to whole spans of entries in tables of `level`, without those at either end that are not
/// inside `[floor, ceiling)`.
#[inline]
fn spans_inside(range: PageRange, floor: Page, ceiling: Page, level: u32) -> Option<PageRange> {
    let span = entry_span(level);
    let mut start = range.start().number() / span * span;
    if start < floor.number() {
        start += span;
    }
    let mut end = range.end().number().next_multiple_of(span);
    if end > ceiling.number() {
        end -= span;
    }
    PageRange::new(Page::new(start), Page::new(end))
}
