//! Free-area search: the gaps in inner nodes say which children are worth a visit.

use core::ops::Range;

use crate::{
    geometry::{LEVELS, LIMIT},
    node::{Buffer, Inner, Kind, Leaf, saturate},
    place::Place,
    source::NodeSource,
    tree::Tree,
};

/// An inner node on the way, and the child that was visited last.
struct Level<'m, T> {
    inner: Inner<'m, T>,
    index: usize,
}

impl<T> Clone for Level<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Level<'_, T> {}

/// See [`Tree::find_area`].
pub(crate) fn lowest<T, S: NodeSource>(tree: &Tree<'_, T, S>, window: Range<u64>, pages: u64) -> Option<u64> {
    let window = usable(window, pages)?;
    let need = saturate(pages);
    let mut stack: Buffer<Level<'_, T>, LEVELS> = Buffer::new();
    let Some(mut link) = tree.root() else { return Some(window.start) };
    let mut bounds = 0..LIMIT;
    loop {
        match link.kind() {
            Kind::Leaf(leaf) => {
                if let Some(found) = lowest_in(leaf, &bounds, &window, pages) {
                    return (found + pages <= window.end).then_some(found);
                }
            }
            Kind::Inner(inner) => {
                let index = if bounds.start < window.start { inner.search(window.start) } else { 0 };
                // One below the first to look at.
                stack.push(Level { inner, index: index.wrapping_sub(1) });
            }
        }
        loop {
            let level = stack.last_mut()?;
            let first = level.index.wrapping_add(1);
            let next = level.inner.gap_from(first, need);
            if let Some(index) = next {
                level.index = index;
                bounds = level.inner.bounds(index);
                if bounds.start >= window.end {
                    return None;
                }
                link = level.inner.child(index);
                break;
            }
            stack.pop();
        }
    }
}

/// See [`Tree::find_area_rev`]. Gives the gap, too.
#[inline]
pub(crate) fn highest<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    window: Range<u64>,
    pages: u64,
) -> Option<(u64, Place<'m, T>)> {
    let window = usable(window, pages)?;
    let need = saturate(pages);
    let mut stack: Buffer<Level<'_, T>, LEVELS> = Buffer::new();
    let Some(mut link) = tree.root() else { return Some((window.end - pages, Place::EMPTY)) };
    let mut bounds = 0..LIMIT;
    loop {
        match link.kind() {
            Kind::Leaf(leaf) => {
                if let Some((start, slot)) = highest_in(leaf, &bounds, &window, pages) {
                    let parent = stack.last_mut().map(|level| (level.inner, level.index));
                    let place = Place::in_quiet_slot(leaf, parent, bounds, slot);
                    return (start >= window.start).then_some((start, place));
                }
            }
            Kind::Inner(inner) => {
                let last = if window.end < bounds.end { inner.search(window.end) } else { inner.count() - 1 };
                // One above the first to look at.
                stack.push(Level { inner, index: last + 1 });
            }
        }
        loop {
            let level = stack.last_mut()?;
            let next = level.inner.gap_below(level.index, need);
            if let Some(index) = next {
                level.index = index;
                bounds = level.inner.bounds(index);
                if bounds.end <= window.start {
                    return None;
                }
                link = level.inner.child(index);
                break;
            }
            stack.pop();
        }
    }
}

/// The part of the window inside the tree, if `pages` fit.
#[inline]
fn usable(window: Range<u64>, pages: u64) -> Option<Range<u64>> {
    let end = window.end.min(LIMIT);
    let room = end.checked_sub(window.start)?;
    (pages > 0 && pages <= room).then_some(window.start..end)
}

/// Lowest free place in `leaf`, at or above the window's start.
fn lowest_in<T>(leaf: Leaf<'_, T>, bounds: &Range<u64>, window: &Range<u64>, pages: u64) -> Option<u64> {
    let (mut free, mut first) = (bounds.start, 0);
    if bounds.start < window.start {
        free = window.start;
        first = leaf.search(window.start);
        if first > 0 {
            free = free.max(leaf.range(first - 1).end);
        }
    } else {
        crate::stats::visit();
    }
    leaf.lowest_free(first, free, bounds.end, pages)
}

/// Highest free place in `leaf`, at or below the window's end, and the slot that it is in.
fn highest_in<T>(
    leaf: Leaf<'_, T>,
    bounds: &Range<u64>,
    window: &Range<u64>,
    pages: u64,
) -> Option<(u64, usize)> {
    let (mut free, mut count) = (bounds.end, leaf.count());
    if window.end < bounds.end {
        free = window.end;
        count = leaf.search(window.end - 1);
    } else {
        crate::stats::visit();
    }
    let (start, above) = leaf.highest_free(count, free, bounds.start, pages)?;
    Some((start, 2 * above))
}
