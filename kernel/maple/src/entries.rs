//! How a cursor steps from entry to entry.

use core::ops::ControlFlow;

use crate::{
    geometry::LIMIT,
    node::{Found, Item, Kind, Leaf, One, Origin, Two},
    place::Place,
    source::NodeSource,
    tree::{Token, Tree, Witness},
};

impl<'m, T> Place<'m, T> {
    /// Steps to the next entry, if that starts below the `limit`. Without one the cursor stays.
    #[inline(always)]
    pub(crate) fn next<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: Option<u64>,
    ) -> Found<'m, T> {
        // Most leaves are narrow.
        if let Some(leaf) = Leaf::if_narrow(self.leaf) {
            if let ControlFlow::Break(next) = self.next_in::<One, S, W>(tree, leaf, limit) {
                return next;
            }
            let entry = self.next_elsewhere::<S, W>(tree, limit.unwrap_or(LIMIT))?;
            return Some((self.page..self.end, entry));
        }
        let entry = self.next_from_other::<S, W>(tree, limit.unwrap_or(LIMIT))?;
        Some((self.page..self.end, entry))
    }

    /// Steps to the next entry where the leaf at hand is not narrow, and notes its bounds.
    #[inline(never)]
    fn next_from_other<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<&'m T> {
        let Some(leaf) = Leaf::if_twin(self.leaf) else { return self.next_elsewhere::<S, W>(tree, limit) };
        let ControlFlow::Break(next) = self.next_in::<Two, S, W>(tree, leaf, Some(limit)) else {
            return self.next_elsewhere::<S, W>(tree, limit);
        };
        let (range, entry) = next?;
        (self.page, self.end) = (range.start, range.end);
        Some(entry)
    }

    /// Steps inside of `leaf`, which is at hand, if it goes on there.
    #[inline(always)]
    fn next_in<O: Origin, S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        leaf: Leaf<'m, T>,
        limit: Option<u64>,
    ) -> ControlFlow<Found<'m, T>> {
        // Rounded up: a slot is never the largest number.
        let mut index = (self.slot + 1) >> 1;
        if W::CONCURRENT && tree.is_replaced(leaf) {
            return ControlFlow::Continue(());
        }
        while index < self.count {
            let item = leaf.item_in::<O>(index as usize);
            if limit.is_some_and(|limit| item.start >= limit) {
                return ControlFlow::Break(None);
            }
            let found = item.found();
            if found.is_some() {
                self.stand::<S, W>(index, &item);
                return ControlFlow::Break(found);
            }
            // Vacant.
            index += 1;
        }
        ControlFlow::Continue(())
    }

    /// Steps to the next entry wherever it is, and notes its bounds.
    #[inline(never)]
    fn next_elsewhere<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<&'m T> {
        self.settle();
        if !self.is_stale::<S, W>(tree)
            && let Some((index, item)) = self.first_from(self.slot.div_ceil(2))
        {
            return if item.start < limit { self.arrive(index, &item) } else { None };
        }
        if !W::CONCURRENT {
            // The next leaf begins with an entry.
            if self.high >= limit || !self.step_after::<S, W>(tree, self.high) {
                return None;
            }
            return self.arrive(0, &self.leaf?.item(0));
        }
        let first = self.first_of_next::<S, W>(tree, limit);
        if first.is_some() { first } else { self.next_beyond::<S, W>(tree, limit) }
    }

    /// The general step under a guard, from the last entry of a leaf or from a replaced leaf.
    #[inline(never)]
    fn next_beyond<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<&'m T> {
        let mut at = *self;
        loop {
            let is_stale = at.is_stale::<S, W>(tree);
            let end = if is_stale { at.end } else { at.leaf_end::<S, W>() };
            if end >= limit {
                return None;
            }
            if is_stale {
                at.walk_to::<S, W>(tree, end)?;
            } else if !at.step_after::<S, W>(tree, end) {
                return None;
            }
            if let Some((index, item)) = at.first_from(at.slot / 2) {
                if item.start >= limit {
                    return None;
                }
                *self = at;
                return self.arrive(index, &item);
            }
        }
    }

    /// Stands on entry `index`, which is `item`, and notes its bounds.
    #[inline(always)]
    pub(crate) fn arrive(&mut self, index: u32, item: &Item<'m, T>) -> Option<&'m T> {
        self.slot = 2 * index + 1;
        (self.page, self.end) = (item.start, item.end);
        item.entry
    }

    /// Steps from the last entry of a leaf to the first of the next child of the same parent, if that begins where the leaf
    /// at hand ends or behind, and below `limit`: what [`next_beyond`](Self::next_beyond) finds, for the most frequent step
    /// under a guard.
    #[inline(always)]
    fn first_of_next<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<&'m T> {
        let (old, parent) = (self.leaf?, self.parent?);
        let index = self.index as usize + 1;
        // Most leaves are narrow.
        if index >= parent.count() || !old.is_narrow() || W::CONCURRENT && tree.is_replaced(old) {
            return None;
        }
        let link = parent.child(index);
        let high = parent.key(index + 1);
        tree.pause::<W>();
        let Kind::Leaf(leaf) = link.kind() else { return None };
        if tree.is_stale::<W>(parent.link()) {
            return None;
        }
        if !leaf.is_narrow() {
            return None;
        }
        crate::stats::visit();
        let item = leaf.item(0);
        // Bounds may be older than the leaf.
        let page = self.high.max(self.end).max(old.item(self.count as usize - 1).end);
        if item.start < page || item.start >= limit || item.entry.is_none() {
            return None;
        }
        self.leaf = Some(leaf);
        (self.low, self.high) = (page, high.max(page));
        self.index += 1;
        self.count = leaf.count() as u32;
        self.arrive(0, &item)
    }

    /// Steps to the entry before. Without one the cursor stays.
    #[inline]
    pub(crate) fn prev<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Found<'m, T> {
        if !self.is_stale::<S, W>(tree) {
            let mut index = (self.slot / 2).wrapping_sub(1);
            while index < self.count {
                let item = self.leaf?.item(index as usize);
                let found = item.found();
                if found.is_some() {
                    self.stand::<S, W>(index, &item);
                    return found;
                }
                // Vacant.
                index = index.wrapping_sub(1);
            }
        }
        let entry = self.prev_elsewhere::<S, W>(tree)?;
        Some((self.page..self.end, entry))
    }

    /// Steps to the entry before wherever it is, and notes its bounds.
    #[inline(never)]
    fn prev_elsewhere<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<&'m T> {
        self.settle();
        if !self.is_stale::<S, W>(tree)
            && let Some((index, item)) = self.last_below(self.slot / 2)
        {
            return self.arrive(index, &item);
        }
        if !W::CONCURRENT {
            if self.low == 0 || !self.step_before::<S, W>(tree) {
                return None;
            }
            let (index, item) = self.last_below(self.count)?;
            return self.arrive(index, &item);
        }
        let mut at = *self;
        loop {
            if at.is_stale::<S, W>(tree) {
                at.walk_to::<S, W>(tree, at.page.checked_sub(1)?)?;
            } else if !at.step_before::<S, W>(tree) {
                return None;
            }
            if let Some((index, item)) = at.last_below(at.slot.div_ceil(2)) {
                *self = at;
                return self.arrive(index, &item);
            }
        }
    }

    /// Calls `visit` for the values of the entries behind the slot here that start below `limit`, in ascending order and as many
    /// as one leaf has at once, until it breaks. The cursor then stands on the last that was visited; or stays. For a tree
    /// that nobody writes.
    #[inline(always)]
    pub(crate) fn visit_below<S: NodeSource, B>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
        mut visit: impl FnMut(&[&'m T]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.settle();
        let mut from = self.slot.div_ceil(2);
        loop {
            let Some(leaf) = self.leaf else { return ControlFlow::Continue(()) };
            let is_last = self.high >= limit;
            let to = if is_last { self.starts_below(from, limit) } else { self.count };
            // Each leaf that the cursor moves on to begins with an entry that it visits.
            if from < to {
                let flow = leaf.visit(from as usize, to as usize, &mut visit);
                if (is_last || flow.is_break())
                    && let Some((last, _)) = self.last_below(to)
                    && last >= from
                {
                    self.slot = 2 * last + 1;
                }
                flow?;
            }
            if is_last {
                return ControlFlow::Continue(());
            }
            self.step_after::<S, Token<'m, T, S>>(tree, self.high);
            from = 0;
        }
    }

    /// Number of entries that start below `limit`; as many as `from` do so.
    #[inline(always)]
    fn starts_below(&self, from: u32, limit: u64) -> u32 {
        let mut at = from;
        while at < self.count && self.leaf.is_some_and(|leaf| leaf.range(at as usize).start < limit) {
            at += 1;
        }
        at
    }
}
