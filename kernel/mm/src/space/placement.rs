//! Where a mapping goes: Linux's rules for hints, top-down search, and the gap below stacks.

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{PAGE_SIZE, Page, PageRange, USER_END};
use crate::space::AddressSpace;
use crate::space::map::{Map, VmaPosition};
use crate::space::request::{MmapRequest, Placement};
use crate::vma::{Vma, VmaFlags};

/// Pages that stay free below a stack for it to grow into (`stack_guard_gap`).
pub(super) const STACK_GUARD_PAGES: u64 = 256;

/// The search from above starts here: the stack's limit, at least 128 MiB and at most 5/6 of the user half, stays free
/// below its end, and the guard gap too.
const MIN_STACK_ROOM: u64 = 128 << 20;
const MAX_STACK_ROOM: u64 = USER_END / 6 * 5;

/// The search from below, used when nothing is free above, starts at a third of the user half.
const BOTTOM_UP_BASE: u64 = (USER_END / 3).next_multiple_of(PAGE_SIZE);

/// `MAP_32BIT` places mappings here.
const LOW_WINDOW: (u64, u64) = (0x4000_0000, 0x8000_0000);

/// The gap of the tree that a place is in, where the search has come by it.
pub(super) type Gap<'t, 'm, P> = Option<VmaPosition<'t, 'm, P>>;

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// The range for `request`; notes the `gap` that it is in where the search comes by it.
    ///
    /// # Errors
    /// [`MmError::NoMemory`] when nothing fits, [`MmError::NotPermitted`] below `mmap_min_addr`, [`MmError::Exists`] for
    /// a fixed range that must not replace.
    pub(super) fn place<'t>(
        &'t self,
        map: &Map<'m, P>,
        request: &MmapRequest,
        gap: &mut Gap<'t, 'm, P>,
    ) -> Result<PageRange, MmError> {
        let start = match request.placement {
            Placement::Fixed(page) | Placement::FixedNoReplace(page) => page,
            Placement::Hint(page) => self.place_near(map, page.max(self.min_page), request.pages, gap)?,
            Placement::Anywhere => self.place_anywhere(map, request.pages, gap)?,
            Placement::Low(hint) => self.place_low(map, hint, request.pages)?,
        };
        let range = PageRange::from_start(start, request.pages).ok_or(MmError::NoMemory)?;
        if range.end() > Page::USER_END {
            return Err(MmError::NoMemory);
        }
        if range.start() < self.min_page {
            return Err(MmError::NotPermitted);
        }
        let no_replace = matches!(request.placement, Placement::FixedNoReplace(_));
        if no_replace && self.vma_from(map, range.start()).is_some_and(|vma| vma.start() < range.end()) {
            return Err(MmError::Exists);
        }
        Ok(range)
    }

    /// At the hint if it is free there, else anywhere.
    pub(super) fn place_near<'t>(
        &'t self,
        map: &Map<'m, P>,
        hint: Page,
        pages: u64,
        gap: &mut Gap<'t, 'm, P>,
    ) -> Result<Page, MmError> {
        if self.is_free(map, hint, pages, Page::USER_END) {
            return Ok(hint);
        }
        self.place_anywhere(map, pages, gap)
    }

    /// At the hint if it is not page 0 and it is free there, else in the low window.
    fn place_low(&self, map: &Map<'m, P>, hint: Page, pages: u64) -> Result<Page, MmError> {
        let (low, high) = (Page::containing(LOW_WINDOW.0), Page::containing(LOW_WINDOW.1));
        let hint = if hint == Page::ZERO { hint } else { hint.max(self.min_page) };
        if hint != Page::ZERO && self.is_free(map, hint, pages, high) {
            return Ok(hint);
        }
        self.find_area(map, low, high, pages)
    }

    /// Whether `pages` pages from `start` on are free, end at `limit` or below, and are clear of a guard gap.
    fn is_free(&self, map: &Map<'m, P>, start: Page, pages: u64, limit: Page) -> bool {
        let end = start.up(pages);
        end <= limit && self.vma_from(map, start).is_none_or(|vma| end <= start_with_guard(vma))
    }

    /// The highest free pages below the stack's room, else the lowest above a third of the user half.
    pub(super) fn place_anywhere<'t>(
        &'t self,
        map: &Map<'m, P>,
        pages: u64,
        gap: &mut Gap<'t, 'm, P>,
    ) -> Result<Page, MmError> {
        let top = Page::containing(top_down_base(map.limits.stack));
        match self.find_gap_rev(map, self.min_page, top, pages, gap) {
            Some(start) => Ok(start),
            None => self.find_area(map, Page::containing(BOTTOM_UP_BASE), Page::USER_END, pages),
        }
    }
}

/// Where the search from above starts, in bytes, for this limit of the stack, in bytes.
fn top_down_base(stack_limit: u64) -> u64 {
    let room =
        stack_limit.saturating_add(STACK_GUARD_PAGES * PAGE_SIZE).clamp(MIN_STACK_ROOM, MAX_STACK_ROOM);
    (USER_END - room).next_multiple_of(PAGE_SIZE)
}

/// Start of a VMA, or of the guard gap that belongs to it.
pub(super) fn start_with_guard(vma: &Vma) -> Page {
    if vma.flags().contains(VmaFlags::GROWSDOWN) { vma.start().down(STACK_GUARD_PAGES) } else { vma.start() }
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// The highest free `pages` pages in `[low, high)`, clear of guard gaps; notes the `gap` that they are in.
    fn find_gap_rev<'t>(
        &'t self,
        map: &Map<'m, P>,
        low: Page,
        mut high: Page,
        pages: u64,
        gap: &mut Gap<'t, 'm, P>,
    ) -> Option<Page> {
        while low < high {
            let window = low.number()..high.number();
            let (start, found) = self.vmas.find_gap_rev(&map.token, window, pages)?;
            let end = Page::new(start).up(pages);
            match self.vmas.above(&map.token, &found) {
                Some(above) if start_with_guard(above) < end => high = start_with_guard(above),
                _ => {
                    *gap = Some(found);
                    return Some(Page::new(start));
                }
            }
        }
        None
    }

    /// The lowest free `pages` pages in `[low, high)`, clear of guard gaps.
    fn find_area(&self, map: &Map<'m, P>, mut low: Page, high: Page, pages: u64) -> Result<Page, MmError> {
        while low < high {
            let window = low.number()..high.number();
            let start = Page::new(self.vmas.find_area(&map.token, window, pages).ok_or(MmError::NoMemory)?);
            match self.vma_from(map, start) {
                Some(above) if start_with_guard(above) < start.up(pages) => low = above.end(),
                _ => return Ok(start),
            }
        }
        Err(MmError::NoMemory)
    }
}
