//! Copies of a packed leaf with one store in it.

use core::{
    ops::Range,
    ptr::{self, NonNull},
};

use super::{
    Chain, Head, Leaf, Link, Node, ONE_VACANT, VACANT,
    leaf::Packed,
    origin::{END, One, Origin, Two},
    visited,
};
use crate::{
    geometry::{LEAF_MIN, NARROW},
    reserve::Store,
    stats,
    sync::{AtomicPtr, AtomicU64, Ordering, copy},
};

/// Where a range lies in a packed leaf.
pub(crate) struct Aim {
    /// Its near bounds.
    start: u64,
    end: u64,
    /// Entries of the leaf.
    pub(crate) count: usize,
    /// The leaf's vacant entries, as its head counts them.
    vacant: usize,
    /// Entries that start at or below its start.
    below: usize,
}

/// What a range meets in a packed leaf.
pub(crate) struct Met {
    /// The entries that it meets, and the vacant ones between and right behind them.
    pub(crate) lo: usize,
    pub(crate) hi: usize,
    /// Entries of the leaf.
    pub(crate) count: usize,
    /// The leaf's vacant entries that stay.
    vacant: usize,
    /// The near bounds of the range.
    start: u64,
    end: u64,
    /// The first of them keeps its pages below the range.
    pub(crate) keeps_before: bool,
    /// The last of them keeps its pages above the range.
    pub(crate) keeps_after: bool,
}

impl Met {
    /// Entries of the leaf after the store, also the vacant ones.
    #[inline(always)]
    pub(crate) fn count_after(&self, what: Store) -> usize {
        let kept = usize::from(self.keeps_before) + usize::from(self.keeps_after);
        self.count - (self.hi - self.lo) + kept + usize::from(what == Store::Entry)
    }

    /// Those that are not vacant.
    #[inline(always)]
    pub(crate) fn live_after(&self, what: Store) -> usize {
        self.count_after(what) - self.vacant
    }
}

/// Where one entry goes into or out of a packed leaf.
pub(crate) struct Spot {
    /// Its index.
    pub(crate) at: usize,
    /// Its packed bounds.
    bounds: u64,
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
    /// Whether a leaf, the root if it is `alone`, has entries enough without the one here, which is not vacant.
    #[inline(always)]
    pub(crate) fn can_go(&self, alone: bool) -> bool {
        let live = self.count - self.vacant / ONE_VACANT;
        // Only the root may have fewer.
        live > LEAF_MIN || alone && live > 1
    }

    /// Whether the entry here, which can go, may become vacant in place: a leaf's first entry must not, as it says where the leaf
    /// begins.
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

/// Where a new entry takes one end of an entry of a packed leaf.
pub(crate) struct Split {
    /// Where it goes. (The free pages beside it do not count.)
    pub(crate) spot: Spot,
    /// The other entry's index afterwards, and the packed bounds that it keeps.
    kept: (usize, u64),
}

impl<'m, T> Leaf<'m, T> {
    /// The body of a packed leaf, with the right to read the whole node.
    #[inline(always)]
    fn packed_raw(self, tag: usize) -> *const Packed<'m, T> {
        debug_assert!(self.link().tag() == tag);
        visited(&self.packed().head);
        self.link().into_raw().wrapping_byte_sub(tag).cast()
    }

    /// Where `range` (inside the leaf's bounds) lies in a packed leaf that reaches so far.
    #[inline(always)]
    pub(crate) fn aim<O: Origin>(self, range: &Range<u64>) -> Option<Aim> {
        self.aim_below::<O>(range, NARROW + 1)
    }

    /// As [`aim`](Self::aim), in a leaf of fewer than so many entries.
    #[inline(always)]
    fn aim_below<O: Origin>(self, range: &Range<u64>, limit: usize) -> Option<Aim> {
        let body = self.body::<O>();
        let (count, vacant) = body.head.count_and_vacant();
        let (start, end) = O::of(body.base).near(range)?;
        if count >= limit {
            return None;
        }
        stats::visit();
        Some(Aim { start, end, count, vacant, below: body.search_near(start) })
    }

    /// The place of an entry over `range` in a packed leaf of these `bounds` (the range is inside) that reaches so far, if all of it
    /// is free and the leaf has room.
    #[inline(always)]
    pub(crate) fn free_spot<O: Origin>(self, range: &Range<u64>, bounds: &Range<u64>) -> Option<Spot> {
        self.free_spot_at::<O>(&self.aim_below::<O>(range, NARROW)?, bounds)
    }

    /// As [`free_spot`](Self::free_spot), where the leaf has room.
    #[inline(always)]
    pub(crate) fn free_spot_at<O: Origin>(self, aim: &Aim, bounds: &Range<u64>) -> Option<Spot> {
        let body = self.body::<O>();
        let origin = O::of(body.base);
        let &Aim { start, end, count, vacant, below: above } = aim;
        let mut at = above;
        let next = body.bounds(at) >> 32;
        // Unused bounds are above every end.
        if next < end {
            return None;
        }
        let after = if at < count { origin.page(next) } else { bounds.end };
        let (mut before, mut replaces_vacant) = (bounds.start, false);
        if at > 0 {
            let below = body.bounds(at - 1) & END;
            if below > start {
                return None;
            }
            before = origin.page(below);
            if vacant > 0 && body.is_vacant(at - 1) {
                (replaces_vacant, at) = (true, at - 1);
            }
        }
        Some(Spot { at, bounds: start << 32 | end, count, vacant, replaces_vacant, above, before, after })
    }

    /// The place of the entry that covers exactly `range`, in a packed leaf of these `bounds`.
    #[inline(always)]
    pub(crate) fn spot_of<O: Origin>(self, range: &Range<u64>, bounds: &Range<u64>) -> Option<Spot> {
        let body = self.body::<O>();
        let counts = body.head.count_and_vacant();
        let (start, end) = O::of(body.base).near(range)?;
        stats::visit();
        let at = body.search_near(start).checked_sub(1)?;
        let known = start << 32 | end;
        if body.bounds(at) != known {
            return None;
        }
        Some(self.spot_beside::<O>(at, known, counts, bounds))
    }

    /// The place of entry `at`, which is not vacant, in a packed leaf of these `bounds`.
    #[inline(always)]
    pub(crate) fn spot_at<O: Origin>(self, at: usize, bounds: &Range<u64>) -> Spot {
        let body = self.body::<O>();
        self.spot_beside::<O>(at, body.bounds(at), body.head.count_and_vacant(), bounds)
    }

    #[inline(always)]
    fn spot_beside<O: Origin>(
        self,
        at: usize,
        known: u64,
        (count, vacant): (usize, usize),
        bounds: &Range<u64>,
    ) -> Spot {
        let body = self.body::<O>();
        let origin = O::of(body.base);
        let before = if at > 0 { origin.page(body.bounds(at - 1) & END) } else { bounds.start };
        let mut above = at + 1;
        while vacant > 0 && above < count && body.is_vacant(above) {
            above += 1;
        }
        let after = if above < count { origin.page(body.bounds(above) >> 32) } else { bounds.end };
        Spot { at, bounds: known, count, vacant, replaces_vacant: false, above, before, after }
    }

    /// How an entry over the range that was aimed at splits one, if it takes one end of it and the leaf has room.
    #[inline(always)]
    pub(crate) fn split_at<O: Origin>(self, aim: &Aim) -> Option<Split> {
        let &Aim { start, end, count, vacant, below } = aim;
        let index = below.checked_sub(1).filter(|_| count < NARROW)?;
        let bounds = self.body::<O>().bounds(index);
        let (old_start, old_end) = (bounds >> 32, bounds & END);
        let (at, kept) = if start == old_start && end < old_end {
            (index, (index + 1, end << 32 | old_end))
        } else if start < old_end && end == old_end && start > old_start {
            (index + 1, (index, old_start << 32 | start))
        } else {
            return None;
        };
        let bounds = start << 32 | end;
        let spot =
            Spot { at, bounds, count, vacant, replaces_vacant: false, above: at + 1, before: 0, after: 0 };
        Some(Split { spot, kept })
    }

    /// Copies a packed leaf into `memory`, put in front of `chain`, with a place for the new entry of a `split`.
    #[inline(always)]
    pub(crate) fn with_split<O: Origin>(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        Split { spot, kept: (index, bounds) }: &Split,
    ) -> Self {
        let new = self.with_entry::<O>(memory, chain, spot);
        new.body::<O>().bounds[*index].store(*bounds, Ordering::Relaxed);
        new
    }

    /// Copies a packed leaf into `memory`, put in front of `chain`, with a place for an entry at its free `spot`.
    #[inline(always)]
    pub(crate) fn with_entry<O: Origin>(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        spot: &Spot,
    ) -> Self {
        let node = NonNull::from(memory);
        let old = self.packed_raw(O::TAG);
        let new = node.cast::<Packed<'m, T>>().as_ptr();
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
            to.add(spot.at).write(AtomicU64::new(spot.bounds));
            to_entries.add(spot.at).write(AtomicPtr::new(ptr::null_mut()));
        }
        Self::at(Link::new(node, O::TAG))
    }

    /// Copies a packed leaf into `memory`, put in front of `chain`, without entry `gone` and without vacant ones.
    #[inline(never)]
    pub(crate) fn without_entry<O: Origin>(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        gone: usize,
    ) -> Self {
        let node = NonNull::from(memory);
        let old = self.packed_raw(O::TAG);
        let (count, vacant) = self.body::<O>().head.count_and_vacant();
        let new = node.cast::<Packed<'m, T>>().as_ptr();
        debug_assert!(count <= NARROW && gone < count);
        // SAFETY: the memory is exclusively ours, large enough and aligned; the old leaf is in use. All indexes are below the
        // old count, which is at most NARROW. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(Head::on_chain(count - vacant / ONE_VACANT - 1, chain, node));
            copy_body(old, new);
            let (from, to) = (bounds_of(old), bounds_of(new));
            let (from_entries, to_entries) = (entries_of(old), entries_of(new));
            let mut at = 0;
            // The first of a leaf without vacant entries, as is most frequent: all others move down.
            while gone == 0 && vacant == 0 && at + 2 < count {
                copy::<_, 2>(from.add(at + 1), to.add(at));
                copy::<_, 2>(from_entries.add(at + 1), to_entries.add(at));
                at += 2;
            }
            for index in if at > 0 { at + 1 } else { 0 }..count {
                if index != gone && !(*old).is_vacant(index) {
                    copy::<_, 1>(from.add(index), to.add(at));
                    copy::<_, 1>(from_entries.add(index), to_entries.add(at));
                    at += 1;
                }
            }
            for unused in at..count {
                to.add(unused).write(AtomicU64::new(u64::MAX));
            }
        }
        Self::at(Link::new(node, O::TAG))
    }

    /// What a store over `range` (inside the leaf's bounds) meets in a packed leaf that reaches so far; `None` elsewhere.
    #[inline]
    pub(crate) fn meet(self, range: &Range<u64>) -> Option<Met> {
        if self.is_narrow() {
            return Some(self.meet_at::<One>(&self.aim::<One>(range)?));
        }
        if self.is_twin() { Some(self.meet_at::<Two>(&self.aim::<Two>(range)?)) } else { None }
    }

    /// As [`meet`](Self::meet), for a range that has been found.
    #[inline(always)]
    pub(crate) fn meet_at<O: Origin>(self, aim: &Aim) -> Met {
        let body = self.body::<O>();
        let &Aim { start, end, count, vacant, below } = aim;
        let mut vacant = vacant / ONE_VACANT;
        let (mut lo, mut hi) = (below, below);
        if below > 0 && body.bounds(below - 1) & END > start {
            lo = below - 1;
        }
        while hi < count && body.bounds(hi) >> 32 < end {
            hi += 1;
        }
        let keeps_before = lo < below && body.bounds(lo) >> 32 < start;
        let keeps_after = lo < hi && body.bounds(hi - 1) & END > end && !body.is_vacant(hi - 1);
        if vacant > 0 && lo < hi {
            // Those right behind would not be at the end of an entry.
            while !keeps_after && hi < count && body.is_vacant(hi) {
                hi += 1;
            }
            vacant -= (lo..hi).filter(|index| body.is_vacant(*index)).count();
        }
        Met { lo, hi, count, vacant, start, end, keeps_before, keeps_after }
    }

    /// Copies a packed leaf into `memory`, put in front of `chain`, with one entry or nothing over the range that met
    /// `met`. The result holds at most `NARROW` entries. Gives the index of the new entry, too.
    #[inline(always)]
    pub(crate) fn splice(
        self,
        memory: &'static mut Node,
        chain: &mut Chain,
        met: &Met,
        what: Store,
    ) -> (Self, usize) {
        let node = NonNull::from(memory);
        let tag = self.link().tag();
        let old = self.packed_raw(tag);
        let (start, end) = (met.start, met.end);
        let new_count = met.count_after(what);
        debug_assert!(new_count <= NARROW);
        let head = Head::on_chain(new_count + met.vacant * ONE_VACANT, chain, node);
        let new = node.cast::<Packed<'m, T>>().as_ptr();
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
                // Few: no call to fill memory.
                for unused in at..met.count {
                    (*to.add(unused)).store(u64::MAX, Ordering::Relaxed);
                }
            }
            (Self::at(Link::new(node, tag)), place)
        }
    }
}

/// Copies base, bounds and entries.
///
/// # Safety
/// `old` is a packed leaf in use, `new` is memory of a node that nobody else uses.
#[inline(always)]
unsafe fn copy_body<'m, T>(old: *const Packed<'m, T>, new: *mut Packed<'m, T>) {
    // SAFETY: by the caller's promise.
    unsafe {
        (&raw mut (*new).base).write((*old).base);
        copy::<_, NARROW>(bounds_of(old), bounds_of(new));
        copy::<_, NARROW>(entries_of(old), entries_of(new));
    }
}

/// The first bounds of a packed leaf, with the right to all of the node.
///
/// # Safety
/// `body` points to a node.
#[inline(always)]
unsafe fn bounds_of<T>(body: *const Packed<'_, T>) -> *mut AtomicU64 {
    // SAFETY: by the caller's promise.
    unsafe { (&raw const (*body).bounds).cast_mut().cast() }
}

/// The first entry, as [`bounds_of`].
///
/// # Safety
/// `body` points to a node.
#[inline(always)]
unsafe fn entries_of<T>(body: *const Packed<'_, T>) -> *mut AtomicPtr<T> {
    // SAFETY: by the caller's promise.
    unsafe { (&raw const (*body).entries).cast_mut().cast() }
}
