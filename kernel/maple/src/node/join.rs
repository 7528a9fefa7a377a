//! A new node out of two runs of old ones with something new between: what a split leaves of one node, and what an erase leaves
//! of two.

use core::{
    ops::Range,
    ptr::{self, NonNull},
};

use super::{
    Chain, Child, Head, INNER, Inner, Leaf, Link, Node,
    inner::Body,
    leaf::Packed,
    origin::{END, One, Origin, Two, base_for},
};
use crate::{
    geometry::{FANOUT, NARROW},
    sync::{AtomicPtr, AtomicU32, AtomicU64, copy},
};

/// Entries `from` to `to` of a packed leaf.
pub(crate) struct Run<'m, T> {
    leaf: Leaf<'m, T>,
    from: usize,
    to: usize,
    /// Those that are not vacant.
    live: usize,
}

impl<T> Clone for Run<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Run<'_, T> {}

impl<'m, T> Run<'m, T> {
    /// Entries `from` to `to`, which is at most the count, of a packed leaf.
    #[inline(always)]
    pub(crate) fn of(leaf: Leaf<'m, T>, from: usize, to: usize) -> Self {
        debug_assert!(leaf.is_packed() && from <= to && to <= leaf.count());
        let vacant = |index: &usize| leaf.packed().is_vacant(*index);
        let vacant = if leaf.has_vacant() { (from..to).filter(vacant).count() } else { 0 };
        Self { leaf, from, to, live: to - from - vacant }
    }

    /// Entries that are not vacant.
    #[inline(always)]
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// No entry, of the same leaf.
    #[inline(always)]
    pub(crate) fn none(&self) -> Self {
        Self { from: 0, to: 0, live: 0, ..*self }
    }

    /// Whether leaves of both runs, which are narrow, have the same base.
    #[inline(always)]
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.leaf.narrow().base == other.leaf.narrow().base
    }

    /// Copies the entries that are not vacant to the places from `at` on; gives the place behind.
    ///
    /// # Safety
    /// The places are memory of a new leaf, which has room for them.
    #[inline(always)]
    unsafe fn copy_to(&self, bounds: *mut AtomicU64, entries: *mut AtomicPtr<T>, mut at: usize) -> usize {
        let old = self.leaf.packed();
        let (from, from_entries) = (old.bounds.as_ptr(), old.entries.as_ptr());
        let mut next = self.from;
        // SAFETY: by the caller's promise; the run is inside the old leaf.
        unsafe {
            if self.live != self.to - self.from {
                for index in next..self.to {
                    if !old.is_vacant(index) {
                        copy::<_, 1>(from.add(index), bounds.add(at));
                        copy::<_, 1>(from_entries.add(index), entries.add(at));
                        at += 1;
                    }
                }
                return at;
            }
            while next + 1 < self.to {
                copy::<_, 2>(from.add(next), bounds.add(at));
                copy::<_, 2>(from_entries.add(next), entries.add(at));
                (next, at) = (next + 2, at + 2);
            }
            if next < self.to {
                copy::<_, 1>(from.add(next), bounds.add(at));
                copy::<_, 1>(from_entries.add(next), entries.add(at));
                at += 1;
            }
        }
        at
    }
}

impl<'m, T> Leaf<'m, T> {
    /// Where an entry over `range` (inside the leaf's bounds) goes in a packed leaf, full or not, that reaches so far; `None` if
    /// not all of it is free. Then: the entries below and above it.
    #[inline]
    pub(crate) fn part_around(self, range: &Range<u64>) -> Option<(Run<'m, T>, Run<'m, T>)> {
        let body = self.packed();
        let (start, end) = self.near(range)?;
        let (at, count) = (body.search_near(start), self.count());
        let is_free_below = at == 0 || body.bounds(at - 1) & END <= start;
        let is_free_above = at == count || body.bounds(at) >> 32 >= end;
        (is_free_below && is_free_above).then(|| (Run::of(self, 0, at), Run::of(self, at, count)))
    }

    /// The near bounds of `range` if this packed leaf can hold it.
    #[inline(always)]
    fn near(self, range: &Range<u64>) -> Option<(u64, u64)> {
        let word = self.packed().base;
        if self.is_narrow() { One::of(word).near(range) } else { Two::of(word).near(range) }
    }

    /// Whether a leaf that begins at `start` would be narrow and given the base of this one, which is packed.
    #[inline]
    pub(crate) fn has_base_for(self, start: u64) -> bool {
        self.is_narrow() && self.narrow().base == base_for(start)
    }

    /// Builds a leaf of the kind of `below`'s in `memory`, put in front of `chain`: what is not vacant of `below`, an entry over
    /// `open` whose value comes later, what is not vacant of `above`, whose leaf has the same kind and base. They fit, and
    /// `below` or `open` is not empty.
    pub(crate) fn join<O: Origin>(
        memory: &'static mut Node,
        chain: &mut Chain,
        below: &Run<'m, T>,
        open: Option<&Range<u64>>,
        above: &Run<'m, T>,
    ) -> Self {
        let count = below.live + usize::from(open.is_some()) + above.live;
        assert!(count <= NARROW, "more entries than a leaf holds");
        let word = below.leaf.body::<O>().base;
        let open = open.and_then(|open| O::of(word).near(open));
        let node = NonNull::from(memory);
        let new = node.cast::<Packed<'m, T>>().as_ptr();
        // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies); the runs are not
        // longer than NARROW together. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(Head::on_chain(count, chain, node));
            (&raw mut (*new).base).write(word);
            let bounds = (&raw mut (*new).bounds).cast::<AtomicU64>();
            let entries = (&raw mut (*new).entries).cast::<AtomicPtr<T>>();
            let mut at = below.copy_to(bounds, entries, 0);
            if let Some((start, end)) = open {
                bounds.add(at).write(AtomicU64::new(start << 32 | end));
                entries.add(at).write(AtomicPtr::new(ptr::null_mut()));
                at += 1;
            }
            at = above.copy_to(bounds, entries, at);
            while at < NARROW {
                bounds.add(at).write(AtomicU64::new(u64::MAX));
                entries.add(at).write(AtomicPtr::new(ptr::null_mut()));
                at += 1;
            }
        }
        Self::at(Link::new(node, O::TAG))
    }
}

/// Children `from` to `to` of an inner node.
pub(crate) struct Siblings<'m, T> {
    pub(crate) inner: Inner<'m, T>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl<T> Siblings<'_, T> {
    /// Copies the children to the places from `at` on; gives the place behind.
    ///
    /// # Safety
    /// The places are memory of a new inner node, which has room for them.
    #[inline(always)]
    unsafe fn copy_to(
        &self,
        (keys, links, gaps): (*mut AtomicU64, *mut AtomicPtr<Node>, *mut AtomicU32),
        mut at: usize,
    ) -> usize {
        let body = self.inner.body();
        let from = (body.keys.as_ptr(), body.children.as_ptr(), body.gaps.as_ptr());
        let mut next = self.from;
        // SAFETY: by the caller's promise; the children are the old node's. Only the writer writes that.
        unsafe {
            while next + 1 < self.to {
                copy::<_, 2>(from.0.add(next), keys.add(at));
                copy::<_, 2>(from.1.add(next), links.add(at));
                copy::<_, 2>(from.2.add(next), gaps.add(at));
                (next, at) = (next + 2, at + 2);
            }
            if next < self.to {
                copy::<_, 1>(from.0.add(next), keys.add(at));
                copy::<_, 1>(from.1.add(next), links.add(at));
                copy::<_, 1>(from.2.add(next), gaps.add(at));
                at += 1;
            }
        }
        at
    }
}

impl<'m, T> Inner<'m, T> {
    /// Builds an inner node that ends at `high` in `memory`, put in front of `chain`: the siblings `below`, the `new` children, the
    /// siblings `above`. They fit.
    pub(crate) fn join(
        memory: &'static mut Node,
        chain: &mut Chain,
        below: &Siblings<'m, T>,
        new: &[Child<'m, T>],
        above: &Siblings<'m, T>,
        high: u64,
    ) -> Self {
        let count = (below.to - below.from) + new.len() + (above.to - above.from);
        assert!(
            count <= FANOUT && below.to <= FANOUT && above.to <= FANOUT,
            "more children than a node holds"
        );
        let node = NonNull::from(memory);
        let body = node.cast::<Body<'m, T>>().as_ptr();
        // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies); the children are
        // at most FANOUT, and there is one key more. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*body).head).write(Head::on_chain(count, chain, node));
            let (keys, links, gaps) = (
                (&raw mut (*body).keys).cast::<AtomicU64>(),
                (&raw mut (*body).children).cast::<AtomicPtr<Node>>(),
                (&raw mut (*body).gaps).cast::<AtomicU32>(),
            );
            let mut at = below.copy_to((keys, links, gaps), 0);
            let mut next = 0;
            while next < new.len() {
                let child = &new[next];
                keys.add(at).write(AtomicU64::new(child.key));
                links.add(at).write(AtomicPtr::new(child.link.into_raw()));
                gaps.add(at).write(AtomicU32::new(child.gap));
                (next, at) = (next + 1, at + 1);
            }
            at = above.copy_to((keys, links, gaps), at);
            keys.add(at).write(AtomicU64::new(high));
            while at < FANOUT {
                keys.add(at + 1).write(AtomicU64::new(u64::MAX));
                links.add(at).write(AtomicPtr::new(ptr::null_mut()));
                gaps.add(at).write(AtomicU32::new(0));
                at += 1;
            }
        }
        Self::at(Link::new(node, INNER))
    }
}
