//! What the packed bounds of a leaf are relative to.
//!
//! ```text
//! narrow   |base ........................... base + SPAN|
//! twin     |base ..... base + HALF - 1|      hole      |base + HALF + shift ..... base + SPAN + shift|
//! near     0 ................ HALF - 1                  HALF ..................................... SPAN
//! ```
//!
//! A small process has its program and its heap at one end of the address space, its mappings and its stack at the other: more
//! than a window of `SPAN` pages apart, but each end fits in half a one. A twin leaf counts the pages of the lower window
//! from `base` and those of the upper from `base + shift`, so that the order of near numbers is that of the pages, and a search
//! knows nothing of the hole. Base and shift are multiples of `BASE_ROUND`; one word holds both and never changes.

use core::ops::Range;

use super::{NARROW as NARROW_TAG, TWIN as TWIN_TAG};
use crate::geometry::{BASE_ROUND, SPAN};

/// The lower half of packed bounds.
pub(super) const END: u64 = 0xffff_ffff;

/// Where the upper window of a twin leaf begins, in near numbers.
const HALF: u64 = SPAN.div_ceil(2);

/// How near numbers, of 32 bits, become pages.
pub(crate) trait Origin: Copy {
    /// Kind of the leaves that have it.
    const TAG: usize;

    /// That of a leaf with such a word.
    fn of(word: u64) -> Self;

    /// The near bounds of `range` if such a leaf can hold it.
    fn near(self, range: &Range<u64>) -> Option<(u64, u64)>;

    /// The near number to search for `page` with: below `END`, and not below that of any start at or below the page. `None` if
    /// there is no such start.
    fn key(self, page: u64) -> Option<u64>;

    /// The page of a near bound.
    fn page(self, near: u64) -> u64;
}

/// The one window of a narrow leaf.
#[derive(Clone, Copy)]
pub(crate) struct One {
    base: u64,
}

impl One {
    /// The word for a leaf from `start` to `end`, if one window reaches so far.
    #[inline]
    pub(super) fn around(start: u64, end: u64) -> Option<u64> {
        let base = base_for(start);
        (end - base <= SPAN).then_some(base)
    }
}

impl Origin for One {
    const TAG: usize = NARROW_TAG;

    #[inline(always)]
    fn of(word: u64) -> Self {
        Self { base: word }
    }

    #[inline(always)]
    fn near(self, range: &Range<u64>) -> Option<(u64, u64)> {
        let (start, end) = (range.start.checked_sub(self.base)?, range.end - self.base);
        (end <= SPAN).then_some((start, end))
    }

    #[inline(always)]
    fn key(self, page: u64) -> Option<u64> {
        // An end is at most SPAN, so a page beyond it is behind every entry.
        Some(page.checked_sub(self.base)?.min(END - 1))
    }

    #[inline(always)]
    fn page(self, near: u64) -> u64 {
        self.base + near
    }
}

/// The two windows of a twin leaf.
#[derive(Clone, Copy)]
pub(crate) struct Two {
    base: u64,
    shift: u64,
}

impl Two {
    /// What to search with for the last entry of the lower window.
    pub(super) const LOWER: u64 = HALF - 1;

    /// What to search for `page` with, as [`Origin::key`], and what the bounds of an entry that covers the page count from. With
    /// that, an entry of the other window ends below the page.
    #[inline(always)]
    pub(super) fn aim(self, page: u64) -> Option<(u64, u64)> {
        let low = page.checked_sub(self.base)?;
        Some(match low.checked_sub(self.shift) {
            Some(high) if high >= HALF => (self.base + self.shift, high.min(END - 1)),
            _ => (self.base, low.min(HALF - 1)),
        })
    }

    /// The word for a leaf of `items` (not empty), if two windows hold them all. The upper one leaves as much room as it can
    /// below: mappings come from the top down.
    pub(super) fn around(items: impl Iterator<Item = Range<u64>> + Clone) -> Option<u64> {
        let (first, last) = (items.clone().next()?, items.clone().last()?);
        let base = base_for(first.start);
        let upper = last.end.checked_sub(HALF - 1)?.next_multiple_of(BASE_ROUND);
        let shift = upper.checked_sub(base + HALF)?;
        // The word has only so much room for it.
        if shift / BASE_ROUND >= BASE_ROUND {
            return None;
        }
        let new = Self { base, shift };
        let fits = items.into_iter().all(|item| new.near(&item).is_some());
        fits.then_some(base | (shift / BASE_ROUND))
    }
}

impl Origin for Two {
    const TAG: usize = TWIN_TAG;

    #[inline(always)]
    fn of(word: u64) -> Self {
        Self { base: base_for(word), shift: word % BASE_ROUND * BASE_ROUND }
    }

    #[inline(always)]
    fn near(self, range: &Range<u64>) -> Option<(u64, u64)> {
        let start = range.start.checked_sub(self.base)?;
        let end = range.end - self.base;
        if end < HALF {
            return Some((start, end));
        }
        // Below the upper window it is none at all, or so large that its end is too large, too.
        let (start, end) = (start.wrapping_sub(self.shift), end.wrapping_sub(self.shift));
        (start >= HALF && start < end && end <= SPAN).then_some((start, end))
    }

    #[inline(always)]
    fn key(self, page: u64) -> Option<u64> {
        Some(self.aim(page)?.1)
    }

    #[inline(always)]
    fn page(self, near: u64) -> u64 {
        self.base + near + if near & HALF == 0 { 0 } else { self.shift }
    }
}

/// Base of a leaf that begins at `start`.
#[inline(always)]
pub(super) fn base_for(start: u64) -> u64 {
    start & !(BASE_ROUND - 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Two pages at each end of a twin leaf's hole.
    fn ends() -> (Two, Range<u64>, Range<u64>) {
        let low = BASE_ROUND + 1..BASE_ROUND + 3;
        let high = low.start + 2 * SPAN..low.end + 2 * SPAN;
        let word = Two::around([low.clone(), high.clone()].into_iter()).expect("both fit");
        (Two::of(word), low, high)
    }

    #[test]
    fn near_numbers_of_both_windows_become_their_pages_again() {
        let (two, low, high) = ends();
        for range in [low, high] {
            let (start, end) = two.near(&range).expect("inside");
            assert_eq!(two.page(start)..two.page(end), range);
        }
    }

    #[test]
    fn keys_rise_with_the_pages_and_pass_no_start() {
        let (two, low, high) = ends();
        let (start, last) = (two.near(&low).expect("inside").0, two.near(&high).expect("inside").0);
        assert_eq!(two.key(0), None);
        for page in [low.start, low.end, low.start + HALF, low.start + SPAN, high.start - 1] {
            let key = two.key(page).expect("above the base");
            assert!(key >= start && key < last, "{page:#x}");
        }
        for page in [high.start, high.end, high.end + SPAN] {
            assert!(two.key(page).expect("above the base") >= last);
        }
    }

    #[test]
    fn a_range_in_the_hole_or_across_its_borders_is_outside() {
        let (two, low, high) = ends();
        let upper = two.page(HALF);
        for range in [
            low.start + HALF..low.start + HALF + 1,
            two.base + HALF - 1..two.base + HALF,
            upper - 1..upper + 1,
            low.start..high.end,
            two.base - 1..two.base + 1,
            high.start..two.page(SPAN) + 1,
        ] {
            assert_eq!(two.near(&range), None, "{range:x?}");
        }
        assert!(two.near(&(two.base + HALF - 2..two.base + HALF - 1)).is_some());
        assert!(two.near(&(upper..two.page(SPAN))).is_some());
    }

    #[test]
    fn three_places_far_apart_have_no_two_windows() {
        let at = |page: u64| page..page + 1;
        assert_eq!(Two::around([at(0), at(SPAN), at(2 * SPAN)].into_iter()), None);
        // The word has no room for such a shift.
        assert_eq!(Two::around([at(0), at(BASE_ROUND * BASE_ROUND + 2 * SPAN)].into_iter()), None);
    }
}
