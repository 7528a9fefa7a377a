//! Where a cursor stands. Shared by all cursors; `step` moves it.

use core::ops::Range;

use crate::{
    geometry::LIMIT,
    node::{Inner, Item, Kind, Leaf, One, Origin, Two},
    source::NodeSource,
    tree::{Tree, Witness},
};

/// A slot of a leaf, with the bounds of the leaf as the walk found them.
///
/// Slots of a leaf with entries 0 to n - 1: slot `2i` is the (perhaps empty) gap below entry `i`, slot `2i + 1` is entry
/// `i`, slot `2n` the gap at the end. An empty tree is one gap. Vacant entries are slots without pages in a gap: a cursor passes
/// them, and stands in the gap behind them.
///
/// A step in a tree that is written at the same time (`CONCURRENT`) begins with the dead check: if the leaf at
/// hand has been replaced, the cursor walks again from the root to where the step leads. So a step that begins after a store
/// has ended sees that store. Bounds that a writer moves meanwhile move over free space only.
pub(crate) struct Place<'m, T> {
    pub(crate) leaf: Option<Leaf<'m, T>>,
    pub(crate) parent: Option<Inner<'m, T>>,
    pub(crate) low: u64,
    pub(crate) high: u64,
    /// Which child of the parent the leaf is.
    pub(crate) index: u32,
    /// The slot, or `UNSETTLED`: that of `page`.
    pub(crate) slot: u32,
    /// The page that the cursor went to. Under a guard, which searches at once: where the slot begins.
    pub(crate) page: u64,
    /// Under a guard: where the slot ends. The writer may empty the entry there at any time.
    pub(crate) end: u64,
    /// Entries of the leaf, once the slot is settled.
    pub(crate) count: u32,
}

/// What a slot is.
pub(crate) enum Slot<'m, T> {
    Entry(Item<'m, T>),
    /// Free pages between these bounds.
    Gap(Range<u64>),
}

/// The slot has not been searched yet: a writer often has no use for it. No even or odd half of it is below a count.
pub(crate) const UNSETTLED: u32 = u32::MAX - 1;

impl<T> Clone for Place<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Place<'_, T> {}

impl<'m, T> Place<'m, T> {
    pub(crate) const EMPTY: Self = Self {
        leaf: None,
        parent: None,
        low: 0,
        high: LIMIT,
        index: 0,
        slot: 0,
        page: 0,
        end: LIMIT,
        count: 0,
    };

    /// The slot that covers `page`, found from the root.
    #[inline]
    pub(crate) fn walk<S: NodeSource, W: Witness<'m, T, S>>(tree: &Tree<'m, T, S>, page: u64) -> Self {
        assert!(page < LIMIT, "page beyond the tree's limit");
        let Some(mut link) = tree.root() else { return Self::EMPTY };
        let (mut parent, mut index) = (None, 0);
        loop {
            tree.pause::<W>();
            match link.kind() {
                Kind::Inner(inner) => {
                    index = inner.search(page);
                    parent = Some(inner);
                    link = inner.child(index);
                }
                Kind::Leaf(leaf) => return Self::in_leaf::<S, W>(leaf, parent, index, page),
            }
        }
    }

    /// The slot that covers `page` in `leaf`, child `index` of `parent`.
    #[inline(always)]
    pub(crate) fn in_leaf<S: NodeSource, W: Witness<'m, T, S>>(
        leaf: Leaf<'m, T>,
        parent: Option<Inner<'m, T>>,
        index: usize,
        page: u64,
    ) -> Self {
        let mut place = Self::in_quiet_leaf(leaf, parent, index, page);
        if W::CONCURRENT {
            // May have been raised since the search.
            place.low = place.low.min(page);
            place.settle_under_guard(leaf);
        }
        place
    }

    /// As [`in_leaf`](Self::in_leaf), where nobody else writes.
    #[inline(always)]
    pub(crate) fn in_quiet_leaf(
        leaf: Leaf<'m, T>,
        parent: Option<Inner<'m, T>>,
        index: usize,
        page: u64,
    ) -> Self {
        let Range { start: low, end: high } = parent.map_or(0..LIMIT, |parent| parent.bounds(index));
        Self {
            leaf: Some(leaf),
            parent,
            low,
            high,
            index: index as u32,
            slot: UNSETTLED,
            page,
            end: 0,
            count: 0,
        }
    }

    /// A slot of a leaf that is a child of `parent`, where nobody else writes.
    #[inline(always)]
    pub(crate) fn in_quiet_slot(
        leaf: Leaf<'m, T>,
        parent: Option<(Inner<'m, T>, usize)>,
        bounds: Range<u64>,
        slot: usize,
    ) -> Self {
        Self {
            leaf: Some(leaf),
            parent: parent.map(|(inner, _)| inner),
            low: bounds.start,
            high: bounds.end,
            index: parent.map_or(0, |(_, index)| index as u32),
            slot: slot as u32,
            page: 0,
            end: 0,
            count: leaf.count() as u32,
        }
    }

    /// Takes the slot of `leaf` that covers `page`.
    #[inline]
    pub(crate) fn land<S: NodeSource, W: Witness<'m, T, S>>(&mut self, leaf: Leaf<'m, T>, page: u64) {
        self.leaf = Some(leaf);
        self.page = page;
        self.slot = UNSETTLED;
        if W::CONCURRENT {
            self.settle_under_guard(leaf);
        }
    }

    /// Stands on entry `index`, which is `item`.
    #[inline(always)]
    pub(crate) fn stand<S: NodeSource, W: Witness<'m, T, S>>(&mut self, index: u32, item: &Item<'m, T>) {
        self.slot = 2 * index + 1;
        if W::CONCURRENT {
            (self.page, self.end) = (item.start, item.end);
        }
    }

    /// The slot here.
    #[inline]
    fn slot(&self) -> u32 {
        if self.slot == UNSETTLED { self.search() } else { self.slot }
    }

    #[inline(never)]
    fn search(&self) -> u32 {
        let Some(leaf) = self.leaf else { return 0 };
        let below = leaf.search(self.page);
        let in_entry = below > 0 && self.page < leaf.range(below - 1).end;
        2 * below as u32 - u32::from(in_entry)
    }

    /// Searches the slot if that has not been done.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.slot == UNSETTLED {
            self.slot = self.search();
            self.count_entries();
        }
    }

    /// What the slot here is, where nobody else writes. Searched, if that has not been done, with one look at the entries beside the
    /// page.
    #[inline(always)]
    pub(crate) fn look(&mut self) -> Slot<'m, T> {
        match Leaf::if_twin(self.leaf) {
            Some(leaf) if self.slot == UNSETTLED => self.settle_in::<Two>(leaf),
            _ => self.look_elsewhere(),
        }
    }

    #[inline(never)]
    fn look_elsewhere(&mut self) -> Slot<'m, T> {
        match (Leaf::if_twin(self.leaf), Leaf::if_narrow(self.leaf)) {
            (Some(leaf), _) => self.slot_in::<Two>(leaf),
            (None, Some(leaf)) if self.slot != UNSETTLED => self.slot_in::<One>(leaf),
            (None, Some(leaf)) => self.settle_in::<One>(leaf),
            (None, None) => {
                self.settle();
                match self.entry() {
                    Some(item) => Slot::Entry(item),
                    None => Slot::Gap(self.range_of(self.slot)),
                }
            }
        }
    }

    /// What the slot is, which is settled, in `leaf`, which is at hand.
    #[inline(always)]
    fn slot_in<O: Origin>(&self, leaf: Leaf<'m, T>) -> Slot<'m, T> {
        let index = self.slot as usize / 2;
        if !self.slot.is_multiple_of(2) {
            let item = leaf.item_in::<O>(index);
            if item.entry.is_some() {
                return Slot::Entry(item);
            }
        }
        let start = if index == 0 { self.low } else { leaf.range_in::<O>(index - 1).end };
        let end = if index == leaf.count() { self.high } else { leaf.range_in::<O>(index).start };
        Slot::Gap(start..end)
    }

    /// Searches the slot in `leaf`, which is at hand.
    #[inline(always)]
    fn settle_in<O: Origin>(&mut self, leaf: Leaf<'m, T>) -> Slot<'m, T> {
        let found = leaf.find_in::<O>(self.page);
        self.count = found.count as u32;
        self.slot = found.slot as u32;
        match found.entry {
            Some(value) => Slot::Entry(Item { start: found.start, end: found.end, entry: Some(value) }),
            None => Slot::Gap(found.start.max(self.low)..found.end.min(self.high)),
        }
    }

    /// The values below and above the slot here, if both are in the leaf at hand.
    #[inline]
    pub(crate) fn beside(&self) -> Option<[&'m T; 2]> {
        let (leaf, slot) = (self.leaf.filter(|leaf| leaf.is_packed())?, self.slot());
        let below = (0..slot / 2).rev().find_map(|index| leaf.value_in_packed(index as usize))?;
        Some([below, self.above_in(leaf, slot)?])
    }

    /// The value above the slot here, if it is in the leaf at hand.
    #[inline]
    pub(crate) fn above(&self) -> Option<&'m T> {
        self.above_in(self.leaf.filter(|leaf| leaf.is_packed())?, self.slot())
    }

    #[inline(always)]
    fn above_in(&self, leaf: Leaf<'m, T>, slot: u32) -> Option<&'m T> {
        // The count noted here may be an older leaf's.
        (slot.div_ceil(2)..leaf.count() as u32).find_map(|index| leaf.value_in_packed(index as usize))
    }

    /// Notes how many entries the leaf has; for who sets the slot without a search.
    #[inline]
    pub(crate) fn count_entries(&mut self) {
        self.count = self.leaf.map_or(0, |leaf| leaf.count() as u32);
    }

    /// Searches the slot and notes its bounds, all from one look at the entries beside the page.
    fn settle_under_guard(&mut self, leaf: Leaf<'m, T>) {
        self.count = leaf.count() as u32;
        let below = leaf.search(self.page);
        let mut start = self.low;
        if let Some(index) = below.checked_sub(1) {
            let item = leaf.item(index);
            if self.page < item.end && item.entry.is_some() {
                self.slot = 2 * index as u32 + 1;
                (self.page, self.end) = (item.start, item.end);
                return;
            }
            // In an entry that has just become vacant the gap begins with the page.
            start = item.end.min(self.page);
        }
        let end = if below < leaf.count() { leaf.item(below).start } else { self.high };
        self.slot = 2 * below as u32;
        self.end = end.max(self.page + 1);
        self.page = start;
    }

    /// First entry from `index` on that is not vacant.
    #[inline(always)]
    pub(crate) fn first_from(&self, index: u32) -> Option<(u32, Item<'m, T>)> {
        if index >= self.count {
            return None;
        }
        let item = self.leaf?.item(index as usize);
        if item.entry.is_some() { Some((index, item)) } else { self.first_behind(index) }
    }

    #[cold]
    fn first_behind(&self, vacant: u32) -> Option<(u32, Item<'m, T>)> {
        let leaf = self.leaf?;
        let mut behind = (vacant + 1..self.count).map(|at| (at, leaf.item(at as usize)));
        behind.find(|(_, item)| item.entry.is_some())
    }

    /// Last entry below `index` that is not vacant.
    #[inline(always)]
    pub(crate) fn last_below(&self, index: u32) -> Option<(u32, Item<'m, T>)> {
        let index = index.checked_sub(1)?;
        let item = self.leaf?.item(index as usize);
        if item.entry.is_some() { Some((index, item)) } else { self.last_before(index) }
    }

    #[cold]
    fn last_before(&self, vacant: u32) -> Option<(u32, Item<'m, T>)> {
        let leaf = self.leaf?;
        let mut before = (0..vacant).rev().map(|at| (at, leaf.item(at as usize)));
        before.find(|(_, item)| item.entry.is_some())
    }

    /// Where the next entry behind the slot here begins, where nobody else writes; the slot is settled.
    #[inline]
    pub(crate) fn ceiling(&self) -> u64 {
        // The leaf ends where the first entry of the next begins.
        self.first_from(self.slot.div_ceil(2)).map_or(self.high, |(_, item)| item.start)
    }

    #[inline]
    pub(crate) fn holds(&self, page: u64) -> bool {
        self.low <= page && page < self.high
    }

    #[inline]
    pub(crate) fn leaf(&self) -> Option<Leaf<'m, T>> {
        self.leaf
    }

    #[inline]
    pub(crate) fn parent(&self) -> Option<(Inner<'m, T>, usize)> {
        self.parent.map(|inner| (inner, self.index as usize))
    }

    #[inline]
    pub(crate) fn bounds(&self) -> Range<u64> {
        self.low..self.high
    }

    /// The entry here.
    #[inline]
    pub(crate) fn entry(&self) -> Option<Item<'m, T>> {
        let slot = self.slot();
        if slot.is_multiple_of(2) {
            return None;
        }
        Some(self.leaf?.item(slot as usize / 2)).filter(|item| item.entry.is_some())
    }

    /// Bounds of the slot here.
    #[inline]
    pub(crate) fn range<S: NodeSource, W: Witness<'m, T, S>>(&self) -> Range<u64> {
        if W::CONCURRENT { self.page..self.end } else { self.range_of(self.slot()) }
    }

    #[inline]
    fn range_of(&self, slot: u32) -> Range<u64> {
        let Some(leaf) = self.leaf else { return 0..LIMIT };
        let index = slot as usize / 2;
        if slot % 2 == 1 {
            return leaf.range(index);
        }
        let start = if index == 0 { self.low } else { leaf.range(index - 1).end };
        let end = if index == leaf.count() { self.high } else { leaf.range(index).start };
        start..end.max(start)
    }

    /// Whether a store has replaced the leaf at hand.
    #[inline(always)]
    pub(crate) fn is_stale<S: NodeSource, W: Witness<'m, T, S>>(&self, tree: &Tree<'m, T, S>) -> bool {
        self.leaf.is_some_and(|leaf| tree.is_stale::<W>(leaf.link()))
    }

    /// Where the leaf at hand ends; under a guard its bounds may be older than the leaf.
    #[inline]
    pub(crate) fn leaf_end<S: NodeSource, W: Witness<'m, T, S>>(&self) -> u64 {
        if W::CONCURRENT { self.range_of(2 * self.count).end.max(self.end) } else { self.high }
    }
}
