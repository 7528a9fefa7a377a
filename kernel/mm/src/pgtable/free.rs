//! Free: unhooking the tables that only the unmapped range used.

use super::table::{LEVELS, entry_end, entry_span, index_of, is_in_one_table};
use super::{PageTables, Pte};
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
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
        let span = PageRange::around(range.start(), PageSize::Huge);
        let shared = floor > span.start() || span.end() > ceiling && ceiling < Page::USER_END;
        if is_in_one_table(range) && shared {
            return 0;
        }
        self.free_tables(range, floor, ceiling, gather)
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
        let mut unhooked = 0;
        // Where a range is small, what a walk has not found need not be looked for.
        let lowest = match self.leaf_table(range.start()) {
            Err(level) if is_in_one_table(range) => level + 1,
            _ => 1,
        };
        // From the leaves up, so that a table is empty when its turn comes.
        for level in lowest..LEVELS {
            let Some(spans) = spans_inside(range, floor, ceiling, level) else { break };
            unhooked += self.unhook_tables(spans, range, level, gather);
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
            let entry = table.get(index_of(page, at));
            let end = entry_end(page, at);
            if at == level
                && let Some(frame) = entry.as_table()
                && let Some(span) = PageRange::new(page, end)
            {
                debug_assert!(
                    self.machine.table(frame).is_empty(),
                    "a table over {span} is freed and not empty"
                );
                debug_assert!(
                    level != 2 || self.machine.frames().kept(frame).next().is_none(),
                    "a table over {span} is freed and keeps another one"
                );
                let mut tables = self.lock.lock();
                table.set(index_of(page, at), Pte::ABSENT);
                *tables -= 1;
                drop(tables);
                gather.unhook_table(range.intersection(span).unwrap_or(span), frame);
                unhooked += 1;
            }
            page = table.next_used_page(page, at, spans.end());
        }
        unhooked
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
