//! Leaves, packed (narrow or twin) and wide.

use core::{
    marker::PhantomData,
    ops::{ControlFlow, Range},
    slice,
};

use super::{
    COUNT, Head, Link, NARROW as NARROW_TAG, ONE_VACANT, TWIN as TWIN_TAG, VACANT, WIDE as WIDE_TAG,
    count_le,
    origin::{END, One, Origin, Two},
    visited,
};
use crate::{
    geometry::{NARROW, WIDE},
    stats,
    sync::{AtomicPtr, AtomicU64, Ordering},
};

#[repr(C, align(256))]
pub(super) struct Packed<'m, T> {
    pub(super) head: Head,
    /// What the bounds are relative to, as an [`Origin`] has it.
    pub(super) base: u64,
    /// Start in the upper half, exclusive end in the lower; `u64::MAX` when unused. Read by anyone; the writer may make
    /// them empty (see [`Leaf::vacate`]).
    pub(super) bounds: [AtomicU64; NARROW],
    /// Null in a vacant entry, and where the store will bring a value. Read by anyone, made null by the writer.
    pub(super) entries: [AtomicPtr<T>; NARROW],
    values: PhantomData<&'m T>,
}

#[repr(C, align(256))]
pub(super) struct Wide<'m, T> {
    pub(super) head: Head,
    /// `u64::MAX` when unused.
    pub(super) starts: [u64; WIDE],
    pub(super) ends: [u64; WIDE],
    pub(super) entries: [Option<&'m T>; WIDE],
}

/// One entry, on its way into a leaf or out of it. `None` is the place of a value that the store will bring.
pub(crate) struct Item<'m, T> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) entry: Option<&'m T>,
}

impl<T> Clone for Item<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Item<'_, T> {}

/// The slot that covers a page: see [`Place`](crate::place::Place) for the numbers of slots.
pub(crate) struct Covering<'m, T> {
    pub(crate) slot: usize,
    /// Entries of the leaf.
    pub(crate) count: usize,
    /// Bounds of the slot. A gap at the leaf's start or end may be shorter.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// `None` in a gap.
    pub(crate) entry: Option<&'m T>,
}

/// What a step leads to.
pub(crate) type Found<'m, T> = Option<(Range<u64>, &'m T)>;

impl<'m, T> Item<'m, T> {
    pub(crate) const EMPTY: Self = Self { start: 0, end: 0, entry: None };

    /// Range and value, if there is one.
    #[inline(always)]
    pub(crate) fn found(self) -> Found<'m, T> {
        Some((self.start..self.end, self.entry?))
    }
}

/// Handle of a leaf; see the contract of the module.
pub(crate) struct Leaf<'m, T>(Link<'m, T>);

impl<T> Clone for Leaf<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Leaf<'_, T> {}
impl<T> PartialEq for Leaf<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<'m, T> Leaf<'m, T> {
    #[inline(always)]
    pub(super) fn at(link: Link<'m, T>) -> Self {
        Self(link)
    }

    #[inline(always)]
    pub(crate) fn link(self) -> Link<'m, T> {
        self.0
    }

    /// Whether both are the same leaf, or none.
    #[inline(always)]
    pub(crate) fn is_same(one: Option<Self>, other: Option<Self>) -> bool {
        let raw = |leaf: Option<Self>| leaf.map_or(core::ptr::null_mut(), |leaf| leaf.0.into_raw());
        raw(one) == raw(other)
    }

    /// The leaf if it is narrow.
    #[inline(always)]
    pub(crate) fn if_narrow(leaf: Option<Self>) -> Option<Self> {
        let raw = leaf.map_or(core::ptr::null_mut(), |leaf| leaf.0.into_raw());
        // One test: there is no leaf at an odd null.
        if raw.addr() & NARROW_TAG == 0 { None } else { leaf }
    }

    #[inline(always)]
    pub(crate) fn is_narrow(self) -> bool {
        self.0.tag() & NARROW_TAG != 0
    }

    /// The leaf if it is twin.
    #[inline(always)]
    pub(crate) fn if_twin(leaf: Option<Self>) -> Option<Self> {
        leaf.filter(|leaf| leaf.is_twin())
    }

    #[inline(always)]
    pub(crate) fn is_twin(self) -> bool {
        self.0.tag() & TWIN_TAG != 0
    }

    /// Whether the leaf is narrow or twin.
    #[inline(always)]
    pub(crate) fn is_packed(self) -> bool {
        self.0.tag() & (NARROW_TAG | TWIN_TAG) != 0
    }

    /// The body of a leaf whose kind is known.
    #[inline(always)]
    pub(super) fn body<O: Origin>(&self) -> &Packed<'m, T> {
        debug_assert!(self.0.tag() == O::TAG);
        // SAFETY: the node is in use (contract of the module) and the tag says narrow or twin. Once linked, only its atomics are
        // written.
        let body = unsafe { &*self.0.into_raw().wrapping_byte_sub(O::TAG).cast::<Packed<'m, T>>() };
        visited(&body.head);
        body
    }

    /// The body of a narrow leaf.
    #[inline(always)]
    pub(super) fn narrow(&self) -> &Packed<'m, T> {
        self.body::<One>()
    }

    /// The body of a narrow leaf or a twin one.
    #[inline(always)]
    pub(super) fn packed(&self) -> &Packed<'m, T> {
        debug_assert!(self.is_packed());
        // SAFETY: as in `body`.
        let body = unsafe { &*self.0.node().cast::<Packed<'m, T>>() };
        visited(&body.head);
        body
    }

    #[inline(always)]
    fn wide(&self) -> &Wide<'m, T> {
        // SAFETY: as above, and the tag says wide.
        let body = unsafe { &*self.0.into_raw().wrapping_byte_sub(WIDE_TAG).cast::<Wide<'m, T>>() };
        visited(&body.head);
        body
    }

    /// Whether a store has replaced the leaf.
    #[inline(always)]
    pub(crate) fn is_dead(self) -> bool {
        if self.is_narrow() { self.narrow().head.is_dead() } else { self.0.is_dead() }
    }

    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        self.0.head().count()
    }

    /// Entries that are not vacant.
    #[inline(always)]
    pub(crate) fn live(self) -> usize {
        let counts = self.0.head().counts();
        (counts & COUNT) - (counts & VACANT) / ONE_VACANT
    }

    /// Whether there are vacant entries.
    #[inline(always)]
    pub(crate) fn has_vacant(self) -> bool {
        self.0.head().counts() & VACANT != 0
    }

    /// Range and value of entry `index`, which is below the count.
    #[inline(always)]
    pub(crate) fn item(self, index: usize) -> Item<'m, T> {
        debug_assert!(index < self.count());
        if self.is_narrow() { self.item_in::<One>(index) } else { self.item_elsewhere(index) }
    }

    /// As [`item`](Self::item), in a leaf whose kind is known.
    #[inline(always)]
    pub(crate) fn item_in<O: Origin>(self, index: usize) -> Item<'m, T> {
        let body = self.body::<O>();
        // The value after the bounds: see `vacant`.
        let (Range { start, end }, entry) = (body.range::<O>(index), body.entry(index));
        Item { start, end, entry }
    }

    #[inline(always)]
    fn item_elsewhere(self, index: usize) -> Item<'m, T> {
        if self.is_twin() {
            return self.item_in::<Two>(index);
        }
        let body = self.wide();
        stats::touch(&body.starts[index]);
        stats::touch(&body.entries[index]);
        Item { start: body.starts[index], end: body.ends[index], entry: body.entries[index] }
    }

    /// Range of entry `index`, without a look at its value.
    #[inline(always)]
    pub(crate) fn range(self, index: usize) -> Range<u64> {
        debug_assert!(index < self.count());
        if self.is_narrow() {
            return self.range_in::<One>(index);
        }
        let item = self.item_elsewhere(index);
        item.start..item.end
    }

    /// As [`range`](Self::range), in a leaf whose kind is known.
    #[inline(always)]
    pub(crate) fn range_in<O: Origin>(self, index: usize) -> Range<u64> {
        self.body::<O>().range::<O>(index)
    }

    /// Calls `visit` for the values of entries `from` to `to`, which is at most the count, for as many at once as it can, until it
    /// breaks. For a tree that nobody writes.
    #[inline(always)]
    pub(crate) fn visit<B>(
        self,
        from: usize,
        to: usize,
        mut visit: impl FnMut(&[&'m T]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        debug_assert!(to <= self.count());
        if from < to && self.is_packed() && !self.has_vacant() && !cfg!(loom) {
            let entries = &self.packed().entries;
            entries.iter().take(to).skip(from).for_each(stats::touch);
            // SAFETY: the entries have the layout of pointers, which were made of `&'m T`: no entry is vacant, and a linked leaf
            // has no place left open. Nobody writes them meanwhile.
            let values = unsafe { slice::from_raw_parts(entries.as_ptr().add(from).cast(), to - from) };
            return visit(values);
        }
        for index in from..to {
            if let Some(value) = self.item(index).entry {
                visit(slice::from_ref(&value))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Number of entries that start at or below `page`.
    #[inline(always)]
    pub(crate) fn search(self, page: u64) -> usize {
        stats::visit();
        if self.is_narrow() { self.narrow().search::<One>(page) } else { self.search_elsewhere(page) }
    }

    /// The slot that covers `page`, in a leaf whose kind is known and that nobody writes.
    #[inline(always)]
    pub(crate) fn find_in<O: Origin>(self, page: u64) -> Covering<'m, T> {
        stats::visit();
        let body = self.body::<O>();
        let origin = O::of(body.base);
        let count = body.head.count();
        let below = origin.key(page).map_or(0, |key| body.search_near(key));
        let mut start = 0;
        if let Some(index) = below.checked_sub(1) {
            let bounds = body.bounds(index);
            let end = origin.page(bounds & END);
            if page < end {
                let start = origin.page(bounds >> 32);
                return Covering { slot: 2 * index + 1, count, start, end, entry: body.entry(index) };
            }
            start = end;
        }
        let end = if below < count { origin.page(body.bounds(below) >> 32) } else { u64::MAX };
        Covering { slot: 2 * below, count, start, end, entry: None }
    }

    /// Value of entry `index`, which is below the count, of a packed leaf; `None` if it is vacant.
    #[inline(always)]
    pub(crate) fn value_in_packed(self, index: usize) -> Option<&'m T> {
        self.packed().entry(index)
    }

    #[inline(always)]
    fn search_elsewhere(self, page: u64) -> usize {
        if self.is_twin() { self.body::<Two>().search::<Two>(page) } else { self.wide().search(page) }
    }

    /// The entry that covers `page`.
    #[inline(always)]
    pub(crate) fn get(self, page: u64) -> Option<(Range<u64>, &'m T)> {
        let (origin, bounds, entry) = if self.is_narrow() {
            let body = self.narrow();
            stats::visit();
            let index = body.search::<One>(page).checked_sub(1)?;
            (body.base, body.bounds(index), body.entry(index))
        } else if self.is_twin() {
            let body = self.body::<Two>();
            stats::visit();
            let (origin, key) = Two::of(body.base).aim(page)?;
            let index = body.search_near(key).checked_sub(1)?;
            (origin, body.bounds(index), body.entry(index))
        } else {
            let item = self.item_elsewhere(self.search(page).checked_sub(1)?);
            return if page < item.end { item.found() } else { None };
        };
        let (start, end) = (origin + (bounds >> 32), origin + (bounds & END));
        if page < end { Some((start..end, entry?)) } else { None }
    }

    /// Cuts `range`, which is to be free, out of the entries below and from `index` on of a prepared narrow leaf.
    #[inline(always)]
    pub(crate) fn cut_out(self, index: usize, range: &Range<u64>) {
        let body = self.narrow();
        if index > 0 && self.range(index - 1).end > range.start {
            let kept = body.bounds(index - 1) & !END | (range.start - body.base);
            body.bounds[index - 1].store(kept, Ordering::Relaxed);
        }
        if index < self.count() && self.range(index).start < range.end {
            let kept = (range.end - body.base) << 32 | body.bounds(index) & END;
            body.bounds[index].store(kept, Ordering::Relaxed);
        }
    }
}

impl<'m, T> Packed<'m, T> {
    /// Bounds of entry `index`, which is below the count.
    #[inline(always)]
    pub(super) fn bounds(&self, index: usize) -> u64 {
        debug_assert!(index < NARROW);
        // SAFETY: the count is at most NARROW.
        let bounds = unsafe { self.bounds.get_unchecked(index) };
        stats::touch(bounds);
        bounds.load(Ordering::Acquire)
    }

    /// Range of entry `index`, which is below the count.
    #[inline(always)]
    pub(super) fn range<O: Origin>(&self, index: usize) -> Range<u64> {
        let (origin, bounds) = (O::of(self.base), self.bounds(index));
        origin.page(bounds >> 32)..origin.page(bounds & END)
    }

    /// Value of entry `index`, which is below the count. To be read after its bounds: who finds those that
    /// [`Leaf::vacate`] has written finds no value.
    #[inline(always)]
    pub(super) fn entry(&self, index: usize) -> Option<&'m T> {
        debug_assert!(index < NARROW);
        // SAFETY: the count is at most NARROW.
        let entry = unsafe { self.entries.get_unchecked(index) };
        stats::touch(entry);
        // SAFETY: null or made of a `&'m T`.
        unsafe { entry.load(Ordering::Relaxed).as_ref() }
    }

    /// Empties the bounds of entry `index`, which is below the count, at the relative page `at`.
    #[inline(always)]
    pub(super) fn empty(&self, index: usize, at: u64) {
        // SAFETY: the count is at most NARROW.
        unsafe { self.bounds.get_unchecked(index) }.store(at << 32 | at, Ordering::Release);
    }

    /// Whether entry `index` is vacant; for the writer.
    #[inline(always)]
    pub(super) fn is_vacant(&self, index: usize) -> bool {
        let bounds = self.bounds(index);
        bounds >> 32 == bounds & END
    }

    /// Number of entries that start at or below `page`.
    #[inline(always)]
    pub(super) fn search<O: Origin>(&self, page: u64) -> usize {
        O::of(self.base).key(page).map_or(0, |key| self.search_near(key))
    }

    /// Number of entries that start at or below `key`, relative to the base and below `END`.
    #[inline(always)]
    pub(super) fn search_near(&self, key: u64) -> usize {
        count_le::<NARROW>(|index| self.bounds(index), ((key + 1) << 32) - 1)
    }
}

impl<T> Wide<'_, T> {
    #[inline(always)]
    fn search(&self, page: u64) -> usize {
        stats::touch(&self.starts);
        self.starts.iter().fold(0, |below, start| below + usize::from(*start <= page))
    }
}

/// A value as leaves keep it.
#[inline(always)]
pub(super) fn into_raw<T>(entry: Option<&T>) -> *mut T {
    entry.map_or(core::ptr::null_mut(), |entry| core::ptr::from_ref(entry).cast_mut())
}

/// Pages as an inner node's gap keeps them: anything from `u32::MAX` on is `u32::MAX`.
#[inline(always)]
pub(crate) fn saturate(pages: u64) -> u32 {
    u32::try_from(pages).unwrap_or(u32::MAX)
}
