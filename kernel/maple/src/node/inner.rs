//! Inner nodes.

use core::{marker::PhantomData, ptr::NonNull};

use super::{Chain, Head, INNER, Link, Node, count_le, visited};
use crate::{
    geometry::FANOUT,
    stats,
    sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

#[repr(C, align(256))]
pub(super) struct Body<'m, T> {
    head: Head,
    /// First start below each child but the first; `u64::MAX` when unused. Written by the writer, read by anyone.
    separators: [AtomicU64; FANOUT - 1],
    /// Never null below the count. Written by the writer, read by anyone.
    children: [AtomicPtr<Node>; FANOUT],
    /// Largest free area below each child, in pages, `u32::MAX` for anything larger. Written by the writer, read
    /// under the token.
    gaps: [AtomicU32; FANOUT],
    values: PhantomData<&'m T>,
}

/// A child with what its parent knows of it.
pub(crate) struct Child<'m, T> {
    /// First start below the child (0 for the leftmost child of the tree).
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

    /// Builds a node of `children` in `memory`, put in front of `chain`. Only the writer links it.
    pub(crate) fn build(memory: &'static mut Node, chain: &mut Chain, children: &[Child<'m, T>]) -> Self {
        let node = NonNull::from(memory);
        let body = node.cast::<Body<'m, T>>();
        let children = &children[..children.len().min(FANOUT)];
        let new = body.as_ptr();
        // SAFETY: the memory is exclusively ours, large enough and aligned (`Node` is the union of the bodies). Indexes are
        // below FANOUT, and those of separators below FANOUT - 1. Every field is written before anyone reads it.
        unsafe {
            (&raw mut (*new).head).write(Head::on_chain(children.len(), chain, node));
            let separators = (&raw mut (*new).separators).cast::<AtomicU64>();
            let links = (&raw mut (*new).children).cast::<AtomicPtr<Node>>();
            let gaps = (&raw mut (*new).gaps).cast::<AtomicU32>();
            for (index, child) in children.iter().enumerate() {
                if index > 0 {
                    separators.add(index - 1).write(AtomicU64::new(child.key));
                }
                links.add(index).write(AtomicPtr::new(child.link.into_raw()));
                gaps.add(index).write(AtomicU32::new(child.gap));
            }
            for unused in children.len()..FANOUT {
                separators.add(unused - 1).write(AtomicU64::new(u64::MAX));
                links.add(unused).write(AtomicPtr::new(core::ptr::null_mut()));
                gaps.add(unused).write(AtomicU32::new(0));
            }
        }
        Self { body }
    }

    #[inline(always)]
    fn body(&self) -> &Body<'m, T> {
        // SAFETY: the node is in use (contract of the module) and was built as an inner node (the tag said so).
        let body = unsafe { self.body.as_ref() };
        visited(&body.head);
        body
    }

    #[inline(always)]
    pub(crate) fn link(self) -> Link<'m, T> {
        Link::new(self.body.cast(), INNER)
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
                let separator = unsafe { body.separators.get_unchecked(i) };
                stats::touch(separator);
                separator.load(Ordering::Acquire)
            },
            page,
        )
    }

    /// First start below child `index + 1`; `u64::MAX` if there is no such child.
    #[inline(always)]
    pub(crate) fn separator(self, index: usize) -> u64 {
        let separator = &self.body().separators[index];
        stats::touch(separator);
        separator.load(Ordering::Acquire)
    }

    /// Exclusive end of child `index`, in a node that ends at `high`.
    #[inline(always)]
    pub(crate) fn end_of(self, index: usize, high: u64) -> u64 {
        if index < FANOUT - 1 { self.separator(index).min(high) } else { high }
    }

    #[inline(always)]
    pub(crate) fn child(self, index: usize) -> Link<'m, T> {
        debug_assert!(index < self.count());
        // SAFETY: the count is at most FANOUT.
        let child = unsafe { self.body().children.get_unchecked(index) };
        stats::touch(child);
        let raw = child.load(Ordering::Acquire);
        // SAFETY: children below the count are never null, and a search never leads beyond the count, because unused
        // separators are above every page.
        Link { tagged: unsafe { NonNull::new_unchecked(raw) }, values: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn gap(self, index: usize) -> u32 {
        stats::touch(&self.body().gaps[index]);
        self.body().gaps[index].load(Ordering::Relaxed)
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

    /// Child `index` of a node that begins at `low`, with what this node knows of it.
    pub(crate) fn child_item(self, index: usize, low: u64) -> Child<'m, T> {
        let key = if index == 0 { low } else { self.separator(index - 1) };
        Child { key, link: self.child(index), gap: self.gap(index) }
    }

    /// Replaces child `index` by one that covers the same range: the store becomes visible here.
    #[inline(always)]
    pub(crate) fn set_child(self, index: usize, link: Link<'m, T>) {
        self.body().children[index].store(link.into_raw(), Ordering::Release);
    }

    /// Raises the separator below child `index + 1` over free space: a search on either side finds the same nothing.
    pub(crate) fn raise_separator(self, index: usize, start: u64) {
        self.body().separators[index].store(start, Ordering::Release);
    }

    #[inline(always)]
    pub(crate) fn set_gap(self, index: usize, gap: u32) {
        self.body().gaps[index].store(gap, Ordering::Relaxed);
    }
}
