//! Inner nodes.

use core::{marker::PhantomData, ops::Range, ptr::NonNull};

use super::{Head, INNER, Link, Node, count_le, visited};
use crate::{
    geometry::FANOUT,
    stats,
    sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

#[repr(C, align(256))]
pub(super) struct Body<'m, T> {
    pub(super) head: Head,
    /// Where each child begins, and where the last one ends; `u64::MAX` when unused. Written by the writer, read by anyone.
    pub(super) keys: [AtomicU64; FANOUT + 1],
    /// Never null below the count. Written by the writer, read by anyone.
    pub(super) children: [AtomicPtr<Node>; FANOUT],
    /// Largest free area below each child, in pages, `u32::MAX` for anything larger. Written by the writer, read
    /// under the token.
    pub(super) gaps: [AtomicU32; FANOUT],
    values: PhantomData<&'m T>,
}

/// A child with what its parent knows of it.
pub(crate) struct Child<'m, T> {
    /// Where the child begins: the first start below it (0 for the leftmost child of the tree).
    pub(crate) key: u64,
    pub(crate) link: Link<'m, T>,
    /// Largest free area below the child, saturating.
    pub(crate) gap: u32,
}

impl<T> Clone for Child<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Child<'_, T> {}

/// Handle of an inner node; see the contract of the module.
pub(crate) struct Inner<'m, T> {
    body: NonNull<Body<'m, T>>,
}

impl<T> Clone for Inner<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Inner<'_, T> {}
impl<T> PartialEq for Inner<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

// SAFETY: as for `Link`.
unsafe impl<T: Sync> Send for Inner<'_, T> {}
// SAFETY: as for `Link`.
unsafe impl<T: Sync> Sync for Inner<'_, T> {}

impl<'m, T> Inner<'m, T> {
    #[inline(always)]
    pub(super) fn at(link: Link<'m, T>) -> Self {
        debug_assert!(link.tag() == INNER);
        Self { body: link.tagged.cast() }
    }

    #[inline(always)]
    pub(super) fn body(&self) -> &Body<'m, T> {
        // SAFETY: the node is in use (contract of the module) and was built as an inner node (the tag said so).
        let body = unsafe { self.body.as_ref() };
        visited(&body.head);
        body
    }

    #[inline(always)]
    pub(crate) fn link(self) -> Link<'m, T> {
        Link::new(self.body.cast(), INNER)
    }

    /// What a parent knows of it.
    pub(crate) fn as_child(self) -> Child<'m, T> {
        Child { key: self.key(0), link: self.link(), gap: self.max_gap() }
    }

    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        self.body().head.count()
    }

    /// Index of the child that covers `page`.
    #[inline(always)]
    pub(crate) fn search(self, page: u64) -> usize {
        stats::visit();
        let body = self.body();
        count_le::<{ FANOUT - 1 }>(
            |i| {
                // SAFETY: `count_le` asks for indexes below its `N` only.
                let key = unsafe { body.keys.get_unchecked(i + 1) };
                stats::touch(key);
                key.load(Ordering::Acquire)
            },
            page,
        )
    }

    /// Where child `index` begins, which is where the one before ends.
    #[inline(always)]
    pub(crate) fn key(self, index: usize) -> u64 {
        debug_assert!(index <= self.count());
        // SAFETY: the count is at most FANOUT.
        let key = unsafe { self.body().keys.get_unchecked(index) };
        stats::touch(key);
        key.load(Ordering::Acquire)
    }

    /// Bounds of child `index`.
    #[inline(always)]
    pub(crate) fn bounds(self, index: usize) -> Range<u64> {
        self.key(index)..self.key(index + 1)
    }

    #[inline(always)]
    pub(crate) fn child(self, index: usize) -> Link<'m, T> {
        debug_assert!(index < self.count());
        // SAFETY: the count is at most FANOUT.
        let child = unsafe { self.body().children.get_unchecked(index) };
        stats::touch(child);
        let raw = child.load(Ordering::Acquire);
        // SAFETY: children below the count are never null, and a search never leads beyond the count, because the node's end
        // and unused keys are above every page that is searched here.
        Link { tagged: unsafe { NonNull::new_unchecked(raw) }, values: PhantomData }
    }

    #[inline(always)]
    fn gap_at(&self, index: usize) -> &AtomicU32 {
        debug_assert!(index < self.count());
        // SAFETY: the count is at most FANOUT.
        unsafe { self.body().gaps.get_unchecked(index) }
    }

    #[inline(always)]
    pub(crate) fn gap(self, index: usize) -> u32 {
        let gap = self.gap_at(index);
        stats::touch(gap);
        gap.load(Ordering::Relaxed)
    }

    /// First child from `index` on with a gap of at least `need` (above 0; unused gaps are 0).
    #[inline]
    pub(crate) fn gap_from(self, index: usize, need: u32) -> Option<usize> {
        let gaps = &self.body().gaps;
        stats::touch(gaps);
        let fits = |gap: &AtomicU32| gap.load(Ordering::Relaxed) >= need;
        if index == 0 {
            // The most frequent: a loop of known length is unrolled.
            for (at, gap) in gaps.iter().enumerate() {
                if fits(gap) {
                    return Some(at);
                }
            }
            return None;
        }
        let mut at = index;
        while at < FANOUT {
            if fits(&gaps[at]) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// Last child below `index` with a gap of at least `need`.
    #[inline]
    pub(crate) fn gap_below(self, index: usize, need: u32) -> Option<usize> {
        let gaps = &self.body().gaps;
        stats::touch(gaps);
        gaps.get(..index)?.iter().rposition(|gap| gap.load(Ordering::Relaxed) >= need)
    }

    /// Largest gap of all children.
    pub(crate) fn max_gap(self) -> u32 {
        let body = self.body();
        stats::touch(&body.gaps);
        body.gaps.iter().fold(0, |max, gap| max.max(gap.load(Ordering::Relaxed)))
    }

    /// Replaces child `index` by one that covers the same range: the store becomes visible here.
    #[inline(always)]
    pub(crate) fn set_child(self, index: usize, link: Link<'m, T>) {
        debug_assert!(index < self.count());
        // SAFETY: the count is at most FANOUT.
        unsafe { self.body().children.get_unchecked(index) }.store(link.into_raw(), Ordering::Release);
    }

    /// Raises key `index` over free space: a search on either side finds the same nothing.
    pub(crate) fn raise_key(self, index: usize, start: u64) {
        self.body().keys[index].store(start, Ordering::Release);
    }

    /// For the check: whether all keys behind the node's end are unused.
    pub(crate) fn ends_with_its_count(self) -> bool {
        self.body().keys.iter().skip(self.count() + 1).all(|key| key.load(Ordering::Relaxed) == u64::MAX)
    }

    #[inline(always)]
    pub(crate) fn set_gap(self, index: usize, gap: u32) {
        self.gap_at(index).store(gap, Ordering::Relaxed);
    }
}
