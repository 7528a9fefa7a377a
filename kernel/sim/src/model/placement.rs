//! Where a mapping goes that may go anywhere.

use super::{Area, Model, PAGE, USER_END};

/// The first page above which nothing is placed on its own: room for 128 MiB of stack below the top.
pub(crate) const MMAP_BASE: u64 = USER_END - (128 << 20) / PAGE;
/// Where the search begins that goes up, when nothing is free below [`MMAP_BASE`].
const BOTTOM_UP_BASE: u64 = USER_END.div_ceil(3);

impl Model {
    /// The highest free place for `pages` pages below the mmap base; failing that the lowest above a third of
    /// the user half.
    pub(crate) fn place(&self, pages: u64) -> Option<u64> {
        self.highest(pages).or_else(|| self.lowest(pages))
    }

    fn highest(&self, pages: u64) -> Option<u64> {
        let floor = self.settings.mmap_min_addr / PAGE;
        let mut limit = MMAP_BASE;
        // From the top, the gaps below each area and below the end of the user half.
        let mut above: Option<&Area> = None;
        for below in self.areas.values().rev().map(Some).chain([None]) {
            let start = below.map_or(floor, |below| below.end.max(floor));
            let end = above.map_or(limit, |above| above.start.min(limit));
            if fits(start, end, pages) {
                // Only a gap that would do moves the limit below the guard gap of the stack above it.
                limit = above.map_or(limit, |above| above.guarded_start().min(limit));
                if fits(start, end.min(limit), pages) {
                    return Some(end.min(limit) - pages);
                }
            }
            above = below;
        }
        None
    }

    fn lowest(&self, pages: u64) -> Option<u64> {
        let mut floor = BOTTOM_UP_BASE;
        for area in self.areas.values() {
            if fits(floor, area.guarded_start(), pages) {
                return Some(floor);
            }
            floor = floor.max(area.end);
        }
        fits(floor, USER_END, pages).then_some(floor)
    }

    /// Whether `[page, page + pages)` is free and keeps away from a stack above.
    pub(crate) fn is_free(&self, page: u64, pages: u64) -> bool {
        self.find(page).is_none_or(|next| page + pages <= next.guarded_start())
    }
}

fn fits(floor: u64, ceiling: u64, pages: u64) -> bool {
    floor.checked_add(pages).is_some_and(|end| end <= ceiling)
}
