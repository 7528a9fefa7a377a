//! Stores that split, merge or span nodes.
//!
//! ```text
//!        level 2          [   .   X   .   ]            one node holds both paths and the new children fit: publish here
//!                       ┌─────┘ │ └─────┐
//!        level 1     [a b L]  [...]  [R y z]           L..R go; a b + new + y z are packed into new nodes
//!                         │             │
//!        level 0     [k k│# #] [###] [# #│k k]         k + new entry + k are packed into new leaves
//!                        └── range ──────┘
//! ```
//!
//! From the leaves up: what the nodes at the two ends keep, with the new children between, is packed evenly into
//! new nodes, which are the new children one level up. Too few for a node: the neighbour's join. Ends at the first level
//! where both paths meet in one node whose new version is neither too small nor too large, or at the root.

use core::ops::Range;

use crate::{
    geometry::{FANOUT, FANOUT_MIN, LEAF_MIN, LEVELS, LIMIT, NARROW},
    node::{Buffer, Chain, Child, Inner, Item, Leaf, Link, fits},
    path::{Change, Path, Plan},
    reserve::{NoMemory, Store},
    source::{Bug, NodeSource},
    teardown::doom_subtree,
    tree::Tree,
};

/// Entries of two leaves and a new one between, with a split entry on both sides.
type Items<'m, T> = Buffer<Item<'m, T>, { 2 * NARROW + 2 }>;
/// New nodes that one level hands to the next.
type New<'m, T> = Buffer<Child<'m, T>, 4>;
type Children<'m, T> = Buffer<Child<'m, T>, { 2 * FANOUT + 4 }>;

/// Which neighbour joins.
enum Neighbour {
    Left,
    Right,
}

/// A rebuild on its way up.
struct Rebuild<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    /// Path at the lower end of what is replaced; its levels above the one at work are in the tree.
    left: &'t mut Path<'m, T>,
    right: &'t mut Path<'m, T>,
    /// Bounds of what is replaced at the level at work.
    low: u64,
    high: u64,
    prepared: Chain,
    doomed: Chain,
    /// Entries below doomed nodes.
    removed: usize,
    /// Entries in new leaves.
    added: usize,
    /// Which part of an overfull node gets all but the least.
    packing: Packing,
    fill: Option<(Leaf<'m, T>, usize)>,
}

/// How an overfull node is cut in two. Rising (falling) stores fill the lower (upper) part.
#[derive(Clone, Copy, PartialEq)]
enum Packing {
    Even,
    Lower,
    Upper,
}

/// Prepares any store. `plan`'s path leads to the leaf that covers the range's start and has `bounds`; afterwards it leads to
/// the node that is replaced.
#[inline(never)]
pub(crate) fn rebuild<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    bounds: Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Result<Chain, NoMemory> {
    let mut right;
    let high = if range.end <= bounds.end {
        right = plan.path;
        bounds.end
    } else {
        right = Path::new();
        right.walk(tree, range.end - 1).bounds().end
    };
    let mut work = Rebuild {
        tree,
        left: &mut plan.path,
        right: &mut right,
        low: bounds.start,
        high,
        prepared: Chain::new(),
        doomed: Chain::new(),
        removed: 0,
        added: 0,
        packing: Packing::Even,
        fill: None,
    };
    work.doom_between();
    match work.run(range, what) {
        Ok(Top { new, level, height, gap }) => {
            plan.change = Change::Replace {
                new,
                level,
                height,
                gap,
                fill: work.fill,
                len: tree.len() + work.added - work.removed,
                doomed: work.doomed,
            };
            Ok(work.prepared)
        }
        Err(NoMemory) => {
            // The path may have been led elsewhere.
            tree.rcu().give_back(work.prepared);
            plan.path.leaf = None;
            Err(NoMemory)
        }
    }
}

/// Where a rebuild ends.
struct Top<'m, T> {
    new: Option<Link<'m, T>>,
    level: usize,
    height: usize,
    gap: u32,
}

impl<'m, T, S: NodeSource> Rebuild<'_, 'm, T, S> {
    fn run(&mut self, range: &Range<u64>, what: Store) -> Result<Top<'m, T>, NoMemory> {
        let height = self.left.height;
        let mut items = Items::new();
        let place = self.gather(range, what, &mut items);
        let items = items.as_slice();
        if items.is_empty() {
            self.doom_above(1);
            return Ok(Top { new: None, level: height, height: 0, gap: 0 });
        }
        let one = self.left.leaf == self.right.leaf;
        let mut new = self.pack_leaves(items, place)?;
        if let [only] = new.as_slice()
            && one
            && self.left.leaf.is_some()
            && (items.len() >= LEAF_MIN || height == 0)
        {
            return Ok(Top { new: Some(only.link), level: 0, height, gap: only.gap });
        }
        let mut children = Children::new();
        for level in 1..=height {
            children.clear();
            let one = self.gather_children(level, new.as_slice(), &mut children);
            let children = children.as_slice();
            if let [only] = children
                && self.low == 0
                && self.high == LIMIT
            {
                self.doom_above(level + 1);
                return Ok(Top { new: Some(only.link), level: height, height: level - 1, gap: 0 });
            }
            let least = if level == height { 2 } else { FANOUT_MIN };
            if one && (least..=FANOUT).contains(&children.len()) {
                let node = self.build_inner(children, self.high)?;
                return Ok(Top { new: Some(node.link()), level, height, gap: node.max_gap() });
            }
            new = self.pack_inner(children)?;
        }
        if let [only] = new.as_slice() {
            return Ok(Top { new: Some(only.link), level: height, height, gap: 0 });
        }
        if height == LEVELS {
            return Err(NoMemory);
        }
        let root = self.build_inner(new.as_slice(), LIMIT)?;
        Ok(Top { new: Some(root.link()), level: height, height: height + 1, gap: 0 })
    }

    /// Collects the entries for the new leaves; gives the index of the new one. Dooms the leaves they come from.
    fn gather(&mut self, range: &Range<u64>, what: Store, items: &mut Items<'m, T>) -> Option<usize> {
        if let Some(leaf) = self.left.leaf {
            let below = (0..leaf.count()).map(|index| leaf.item(index));
            let below = below.take_while(|item| item.start < range.start);
            items.extend(below.map(|item| Item { end: item.end.min(range.start), ..item }));
        }
        let mut place = (what == Store::Entry).then_some(items.as_slice().len());
        if what == Store::Entry {
            items.push(Item { start: range.start, end: range.end, entry: None });
        }
        if let Some(leaf) = self.right.leaf {
            // The first may end below.
            let first = leaf.search(range.end - 1).saturating_sub(1);
            let above = (first..leaf.count()).map(|index| leaf.item(index));
            let above = above.filter(|item| item.end > range.end);
            items.extend(above.map(|item| Item { start: item.start.max(range.end), ..item }));
        }
        if self.tree.rcu().source().has(Bug::SpanningStoreDuplicate) {
            self.keep_duplicate(place, range, items);
        }
        self.packing = match (place, items.as_slice().len()) {
            (Some(at), len) if at + 1 == len => Packing::Lower,
            (Some(0), _) => Packing::Upper,
            _ => Packing::Even,
        };
        self.doom_leaf(self.left.leaf);
        if self.left.leaf != self.right.leaf {
            self.doom_leaf(self.right.leaf);
        }
        // A leaf's first start is its separator: if it moves, the leaf below must know its larger gap.
        let moved = self.low > 0 && items.as_slice().first().is_none_or(|first| first.start != self.low);
        if moved || items.as_slice().len() < LEAF_MIN {
            match self.neighbour(0, moved) {
                Some(Neighbour::Left) => {
                    self.move_left(0, self.low - 1);
                    if let Some(leaf) = self.left.leaf {
                        items.prepend(leaf.count(), |index| leaf.item(index));
                        place = place.map(|at| at + leaf.count());
                    }
                    self.low = self.left.low(0);
                    self.doom_leaf(self.left.leaf);
                }
                Some(Neighbour::Right) => {
                    self.move_right(0, self.high);
                    if let Some(leaf) = self.right.leaf {
                        items.extend((0..leaf.count()).map(|index| leaf.item(index)));
                    }
                    self.high = self.right.high(0);
                    self.doom_leaf(self.right.leaf);
                }
                None => {}
            }
        }
        place
    }

    /// Puts a bug back: of a right leaf that keeps nothing, the last entry stays all the same.
    #[cold]
    fn keep_duplicate(&self, place: Option<usize>, range: &Range<u64>, items: &mut Items<'m, T>) {
        let keeps_nothing = items.as_slice().last().is_none_or(|last| last.end <= range.end);
        let Some(right) = self.right.leaf.filter(|right| keeps_nothing && self.left.leaf != Some(*right))
        else {
            return;
        };
        let last = right.item(right.count() - 1);
        if let (Some(_), Some(new)) = (place, items.last_mut()) {
            new.end = last.start;
        }
        items.push(last);
    }

    /// Collects the children for the new nodes of `level`; gives whether they replace one node. Dooms the nodes they come from.
    fn gather_children(
        &mut self,
        level: usize,
        new: &[Child<'m, T>],
        children: &mut Children<'m, T>,
    ) -> bool {
        let (left, right) = (self.left.node(level), self.right.node(level));
        (self.low, self.high) = (self.left.low(level), self.right.high(level));
        children.extend((0..self.left.index(level)).map(|index| left.child_item(index)));
        children.extend(new.iter().copied());
        children.extend((self.right.index(level) + 1..right.count()).map(|index| right.child_item(index)));
        let (kept_left, kept_right) = (self.left.index(level), right.count() - 1 - self.right.index(level));
        self.packing = match self.packing {
            Packing::Lower if kept_right == 0 => Packing::Lower,
            Packing::Upper if kept_left == 0 => Packing::Upper,
            _ => Packing::Even,
        };
        self.doomed.doom(left.link());
        if left != right {
            self.doomed.doom(right.link());
        }
        if children.as_slice().len() >= FANOUT_MIN || level == self.left.height {
            return left == right;
        }
        match self.neighbour(level, false) {
            Some(Neighbour::Left) => {
                self.move_left(level, self.low - 1);
                let node = self.left.node(level);
                self.low = self.left.low(level);
                children.prepend(node.count(), |index| node.child_item(index));
                self.doomed.doom(node.link());
                false
            }
            Some(Neighbour::Right) => {
                self.move_right(level, self.high);
                let node = self.right.node(level);
                self.high = self.right.high(level);
                (0..node.count()).for_each(|index| children.push(node.child_item(index)));
                self.doomed.doom(node.link());
                false
            }
            None => left == right,
        }
    }

    /// Leads the left path to the node of `level` that covers `page`, the left neighbour. Nodes above that only the
    /// old path went through keep nothing on its left, so they go.
    fn move_left(&mut self, level: usize, page: u64) {
        let old = *self.left;
        self.left.walk(self.tree, page);
        for above in level + 1..=old.height {
            if old.node(above) == self.left.node(above) {
                return;
            }
            if old.node(above) != self.right.node(above) {
                self.doomed.doom(old.node(above).link());
            }
        }
    }

    /// As [`move_left`](Self::move_left), to the right.
    fn move_right(&mut self, level: usize, page: u64) {
        let old = *self.right;
        self.right.walk(self.tree, page);
        for above in level + 1..=old.height {
            if old.node(above) == self.right.node(above) {
                return;
            }
            if old.node(above) != self.left.node(above) {
                self.doomed.doom(old.node(above).link());
            }
        }
    }

    /// The neighbour that joins what is replaced at `level`: under the same parent if there is one.
    fn neighbour(&self, level: usize, must_be_left: bool) -> Option<Neighbour> {
        let (left, right) = (self.low > 0, self.high < LIMIT);
        let above = level + 1;
        let has_parent = above <= self.left.height;
        let left_sibling = has_parent && self.left.index(above) > 0;
        let right_sibling = has_parent && self.right.index(above) + 1 < self.right.node(above).count();
        match () {
            () if left && (must_be_left || left_sibling) => Some(Neighbour::Left),
            () if right_sibling => Some(Neighbour::Right),
            () if left => Some(Neighbour::Left),
            () if right => Some(Neighbour::Right),
            () => None,
        }
    }

    fn memory(&mut self) -> Result<&'static mut crate::Node, NoMemory> {
        self.tree.rcu().allocate().ok_or(NoMemory)
    }

    /// Packs `items` into as few leaves as hold them. The item at `place` gets its value later.
    fn pack_leaves(&mut self, items: &[Item<'m, T>], place: Option<usize>) -> Result<New<'m, T>, NoMemory> {
        let cut = Cut::of(items.len(), LEAF_MIN, self.packing, |chunk| fits(&items[chunk]));
        self.added = items.len();
        let mut new = New::new();
        for part in 0..cut.parts {
            let chunk = cut.chunk(part);
            let memory = self.memory()?;
            let leaf = Leaf::build(memory, &mut self.prepared, &items[chunk.clone()]);
            if let Some(at) = place.filter(|at| chunk.contains(at)) {
                self.fill = Some((leaf, at - chunk.start));
            }
            let is_leftmost = part == 0 && self.low == 0;
            let key = if is_leftmost { 0 } else { items[chunk.start].start };
            let end = items.get(chunk.end).map_or(self.high, |next| next.start);
            let child = Child { key, link: leaf.link(), gap: leaf.gap(key, end) };
            new.push(child);
        }
        Ok(new)
    }

    /// Packs `children` into as few inner nodes as hold them.
    fn pack_inner(&mut self, children: &[Child<'m, T>]) -> Result<New<'m, T>, NoMemory> {
        let cut = Cut::of(children.len(), FANOUT_MIN, self.packing, |chunk| chunk.len() <= FANOUT);
        let mut new = New::new();
        for part in 0..cut.parts {
            let chunk = cut.chunk(part);
            let key = children[chunk.start].key;
            let high = children.get(chunk.end).map_or(self.high, |next| next.key);
            let node = self.build_inner(&children[chunk], high)?;
            let child = Child { key, link: node.link(), gap: node.max_gap() };
            new.push(child);
        }
        Ok(new)
    }

    fn build_inner(&mut self, children: &[Child<'m, T>], high: u64) -> Result<Inner<'m, T>, NoMemory> {
        let memory = self.memory()?;
        Ok(Inner::build(memory, &mut self.prepared, children, high))
    }

    fn doom_leaf(&mut self, leaf: Option<Leaf<'m, T>>) {
        if let Some(leaf) = leaf {
            self.removed += leaf.count();
            self.doomed.doom(leaf.link());
        }
    }

    /// Dooms everything strictly between the two paths.
    fn doom_between(&mut self) {
        for level in (1..=self.left.height).rev() {
            let (left, right) = (self.left.node(level), self.right.node(level));
            let (from, to) = (self.left.index(level) + 1, self.right.index(level));
            if left == right {
                (from..to).for_each(|index| self.doom_below(left.child(index)));
            } else {
                (from..left.count()).for_each(|index| self.doom_below(left.child(index)));
                (0..to).for_each(|index| self.doom_below(right.child(index)));
            }
        }
    }

    fn doom_below(&mut self, link: Link<'m, T>) {
        self.removed += doom_subtree(link, &mut self.doomed);
    }

    /// Dooms both paths from `level` up: the tree has become lower.
    fn doom_above(&mut self, level: usize) {
        for level in level..=self.left.height {
            let (left, right) = (self.left.node(level), self.right.node(level));
            self.doomed.doom(left.link());
            if left != right {
                self.doomed.doom(right.link());
            }
        }
    }
}

/// How a list is cut into nodes.
struct Cut {
    len: usize,
    parts: usize,
    /// First length of two uneven parts.
    first: Option<usize>,
}

impl Cut {
    /// The fewest parts that all fit, even or (for two) as `packing` wants.
    fn of(len: usize, least: usize, packing: Packing, fits: impl Fn(Range<usize>) -> bool) -> Self {
        let mut cut = Self { len, parts: 1, first: None };
        if fits(0..len) {
            return cut;
        }
        cut.parts = 2;
        let all_fit = |cut: &Self| (0..cut.parts).all(|part| fits(cut.chunk(part)));
        while !all_fit(&cut) {
            cut.parts += 1;
        }
        if cut.parts == 2 && packing != Packing::Even {
            let first = if packing == Packing::Lower { len - least } else { least };
            let uneven = Self { len, parts: 2, first: Some(first) };
            if all_fit(&uneven) {
                return uneven;
            }
        }
        cut
    }

    fn chunk(&self, part: usize) -> Range<usize> {
        match (self.first, part) {
            (Some(first), 0) => 0..first,
            (Some(first), _) => first..self.len,
            (None, _) => part * self.len / self.parts..(part + 1) * self.len / self.parts,
        }
    }
}
