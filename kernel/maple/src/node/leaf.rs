//! Leaves, narrow and wide.

use core::{
    marker::PhantomData,
    ops::{ControlFlow, Range},
    ptr::NonNull,
    slice,
};

use super::{
    COUNT, Chain, Head, Link, NARROW as NARROW_TAG, Node, ONE_VACANT, VACANT, WIDE as WIDE_TAG, count_le,
    visited,
};
use crate::{
    geometry::{BASE_ROUND, NARROW, SPAN, WIDE},
    stats,
    sync::{AtomicPtr, AtomicU64, Ordering},
};

#[repr(C, align(256))]
pub(super) struct Narrow<'m, T> {
    pub(super) head: Head,
    /// Page that the bounds are relative to, a multiple of `BASE_ROUND`.
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
    head: Head,
    /// `u64::MAX` when unused.
    starts: [u64; WIDE],
    ends: [u64; WIDE],
    entries: [Option<&'m T>; WIDE],
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

/// The lower half of a narrow leaf's bounds.
pub(super) const END: u64 = 0xffff_ffff;

/// Base of a narrow leaf that begins at `start`.
pub(super) fn base_for(start: u64) -> u64 {
    start & !(BASE_ROUND - 1)
}

/// Whether a narrow leaf can hold `[start, end)`.
pub(super) fn is_near(start: u64, end: u64) -> bool {
    end - base_for(start) <= SPAN
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

    #[inline(always)]
    pub(super) fn narrow(&self) -> &Narrow<'m, T> {
        // SAFETY: the node is in use (contract of the module) and the tag says narrow. Once linked, only its atomics are written.
        let body = unsafe { &*self.0.into_raw().wrapping_byte_sub(NARROW_TAG).cast::<Narrow<'m, T>>() };
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
        if self.is_narrow() { self.narrow().head.is_dead() } else { self.wide().head.is_dead() }
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

    /// Makes an entry of a narrow leaf vacant, which is not its first: the store becomes visible here. `spot` says where, and
    /// that the leaf can have one more vacant entry.
    #[inline(always)]
    pub(crate) fn vacate(self, index: usize) {
        debug_assert!(self.is_narrow() && index > 0 && index < self.count());
        let body = self.narrow();
        let below = body.bounds(index - 1) & END;
        // SAFETY: the count is at most NARROW.
        unsafe { body.entries.get_unchecked(index) }.store(core::ptr::null_mut(), Ordering::Relaxed);
        // Who finds these bounds finds no value.
        body.empty(index, below);
        let meta = body.head.meta.load(Ordering::Relaxed);
        body.head.meta.store(meta.map_addr(|a| a + ONE_VACANT), Ordering::Relaxed);
        if meta.addr() & VACANT != 0 {
            // Those right above follow.
            let above = index + 1..meta.addr() & COUNT;
            for index in above.take_while(|index| body.is_vacant(*index)) {
                body.empty(index, below);
            }
        }
    }

    /// Range and value of entry `index`, which is below the count.
    #[inline(always)]
    pub(crate) fn item(self, index: usize) -> Item<'m, T> {
        debug_assert!(index < self.count());
        if self.is_narrow() {
            let body = self.narrow();
            let (bounds, entry) = (body.bounds(index), body.entry(index));
            Item { start: body.base + (bounds >> 32), end: body.base + (bounds & END), entry }
        } else {
            let body = self.wide();
            stats::touch(&body.starts[index]);
            stats::touch(&body.entries[index]);
            Item { start: body.starts[index], end: body.ends[index], entry: body.entries[index] }
        }
    }

    /// Range of entry `index`, without a look at its value.
    #[inline(always)]
    pub(crate) fn range(self, index: usize) -> Range<u64> {
        debug_assert!(index < self.count());
        if !self.is_narrow() {
            let item = self.item(index);
            return item.start..item.end;
        }
        let body = self.narrow();
        let bounds = body.bounds(index);
        body.base + (bounds >> 32)..body.base + (bounds & END)
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
        if from < to && self.is_narrow() && !self.has_vacant() && !cfg!(loom) {
            let entries = &self.narrow().entries;
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
        if self.is_narrow() { self.narrow().search(page) } else { self.wide().search(page) }
    }

    /// The entry that covers `page`.
    #[inline(always)]
    pub(crate) fn get(self, page: u64) -> Option<(Range<u64>, &'m T)> {
        let item = self.item(self.search(page).checked_sub(1)?);
        if page < item.end { Some((item.start..item.end, item.entry?)) } else { None }
    }

    /// Largest free area between `low` (the first start, except in the tree's first leaf) and `high`, saturating.
    pub(crate) fn gap(self, low: u64, high: u64) -> u32 {
        if self.is_narrow() {
            return self.narrow().gap(self.count(), low, high);
        }
        let (mut end, mut max) = (low, 0);
        for index in 0..self.count() {
            let range = self.range(index);
            max = max.max(range.start - end);
            end = range.end;
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
            for index in index..count {
                let entry = self.range(index);
                if entry.start >= free + pages {
                    return Some(free);
                }
                free = entry.end;
            }
        }
        (high >= free + pages).then_some(free)
    }

    /// Builds a leaf of `items` (that fit) in `memory`, put in front of `chain`. Only the writer links it.
    pub(crate) fn build(memory: &'static mut Node, chain: &mut Chain, items: &[Item<'m, T>]) -> Self {
        let node = NonNull::from(memory);
        let head = Head::on_chain(items.len(), chain, node);
        let (first, last) = (&items[0], &items[items.len() - 1]);
        if is_near(first.start, last.end) {
            let base = base_for(first.start);
            let new = node.cast::<Narrow<'m, T>>().as_ptr();
            let items = &items[..items.len().min(NARROW)];
            // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies); indexes
            // are below NARROW. Every field is written before anyone reads it.
            unsafe {
                (&raw mut (*new).head).write(head);
                (&raw mut (*new).base).write(base);
                let bounds = (&raw mut (*new).bounds).cast::<AtomicU64>();
                let entries = (&raw mut (*new).entries).cast::<AtomicPtr<T>>();
                for (index, item) in items.iter().enumerate() {
                    bounds.add(index).write(AtomicU64::new(((item.start - base) << 32) | (item.end - base)));
                    entries.add(index).write(AtomicPtr::new(into_raw(item.entry)));
                }
                for unused in items.len()..NARROW {
                    bounds.add(unused).write(AtomicU64::new(u64::MAX));
                    entries.add(unused).write(AtomicPtr::new(core::ptr::null_mut()));
                }
            }
            Self(Link::new(node, NARROW_TAG))
        } else {
            let body = Wide {
                head,
                starts: core::array::from_fn(|i| items.get(i).map_or(u64::MAX, |item| item.start)),
                ends: core::array::from_fn(|i| items.get(i).map_or(u64::MAX, |item| item.end)),
                entries: core::array::from_fn(|i| items.get(i).and_then(|item| item.entry)),
            };
            // SAFETY: as above.
            unsafe { node.cast::<Wide<'m, T>>().write(body) };
            Self(Link::new(node, WIDE_TAG))
        }
    }

    /// Whether nothing is stored in `range`, which ends inside the leaf.
    pub(crate) fn is_free(self, range: &Range<u64>) -> bool {
        let below = self.search(range.start);
        let before = below == 0 || self.range(below - 1).end <= range.start;
        before && (below == self.count() || self.range(below).start >= range.end)
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

    /// Brings the value for the place that a prepared leaf has left open.
    #[inline(always)]
    pub(crate) fn fill(self, index: usize, entry: &'m T) {
        // SAFETY: the leaf is prepared and not linked, so nobody else reads it; index is below its count; the tag says
        // which body it has.
        unsafe {
            if self.is_narrow() {
                let body = self.0.into_raw().wrapping_byte_sub(NARROW_TAG).cast::<Narrow<'m, T>>();
                let entries = (&raw mut (*body).entries).cast::<AtomicPtr<T>>();
                entries.add(index).write(AtomicPtr::new(into_raw(Some(entry))));
            } else {
                let body = self.0.into_raw().wrapping_byte_sub(WIDE_TAG).cast::<Wide<'m, T>>();
                (&raw mut (*body).entries).cast::<Option<&'m T>>().add(index).write(Some(entry));
            }
        }
    }
}

impl<'m, T> Narrow<'m, T> {
    /// Bounds of entry `index`, which is below the count.
    #[inline(always)]
    pub(super) fn bounds(&self, index: usize) -> u64 {
        debug_assert!(index < NARROW);
        // SAFETY: the count is at most NARROW.
        let bounds = unsafe { self.bounds.get_unchecked(index) };
        stats::touch(bounds);
        bounds.load(Ordering::Acquire)
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
    fn empty(&self, index: usize, at: u64) {
        // SAFETY: the count is at most NARROW.
        unsafe { self.bounds.get_unchecked(index) }.store(at << 32 | at, Ordering::Release);
    }

    /// Whether entry `index` is vacant; for the writer.
    #[inline(always)]
    pub(super) fn is_vacant(&self, index: usize) -> bool {
        let bounds = self.bounds(index);
        bounds >> 32 == bounds & END
    }

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

    #[inline(always)]
    pub(super) fn search(&self, page: u64) -> usize {
        // Below the base nothing starts; an end is at most SPAN, so a page beyond it is behind every entry.
        let Some(relative) = page.checked_sub(self.base) else { return 0 };
        self.search_near(relative.min(END - 1))
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
