//! How a cursor steps.

use core::ops::{ControlFlow, Range};

use crate::{
    geometry::LIMIT,
    node::{Found, Item, Kind, Leaf},
    place::Place,
    source::NodeSource,
    tree::{Token, Tree, Witness},
};

impl<'m, T> Place<'m, T> {
    /// Steps to the next slot. At the tree's end `None`, and the cursor stays.
    #[inline(always)]
    pub(crate) fn next_range<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Range<u64>> {
        // Rounded up, as in `next_in`: the entry behind the slot.
        let index = (self.slot + 1) >> 1;
        if let Some(leaf) = Leaf::if_narrow(self.leaf)
            && index < self.count
            && !(W::CONCURRENT && tree.is_replaced(leaf))
        {
            let item = leaf.item(index as usize);
            if item.entry.is_some() {
                // Behind an entry comes a gap, perhaps empty, behind a gap an entry.
                // Under a guard more may have become free since.
                if W::CONCURRENT || !self.slot.is_multiple_of(2) {
                    let end = if W::CONCURRENT { self.end } else { leaf.range(index as usize - 1).end };
                    if end < item.start {
                        return Some(self.gap::<S, W>(2 * index, end..item.start));
                    }
                }
                self.stand::<S, W>(index, &item);
                return Some(item.start..item.end);
            }
        }
        self.next_slot::<S, W>(tree).then_some(self.page..self.end)
    }

    /// Steps to the next slot wherever it is, and notes its bounds.
    #[inline(never)]
    fn next_slot<S: NodeSource, W: Witness<'m, T, S>>(&mut self, tree: &Tree<'m, T, S>) -> bool {
        self.settle();
        if self.is_stale::<S, W>(tree) {
            return self.walk_to::<S, W>(tree, self.end).is_some();
        }
        let Range { end, .. } = self.range::<S, W>();
        let may_be_gap = W::CONCURRENT || !self.slot.is_multiple_of(2);
        if let Some((index, item)) = self.first_from(self.slot.div_ceil(2)) {
            if may_be_gap && end < item.start {
                return self.arrive_in_gap(2 * index, end..item.start);
            }
            return self.arrive(index, &item).is_some();
        }
        let leaf_end = self.leaf_end::<S, W>();
        if may_be_gap && end < leaf_end {
            return self.arrive_in_gap(2 * self.count, end..leaf_end);
        }
        let moved = self.step_after::<S, W>(tree, leaf_end);
        moved && self.note_bounds::<S, W>()
    }

    /// Steps to the slot before. At the tree's start `None`, and the cursor stays.
    #[inline(always)]
    pub(crate) fn prev_range<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
    ) -> Option<Range<u64>> {
        // The entry below the slot.
        let index = (self.slot / 2).wrapping_sub(1);
        if let Some(leaf) = Leaf::if_narrow(self.leaf)
            && index < self.count
            && !(W::CONCURRENT && tree.is_replaced(leaf))
        {
            let item = leaf.item(index as usize);
            if item.entry.is_some() {
                // Above an entry comes a gap, perhaps empty, above a gap an entry.
                if W::CONCURRENT || !self.slot.is_multiple_of(2) {
                    let start = if W::CONCURRENT { self.page } else { leaf.range(index as usize + 1).start };
                    if item.end < start {
                        return Some(self.gap::<S, W>(2 * index + 2, item.end..start));
                    }
                }
                self.stand::<S, W>(index, &item);
                return Some(item.start..item.end);
            }
        }
        self.prev_slot::<S, W>(tree).then_some(self.page..self.end)
    }

    /// Steps to the slot before wherever it is, and notes its bounds.
    #[inline(never)]
    fn prev_slot<S: NodeSource, W: Witness<'m, T, S>>(&mut self, tree: &Tree<'m, T, S>) -> bool {
        self.settle();
        if self.is_stale::<S, W>(tree) {
            let Some(page) = self.page.checked_sub(1) else { return false };
            return self.walk_to::<S, W>(tree, page).is_some();
        }
        let Range { start, .. } = self.range::<S, W>();
        let (slot, may_be_gap) = (self.slot, W::CONCURRENT || !self.slot.is_multiple_of(2));
        if let Some((index, item)) = self.last_below(slot / 2) {
            if may_be_gap && item.end < start {
                // Above vacant entries, too.
                return self.arrive_in_gap(slot & !1, item.end..start);
            }
            return self.arrive(index, &item).is_some();
        }
        if may_be_gap && self.low < start {
            return self.arrive_in_gap(0, self.low..start);
        }
        if !W::CONCURRENT
            && let Some(arrived) = self.end_of_sibling_before()
        {
            return arrived;
        }
        let moved = self.step_before::<S, W>(tree);
        moved && self.note_bounds::<S, W>()
    }

    /// Steps to the last slot of the child before of the same parent, if there is one, where nobody writes; notes its bounds.
    #[inline(always)]
    fn end_of_sibling_before(&mut self) -> Option<bool> {
        let (parent, index) = (self.parent?, self.index.checked_sub(1)?);
        let Kind::Leaf(leaf) = parent.child(index as usize).kind() else { return None };
        let count = leaf.count() as u32;
        let last = leaf.item(count as usize - 1);
        let high = self.low;
        if last.end == high && last.entry.is_none() {
            // Vacant, and no gap is behind it: to be searched.
            return None;
        }
        crate::stats::visit();
        self.leaf = Some(leaf);
        (self.low, self.high) = (parent.key(index as usize), high);
        (self.index, self.count) = (index, count);
        if last.end < high {
            return Some(self.arrive_in_gap(2 * count, last.end..high));
        }
        Some(self.arrive(count - 1, &last).is_some())
    }

    /// Stands in a gap.
    #[inline(always)]
    fn gap<S: NodeSource, W: Witness<'m, T, S>>(&mut self, slot: u32, gap: Range<u64>) -> Range<u64> {
        self.slot = slot;
        if W::CONCURRENT {
            (self.page, self.end) = (gap.start, gap.end);
        }
        gap
    }

    /// Stands in a gap, and notes its bounds.
    fn arrive_in_gap(&mut self, slot: u32, gap: Range<u64>) -> bool {
        self.slot = slot;
        (self.page, self.end) = (gap.start, gap.end);
        true
    }

    /// Notes the bounds of the slot here.
    fn note_bounds<S: NodeSource, W: Witness<'m, T, S>>(&mut self) -> bool {
        self.settle();
        let here = self.range::<S, W>();
        (self.page, self.end) = (here.start, here.end);
        true
    }

    /// Steps to the next entry, if that starts below the `limit`. Without one the cursor stays.
    #[inline(always)]
    pub(crate) fn next<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        limit: Option<u64>,
    ) -> Found<'m, T> {
        // Most leaves are narrow.
        if let Some(leaf) = Leaf::if_narrow(self.leaf)
            && let ControlFlow::Break(next) = self.next_in::<S, W>(tree, leaf, limit)
        {
            return next;
        }
        let entry = self.next_elsewhere::<S, W>(tree, limit.unwrap_or(LIMIT))?;
        Some((self.page..self.end, entry))
    }

    /// Steps inside of `leaf`, which is at hand, if it goes on there.
    #[inline(always)]
    fn next_in<S: NodeSource, W: Witness<'m, T, S>>(
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
            let item = leaf.item(index as usize);
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
    fn arrive(&mut self, index: u32, item: &Item<'m, T>) -> Option<&'m T> {
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
            if index < self.count as usize || self.high >= limit {
                // Each leaf that the cursor moved on to had an entry to visit.
                if visited > 0
                    && let Some((last, _)) = self.last_below(index as u32)
                {
                    self.slot = 2 * last + 1;
                }
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
        self.note_bounds::<S, W>();
        Some(self.page..self.end)
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
            return self.land::<S, W>(leaf, page);
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
                self.land::<S, W>(leaf, page);
                return true;
            }
        }
        *self = Self::walk::<S, W>(tree, page);
        true
    }
}
