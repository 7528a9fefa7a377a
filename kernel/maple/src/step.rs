//! How a cursor steps from slot to slot and from leaf to leaf.

use core::ops::Range;

use crate::{
    geometry::LIMIT,
    node::{Kind, Leaf, One, Origin, Two},
    place::{Place, UNSETTLED},
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
        if let Some(leaf) = Leaf::if_narrow(self.leaf)
            && let Some(range) = self.next_range_in::<One, S, W>(tree, leaf)
        {
            return Some(range);
        }
        let has_next = match Leaf::if_twin(self.leaf) {
            Some(leaf) => self.next_slot_from_twin::<S, W>(tree, leaf),
            None => self.next_slot::<S, W>(tree),
        };
        has_next.then_some(self.page..self.end)
    }

    /// Steps to the next slot from the twin leaf at hand, and notes its bounds.
    #[inline(never)]
    fn next_slot_from_twin<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        leaf: Leaf<'m, T>,
    ) -> bool {
        let Some(range) = self.next_range_in::<Two, S, W>(tree, leaf) else {
            return self.next_slot::<S, W>(tree);
        };
        (self.page, self.end) = (range.start, range.end);
        true
    }

    /// Steps inside of `leaf`, which is at hand, if it goes on there and the next entry is not vacant.
    #[inline(always)]
    fn next_range_in<O: Origin, S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        leaf: Leaf<'m, T>,
    ) -> Option<Range<u64>> {
        // Rounded up, as in `next_in`: the entry behind the slot.
        let index = (self.slot + 1) >> 1;
        if index >= self.count || W::CONCURRENT && tree.is_replaced(leaf) {
            return None;
        }
        let item = leaf.item_in::<O>(index as usize);
        item.entry?;
        // Behind an entry comes a gap, perhaps empty, behind a gap an entry. Under a guard more may have become free since.
        if W::CONCURRENT || !self.slot.is_multiple_of(2) {
            let end = if W::CONCURRENT { self.end } else { leaf.range_in::<O>(index as usize - 1).end };
            if end < item.start {
                return Some(self.gap::<S, W>(2 * index, end..item.start));
            }
        }
        self.stand::<S, W>(index, &item);
        Some(item.start..item.end)
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
        let moved = self.step_before::<S, W>(tree);
        moved && self.note_bounds::<S, W>()
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

    /// Walks again from the root.
    pub(crate) fn walk_to<S: NodeSource, W: Witness<'m, T, S>>(
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
    #[inline(always)]
    pub(crate) fn step_after<S: NodeSource, W: Witness<'m, T, S>>(
        &mut self,
        tree: &Tree<'m, T, S>,
        page: u64,
    ) -> bool {
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
        self.has_moved::<S, W>()
    }

    /// Ends a step into another leaf.
    #[inline(always)]
    fn has_moved<S: NodeSource, W: Witness<'m, T, S>>(&mut self) -> bool {
        if !W::CONCURRENT {
            self.count_entries();
        }
        true
    }

    /// Lands in a leaf whose first entry, unless a writer moved it, starts at `page`.
    #[inline(always)]
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
    pub(crate) fn step_before<S: NodeSource, W: Witness<'m, T, S>>(&mut self, tree: &Tree<'m, T, S>) -> bool {
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
                return self.has_moved::<S, W>();
            }
        }
        *self = Self::walk::<S, W>(tree, page);
        self.has_moved::<S, W>()
    }

    /// Goes back to the slot that covers `page`, leaf by leaf: in the leaf at hand straight there. Gives how many leaves
    /// it went back. From a leaf below `page` it walks. For a tree that nobody writes.
    #[inline]
    pub(crate) fn walk_back<S: NodeSource>(&mut self, tree: &Tree<'m, T, S>, page: u64) -> u64 {
        let mut leaves = 0;
        while page < self.low && self.step_before::<S, Token<'m, T, S>>(tree) {
            leaves += 1;
        }
        self.seek(tree, page);
        leaves
    }

    /// Goes to the slot that covers `page`, inside the leaf at hand if that holds it. For a tree that nobody writes.
    #[inline]
    pub(crate) fn seek<S: NodeSource>(&mut self, tree: &Tree<'m, T, S>, page: u64) {
        if self.holds(page) {
            (self.page, self.slot) = (page, UNSETTLED);
        } else {
            *self = Self::walk::<S, Token<'m, T, S>>(tree, page);
        }
    }
}
