//! How a cursor steps.

use core::ops::{ControlFlow, Range};

use crate::{
    geometry::LIMIT,
    node::{Item, Kind, Leaf},
    place::{Place, UNSETTLED},
    source::NodeSource,
    tree::{Token, Tree, Witness},
};

impl<'m, T> Place<'m, T> {
    /// Steps to the next slot. At the tree's end `None`, and the cursor stays.
    #[inline]
    pub(crate) fn next_range<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Range<u64>> {
        self.settle();
        if self.is_stale::<S, W>(tree) {
            let end = self.range().end;
            return self.walk_to::<S, W>(tree, end);
        }
        let mut slot = self.slot + 1;
        if slot.is_multiple_of(2) {
            // Behind an entry: a gap, perhaps empty.
            let gap = self.range_of(slot);
            if !gap.is_empty() {
                self.slot = slot;
                return Some(gap);
            }
            slot += 1;
        }
        if slot < 2 * self.count {
            self.slot = slot;
            return Some(self.leaf?.range(slot as usize / 2));
        }
        self.step_after::<S, W>(tree, self.end::<S, W>()).then(|| self.range())
    }

    /// Steps to the slot before. At the tree's start `None`, and the cursor stays.
    #[inline]
    pub(crate) fn prev_range<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Range<u64>> {
        self.settle();
        if self.is_stale::<S, W>(tree) {
            let start = self.range().start;
            return self.walk_to::<S, W>(tree, start.checked_sub(1)?);
        }
        let mut left = self.slot;
        if left % 2 == 1 {
            // Above an entry: a gap, perhaps empty.
            left -= 1;
            let gap = self.range_of(left);
            if !gap.is_empty() {
                self.slot = left;
                return Some(gap);
            }
        }
        if left > 0 {
            self.slot = left - 1;
            return Some(self.leaf?.range(left as usize / 2 - 1));
        }
        self.step_before::<S, W>(tree).then(|| self.range())
    }

    /// Steps to the next entry, if that starts below the `limit`. Without one the cursor stays.
    #[inline(always)]
    pub(crate) fn next<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: Option<u64>,
    ) -> Option<Item<'m, T>> {
        match self.leaf {
            // Most leaves are narrow.
            Some(leaf) if leaf.is_narrow() => match self.next_in::<S, W>(tree, leaf, limit) {
                ControlFlow::Break(next) => next,
                ControlFlow::Continue(()) => self.next_elsewhere::<S, W>(tree, limit.unwrap_or(LIMIT)),
            },
            _ => self.next_elsewhere::<S, W>(tree, limit.unwrap_or(LIMIT)),
        }
    }

    /// Steps inside of `leaf`, which is at hand, if it goes on there.
    #[inline(always)]
    fn next_in<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        leaf: Leaf<'m, T>,
        limit: Option<u64>,
    ) -> ControlFlow<Option<Item<'m, T>>> {
        // Rounded up: a slot is never the largest number.
        let index = (self.slot + 1) >> 1;
        if W::CONCURRENT && tree.is_replaced(leaf) || index >= self.count {
            return ControlFlow::Continue(());
        }
        let item = leaf.item(index as usize);
        if limit.is_some_and(|limit| item.start >= limit) {
            return ControlFlow::Break(None);
        }
        self.slot = 2 * index + 1;
        ControlFlow::Break(Some(item))
    }

    #[inline(never)]
    fn next_elsewhere<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<Item<'m, T>> {
        self.settle();
        let leaf = self.leaf?;
        if let ControlFlow::Break(next) = self.next_in::<S, W>(tree, leaf, Some(limit)) {
            return next;
        }
        if !W::CONCURRENT {
            // The next leaf begins with an entry.
            if self.high >= limit || !self.step_after::<S, W>(tree, self.high) {
                return None;
            }
            self.settle();
            return self.entry();
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
    ) -> Option<Item<'m, T>> {
        let mut at = *self;
        loop {
            if at.is_stale::<S, W>(tree) {
                let end = at.range().end;
                if end >= limit {
                    return None;
                }
                at.walk_to::<S, W>(tree, end)?;
            } else {
                let end = at.end::<S, W>();
                if end >= limit || !at.step_after::<S, W>(tree, end) {
                    return None;
                }
            }
            at.settle();
            let index = at.slot as usize / 2;
            if index < at.count as usize {
                let item = at.leaf?.item(index);
                if item.start >= limit {
                    return None;
                }
                at.slot = 2 * index as u32 + 1;
                *self = at;
                return Some(item);
            }
        }
    }

    /// Steps from the last entry of a leaf to the first of the next child of the same parent, if that begins where the leaf
    /// at hand ends or behind, and below `limit`: what [`next_beyond`](Self::next_beyond) finds, for the most frequent step
    /// under a guard.
    #[inline(always)]
    fn first_of_next<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
    ) -> Option<Item<'m, T>> {
        let (old, parent) = (self.leaf?, self.parent?);
        let index = self.index as usize + 1;
        if index >= parent.count() || tree.is_stale::<W>(old.link()) {
            return None;
        }
        let link = parent.child(index);
        let high = parent.key(index + 1);
        tree.pause::<W>();
        let Kind::Leaf(leaf) = link.kind() else { return None };
        if tree.is_stale::<W>(parent.link()) {
            return None;
        }
        crate::stats::visit();
        let item = leaf.item(0);
        // Bounds may be older than the leaf.
        let page = self.high.max(old.item(self.count as usize - 1).end);
        if item.start < page || item.start >= limit {
            return None;
        }
        self.leaf = Some(leaf);
        (self.low, self.high) = (page, high.max(page));
        self.index += 1;
        self.count = leaf.count() as u32;
        self.slot = 1;
        Some(item)
    }

    /// Steps to the entry before. Without one the cursor stays.
    #[inline]
    pub(crate) fn prev<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Item<'m, T>> {
        if !self.is_stale::<S, W>(tree) {
            let index = self.slot / 2;
            if index.wrapping_sub(1) < self.count {
                self.slot = 2 * index - 1;
                return Some(self.leaf?.item(index as usize - 1));
            }
        }
        self.prev_elsewhere::<S, W>(tree)
    }

    #[inline(never)]
    fn prev_elsewhere<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Item<'m, T>> {
        if self.slot == UNSETTLED {
            self.settle();
            return self.prev::<S, W>(tree);
        }
        if !W::CONCURRENT {
            if !self.has_entry_before() || !self.step_before::<S, W>(tree) {
                return None;
            }
            // The leaf ends with an entry and perhaps a gap.
            self.slot = 2 * self.count - 1;
            return self.entry();
        }
        let mut at = *self;
        loop {
            if at.is_stale::<S, W>(tree) {
                let start = at.range().start;
                at.walk_to::<S, W>(tree, start.checked_sub(1)?)?;
            } else if !at.step_before::<S, W>(tree) {
                return None;
            }
            at.settle();
            let index = at.slot.div_ceil(2);
            if index > 0 {
                at.slot = 2 * index - 1;
                *self = at;
                return Some(self.leaf?.item(index as usize - 1));
            }
        }
    }

    /// Whether a leaf lies below the one at hand.
    fn has_entry_before(&self) -> bool {
        self.low > 0
    }

    /// Calls `visit` for each entry from here on that starts below `limit`, in ascending order, until it breaks. Then
    /// the cursor stands on the entry where it broke, or the last visited. For a tree that nobody writes.
    #[inline]
    pub(crate) fn visit_below<S: NodeSource>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: u64,
        mut visit: impl FnMut(Range<u64>, &'m T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.settle();
        let mut index = self.slot as usize / 2;
        loop {
            let Some(leaf) = self.leaf else { return ControlFlow::Continue(()) };
            let mut broke = false;
            let visited = leaf.visit_below(index, limit, |range, entry| {
                let flow = visit(range, entry);
                broke = flow.is_break();
                flow
            });
            index += visited;
            if broke {
                self.slot = 2 * index as u32 + 1;
                return ControlFlow::Break(());
            }
            if index > 0 && visited > 0 {
                self.slot = 2 * index as u32 - 1;
            }
            if index < self.count as usize || self.high >= limit {
                return ControlFlow::Continue(());
            }
            // As `step_after`, for the most frequent step.
            let next = self.index as usize + 1;
            match self.parent {
                Some(parent) if next < parent.count() => {
                    let Kind::Leaf(leaf) = parent.child(next).kind() else {
                        return ControlFlow::Continue(());
                    };
                    crate::stats::visit();
                    self.leaf = Some(leaf);
                    (self.low, self.high) = (self.high, parent.key(next + 1));
                    self.index += 1;
                    self.count = leaf.count() as u32;
                    self.slot = 1;
                }
                _ => *self = Self::walk::<S, Token<'m, T, S>>(tree, self.high),
            }
            index = 0;
        }
    }

    /// Walks again from the root.
    fn walk_to<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        page: u64,
    ) -> Option<Range<u64>> {
        if page >= LIMIT {
            return None;
        }
        *self = Self::walk::<S, W>(tree, page);
        Some(self.range())
    }

    /// Steps to the slot at `page`, where the leaf at hand ends: into the next child of the same parent if there is one.
    fn step_after<S: NodeSource, W: Witness<'m, T, S>>(&mut self, tree: &Tree<'m, T, S>, page: u64) -> bool {
        if page >= LIMIT {
            return false;
        }
        if let Some(parent) = self.parent {
            let index = self.index as usize + 1;
            if index < parent.count() {
                let link = parent.child(index);
                let high = parent.key(index + 1);
                tree.pause::<W>();
                if let Kind::Leaf(leaf) = link.kind()
                    && !tree.is_stale::<W>(parent.link())
                {
                    (self.low, self.high) = (page, high.max(page));
                    self.index += 1;
                    self.land_at_start::<S, W>(leaf, page);
                    return true;
                }
            }
        }
        *self = Self::walk::<S, W>(tree, page);
        true
    }

    /// Lands in a leaf whose first entry, unless a writer moved it, starts at `page`.
    fn land_at_start<S: NodeSource, W: Witness<'m, T, S>>(&mut self, leaf: Leaf<'m, T>, page: u64) {
        if W::CONCURRENT {
            return self.land(leaf, page);
        }
        crate::stats::visit();
        debug_assert!(leaf.range(0).start == page);
        self.leaf = Some(leaf);
        self.count = leaf.count() as u32;
        self.slot = 1;
    }

    /// Steps to the last slot before the leaf at hand.
    fn step_before<S: NodeSource, W: Witness<'m, T, S>>(&mut self, tree: &Tree<'m, T, S>) -> bool {
        let Some(page) = self.low.checked_sub(1) else { return false };
        if let Some(parent) = self.parent
            && let Some(index) = (self.index as usize).checked_sub(1)
        {
            let link = parent.child(index);
            let low = parent.key(index).min(page);
            tree.pause::<W>();
            if let Kind::Leaf(leaf) = link.kind()
                && !tree.is_stale::<W>(parent.link())
            {
                (self.low, self.high) = (low, self.low);
                self.index = index as u32;
                self.land(leaf, page);
                return true;
            }
        }
        *self = Self::walk::<S, W>(tree, page);
        true
    }
}
