//! The free areas of a leaf.

use core::ops::Range;

use super::{
    leaf::{Leaf, Packed, saturate},
    origin::{END, One, Two},
};
use crate::{geometry::NARROW, stats};

impl<T> Leaf<'_, T> {
    /// Whether nothing is stored in `range`, which ends inside the leaf.
    pub(crate) fn is_free(self, range: &Range<u64>) -> bool {
        let below = self.search(range.start);
        let before = below == 0 || self.range(below - 1).end <= range.start;
        before && (below == self.count() || self.range(below).start >= range.end)
    }

    /// Largest free area between `low` (the first start, except in the tree's first leaf) and `high`, saturating.
    pub(crate) fn gap(self, low: u64, high: u64) -> u32 {
        if self.is_narrow() {
            return self.narrow().gap(self.count(), low, high);
        }
        self.gap_elsewhere(low, high)
    }

    #[inline(never)]
    fn gap_elsewhere(self, low: u64, high: u64) -> u32 {
        let (mut end, mut max) = (low, 0);
        let mut pass = |range: Range<u64>| {
            max = max.max(range.start - end);
            end = range.end;
        };
        if self.is_twin() {
            let body = self.body::<Two>();
            // The hole is most often larger than can be noted.
            let hole = body.search_near(Two::LOWER);
            let before = if hole > 0 { body.range::<Two>(hole - 1).end } else { low };
            let after = if hole < self.count() { body.range::<Two>(hole).start } else { high };
            if after - before >= u64::from(u32::MAX) {
                return u32::MAX;
            }
            (0..self.count()).for_each(|index| pass(body.range::<Two>(index)));
        } else {
            (0..self.count()).for_each(|index| pass(self.range(index)));
        }
        saturate(max.max(high.saturating_sub(end)))
    }

    /// Lowest `pages` free pages from `free` on, between the entries from `index` on or behind the last, up to `high`.
    #[inline(always)]
    pub(crate) fn lowest_free(self, index: usize, mut free: u64, high: u64, pages: u64) -> Option<u64> {
        let count = self.count();
        if self.is_narrow() {
            let body = self.narrow();
            // Wraps if `free` is below the base: the sums below are right all the same.
            let mut near = free.wrapping_sub(body.base);
            for index in index..count {
                let bounds = body.bounds(index);
                if (bounds >> 32) as i64 >= near.wrapping_add(pages) as i64 {
                    return Some(near.wrapping_add(body.base));
                }
                near = bounds & END;
            }
            free = near.wrapping_add(body.base);
        } else {
            return self.lowest_free_elsewhere(index, free, high, pages);
        }
        (high >= free + pages).then_some(free)
    }

    #[inline(never)]
    fn lowest_free_elsewhere(self, index: usize, mut free: u64, high: u64, pages: u64) -> Option<u64> {
        let is_twin = self.is_twin();
        for index in index..self.count() {
            let entry = if is_twin { self.range_in::<Two>(index) } else { self.range(index) };
            if entry.start >= free + pages {
                return Some(free);
            }
            free = entry.end;
        }
        (high >= free + pages).then_some(free)
    }

    /// Highest `pages` free pages up to `free`, between the entries below `count` or before the first, from `low` on; and how many
    /// entries are below them.
    #[inline(always)]
    pub(crate) fn highest_free(self, count: usize, free: u64, low: u64, pages: u64) -> Option<(u64, usize)> {
        if self.is_narrow() {
            return highest_free(|index| self.range_in::<One>(index), count, free, low, pages);
        }
        self.highest_free_elsewhere(count, free, low, pages)
    }

    #[inline(never)]
    fn highest_free_elsewhere(self, count: usize, free: u64, low: u64, pages: u64) -> Option<(u64, usize)> {
        if self.is_twin() {
            return highest_free(|index| self.range_in::<Two>(index), count, free, low, pages);
        }
        highest_free(|index| self.range(index), count, free, low, pages)
    }
}

/// See [`Leaf::highest_free`].
#[inline(always)]
fn highest_free(
    range: impl Fn(usize) -> Range<u64>,
    count: usize,
    mut free: u64,
    low: u64,
    pages: u64,
) -> Option<(u64, usize)> {
    for index in (0..count).rev() {
        let entry = range(index);
        if free >= entry.end + pages {
            return Some((free - pages, index + 1));
        }
        free = free.min(entry.start);
    }
    (free >= low + pages).then(|| (free - pages, 0))
}

impl<T> Packed<'_, T> {
    /// Start and end of entry `index`, which is below the count, relative to the base; for the writer, beside readers only.
    #[inline(always)]
    fn halves(&self, index: usize) -> (u32, u32) {
        debug_assert!(index < NARROW);
        if cfg!(loom) || cfg!(target_endian = "big") {
            let bounds = self.bounds(index);
            return ((bounds >> 32) as u32, bounds as u32);
        }
        // SAFETY: the count is at most NARROW; nobody writes meanwhile.
        unsafe {
            let bounds = self.bounds.as_ptr().add(index);
            stats::touch(&*bounds);
            let halves = bounds.cast::<u32>();
            (halves.add(1).read(), halves.read())
        }
    }

    #[inline]
    fn gap(&self, count: usize, low: u64, high: u64) -> u32 {
        let (first, mut end) = self.halves(0);
        let (mut max, mut index) = (0, 1);
        // Two at a time.
        while index + 1 < count {
            let ((start, middle), (next, behind)) = (self.halves(index), self.halves(index + 1));
            max = max.max(start - end).max(next - middle);
            end = behind;
            index += 2;
        }
        if index < count {
            let (start, behind) = self.halves(index);
            max = max.max(start - end);
            end = behind;
        }
        let leading = saturate(self.base + u64::from(first) - low);
        max.max(leading).max(saturate(high.saturating_sub(self.base + u64::from(end))))
    }
}
