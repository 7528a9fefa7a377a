//! Copies of a narrow leaf with one store in it.

use core::{
    ops::Range,
    ptr::{self, NonNull},
};

use super::{
    Chain, Head, Leaf, Link, NARROW as NARROW_TAG, Node, ONE_VACANT, VACANT,
    leaf::{END, Narrow},
    visited,
};
use crate::{
    geometry::{NARROW, SPAN},
    reserve::Store,
    stats,
    sync::{AtomicPtr, AtomicU64, copy},
};

/// What a range meets in a narrow leaf.
pub(crate) struct Met {
    /// The entries that it meets.
    pub(crate) lo: usize,
    pub(crate) hi: usize,
    /// Entries of the leaf.
    pub(crate) count: usize,
    /// The first of them keeps its pages below the range.
    pub(crate) keeps_before: bool,
    /// The last of them keeps its pages above the range.
    pub(crate) keeps_after: bool,
}

impl Met {
    /// Entries of the leaf after the store.
    #[inline(always)]
    pub(crate) fn count_after(&self, what: Store) -> usize {
        let kept = usize::from(self.keeps_before) + usize::from(self.keeps_after);
        self.count - (self.hi - self.lo) + kept + usize::from(what == Store::Entry)
    }
}

/// Where one entry goes into or out of a narrow leaf.
pub(crate) struct Spot {
    /// Its index.
    pub(crate) at: usize,
    /// Entries of the leaf.
    pub(crate) count: usize,
    /// The leaf's vacant entries, as its head counts them.
    vacant: usize,
    /// A vacant entry is there, which the new one replaces.
    replaces_vacant: bool,
    /// The next entry above that is not vacant, or the count.
    pub(crate) above: usize,
    /// End of the entry below; where the leaf begins if there is none.
    pub(crate) before: u64,
    /// Start of the entry above; where the leaf ends if there is none.
    pub(crate) after: u64,
}

impl Spot {
    /// Entries of the leaf that are not vacant.
    #[inline(always)]
    pub(crate) fn live(&self) -> usize {
        self.count - self.vacant / ONE_VACANT
    }

    /// Whether the entry here may become vacant in place: a leaf's first entry must not, as it says where the leaf begins.
    #[inline(always)]
    pub(crate) fn can_be_vacated(&self) -> bool {
        self.at > 0 && self.vacant < VACANT
    }

    /// The free pages around the spot if it is empty.
    #[inline(always)]
    pub(crate) fn free(&self) -> u64 {
        self.after - self.before
    }
}

impl<'m, T> Leaf<'m, T> {
    /// The body of a narrow leaf, with the right to read the whole node.
    #[inline(always)]
    fn narrow_raw(self) -> *const Narrow<'m, T> {
        visited(&self.narrow().head);
        self.link().into_raw().wrapping_byte_sub(NARROW_TAG).cast()
    }

    /// The place of an entry over `range` in a narrow leaf of these `bounds` (the range is inside) that reaches so far, if all of it
    /// is free and the leaf has room.
    #[inline(always)]
    pub(crate) fn free_spot(self, range: &Range<u64>, bounds: &Range<u64>) -> Option<Spot> {
        let body = self.narrow();
        let (count, vacant) = body.head.count_and_vacant();
        let (start, end) = (range.start.checked_sub(body.base)?, range.end - body.base);
        if end > SPAN || count >= NARROW {
            return None;
        }
        stats::visit();
        let above = body.search_near(start);
        let mut at = above;
        let next = body.bounds(at) >> 32;
        // Unused bounds are above every end.
        if next < end {
            return None;
        }
        let after = if at < count { body.base + next } else { bounds.end };
        let (mut before, mut replaces_vacant) = (bounds.start, false);
        if at > 0 {
            let below = body.bounds(at - 1) & END;
            if below > start {
                return None;
            }
            before = body.base + below;
            if vacant > 0 && body.is_vacant(at - 1) {
                (replaces_vacant, at) = (true, at - 1);
            }
        }
        Some(Spot { at, count, vacant, replaces_vacant, above, before, after })
    }

    /// The place of the entry that covers exactly `range`, in a narrow leaf of these `bounds`.
    #[inline(always)]
    pub(crate) fn spot_of(self, range: &Range<u64>, bounds: &Range<u64>) -> Option<Spot> {
        let body = self.narrow();
        let (count, vacant) = body.head.count_and_vacant();
        let (start, end) = (range.start.checked_sub(body.base)?, range.end - body.base);
        if end > SPAN {
            return None;
        }
        stats::visit();
        let mut above = body.search_near(start);
        let at = above.checked_sub(1)?;
        if body.bounds(at) != (start << 32) | end {
            return None;
        }
        let before = if at > 0 { body.base + (body.bounds(at - 1) & END) } else { bounds.start };
        while vacant > 0 && above < count && body.is_vacant(above) {
            above += 1;
        }
        let after = if above < count { body.base + (body.bounds(above) >> 32) } else { bounds.end };
        Some(Spot { at, count, vacant, replaces_vacant: false, above, before, after })
    }

    /// Copies a narrow leaf into `memory`, put in front of `chain`, with a place for an entry over `range` at its free `spot`.
    #[inline(always)]
    pub(crate) fn with_entry(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        spot: &Spot,
        range: &Range<u64>,
    ) -> Self {
        let node = NonNull::from(memory);
        let old = self.narrow_raw();
        let new = node.cast::<Narrow<'m, T>>().as_ptr();
        debug_assert!(spot.count < NARROW && spot.at <= spot.count);
        // SAFETY: the memory is exclusively ours, large enough and aligned; the old leaf is in use. All indexes are at most the
        // old count, which is below NARROW. Every field is written before anyone reads it.
        unsafe {
            let counts = (spot.count | spot.vacant) + 1;
            let counts = if spot.replaces_vacant { counts - 1 - ONE_VACANT } else { counts };
            (&raw mut (*new).head).write(Head::on_chain(counts, chain, node));
            copy_body(old, new);
            let (from, to) = (bounds_of(old), bounds_of(new));
            let (from_entries, to_entries) = (entries_of(old), entries_of(new));
            let mut last = if spot.replaces_vacant { spot.at } else { spot.count };
            while last > spot.at + 1 {
                last -= 2;
                copy::<_, 2>(from.add(last), to.add(last + 1));
                copy::<_, 2>(from_entries.add(last), to_entries.add(last + 1));
            }
            if last > spot.at {
                copy::<_, 1>(from.add(last - 1), to.add(last));
                copy::<_, 1>(from_entries.add(last - 1), to_entries.add(last));
            }
            let base = (*old).base;
            to.add(spot.at).write(AtomicU64::new(((range.start - base) << 32) | (range.end - base)));
            to_entries.add(spot.at).write(AtomicPtr::new(ptr::null_mut()));
        }
        Self::at(Link::new(node, NARROW_TAG))
    }

    /// Copies a narrow leaf into `memory`, put in front of `chain`, without the entry at `spot` and without vacant ones.
    #[inline(never)]
    pub(crate) fn without_entry(self, memory: &'static mut Node, chain: &mut Chain, spot: &Spot) -> Self {
        let node = NonNull::from(memory);
        let old = self.narrow_raw();
        let new = node.cast::<Narrow<'m, T>>().as_ptr();
        debug_assert!(spot.count <= NARROW && spot.at < spot.count);
        // SAFETY: the memory is exclusively ours, large enough and aligned; the old leaf is in use. All indexes are below the
        // old count, which is at most NARROW. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(Head::on_chain(spot.live() - 1, chain, node));
            copy_body(old, new);
            let (from, to) = (bounds_of(old), bounds_of(new));
            let (from_entries, to_entries) = (entries_of(old), entries_of(new));
            let mut at = 0;
            // The first of a leaf without vacant entries, as is most frequent: all others move down.
            while spot.at == 0 && spot.vacant == 0 && at + 2 < spot.count {
                copy::<_, 2>(from.add(at + 1), to.add(at));
                copy::<_, 2>(from_entries.add(at + 1), to_entries.add(at));
                at += 2;
            }
            for index in if at > 0 { at + 1 } else { 0 }..spot.count {
                if index != spot.at && !(*old).is_vacant(index) {
                    copy::<_, 1>(from.add(index), to.add(at));
                    copy::<_, 1>(from_entries.add(index), to_entries.add(at));
                    at += 1;
                }
            }
            for unused in at..spot.count {
                to.add(unused).write(AtomicU64::new(u64::MAX));
            }
        }
        Self::at(Link::new(node, NARROW_TAG))
    }

    /// What a store over `range` (inside the leaf's bounds) meets in a narrow leaf that reaches so far and has no vacant entry;
    /// `None` elsewhere.
    #[inline(always)]
    pub(crate) fn meet(self, range: &Range<u64>) -> Option<Met> {
        if !self.is_narrow() || self.has_vacant() {
            return None;
        }
        let body = self.narrow();
        let (start, end) = (range.start.checked_sub(body.base)?, range.end - body.base);
        if end > SPAN {
            return None;
        }
        stats::visit();
        let count = body.head.count();
        let below = body.search(range.start);
        let (mut lo, mut hi) = (below, below);
        if below > 0 && body.bounds(below - 1) & END > start {
            lo = below - 1;
        }
        while hi < count && body.bounds(hi) >> 32 < end {
            hi += 1;
        }
        let keeps_before = lo < below && body.bounds(lo) >> 32 < start;
        let keeps_after = lo < hi && body.bounds(hi - 1) & END > end;
        Some(Met { lo, hi, count, keeps_before, keeps_after })
    }

    /// Copies a narrow leaf into `memory`, put in front of `chain`, with one entry or nothing over the `range` that met
    /// `met`. The result holds at most `NARROW` entries. Gives the index of the new entry, too.
    #[inline(always)]
    pub(crate) fn splice(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        met: &Met,
        range: &Range<u64>,
        what: Store,
    ) -> (Self, usize) {
        let node = NonNull::from(memory);
        let old = self.narrow_raw();
        let base = self.narrow().base;
        let (start, end) = (range.start - base, range.end - base);
        let new_count = met.count_after(what);
        debug_assert!(new_count <= NARROW);
        let head = Head::on_chain(new_count, chain, node);
        let new = node.cast::<Narrow<'m, T>>().as_ptr();
        // SAFETY: the memory is exclusively ours, large enough and aligned. Both leaves have at most NARROW entries, so that
        // all indexes are below NARROW. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(head);
            copy_body(old, new);
            let (from, to) = (bounds_of(old), bounds_of(new));
            let (from_entries, to_entries) = (entries_of(old), entries_of(new));
            let mut at = met.lo;
            if met.keeps_before {
                to.add(at).write(AtomicU64::new(((*old).bounds(at) & !END) | start));
                at += 1;
            }
            let place = at;
            if what == Store::Entry {
                to.add(at).write(AtomicU64::new((start << 32) | end));
                to_entries.add(at).write(AtomicPtr::new(ptr::null_mut()));
                at += 1;
            }
            if met.keeps_after {
                to.add(at).write(AtomicU64::new((end << 32) | ((*old).bounds(met.hi - 1) & END)));
                copy::<_, 1>(from_entries.add(met.hi - 1), to_entries.add(at));
                at += 1;
            }
            if at != met.hi {
                for next in met.hi..met.count {
                    copy::<_, 1>(from.add(next), to.add(at));
                    copy::<_, 1>(from_entries.add(next), to_entries.add(at));
                    at += 1;
                }
                for unused in at..met.count {
                    to.add(unused).write(AtomicU64::new(u64::MAX));
                }
            }
            (Self::at(Link::new(node, NARROW_TAG)), place)
        }
    }
}

/// Copies base, bounds and entries.
///
/// # Safety
/// `old` is a narrow leaf in use, `new` is memory of a node that nobody else uses.
#[inline(always)]
unsafe fn copy_body<'m, T>(old: *const Narrow<'m, T>, new: *mut Narrow<'m, T>) {
    // SAFETY: by the caller's promise.
    unsafe {
        (&raw mut (*new).base).write((*old).base);
        copy::<_, NARROW>(bounds_of(old), bounds_of(new));
        copy::<_, NARROW>(entries_of(old), entries_of(new));
    }
}

/// The first bounds of a narrow leaf, with the right to all of the node.
///
/// # Safety
/// `body` points to a node.
#[inline(always)]
unsafe fn bounds_of<T>(body: *const Narrow<'_, T>) -> *mut AtomicU64 {
    // SAFETY: by the caller's promise.
    unsafe { (&raw const (*body).bounds).cast_mut().cast() }
}

/// The first entry, as [`bounds_of`].
///
/// # Safety
/// `body` points to a node.
#[inline(always)]
unsafe fn entries_of<T>(body: *const Narrow<'_, T>) -> *mut AtomicPtr<T> {
    // SAFETY: by the caller's promise.
    unsafe { (&raw const (*body).entries).cast_mut().cast() }
}
