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
    cut::{Cut, Packing},
    geometry::{FANOUT, FANOUT_MIN, LEAF_MIN, LEVELS, LIMIT, NARROW},
    node::{
        Buffer, Chain, Child, Children, Entries, Item, Leaf, Link, fits, has_room, length, nth, nth_key,
        pack_inner, pack_leaf,
    },
    path::{Change, Path, Plan},
    reserve::{NoMemory, Store},
    source::{Bug, NodeSource},
    teardown::doom_subtree,
    tree::Tree,
};

/// What the left leaf keeps (its last entry cut), the new entry, what the right leaf keeps, and a neighbour. A leaf without
/// vacant entries is one run.
type Pieces<'m, T> = Buffer<Entries<'m, T>, { 3 * NARROW + 3 }>;
/// New nodes that one level hands to the next.
type New<'m, T> = Buffer<Child<'m, T>, 4>;
/// A neighbour, what the left node keeps, the new nodes, what the right node keeps; or with the neighbour at the end.
type Siblings<'a, 'm, T> = [Children<'a, 'm, T>; 4];

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
    /// Whether a leaf that is beside what the store meets is replaced, too.
    joined: bool,
    /// Which part of an overfull node gets all but the least.
    packing: Packing,
    fill: Option<(Leaf<'m, T>, usize)>,
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
        joined: false,
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
                place: None,
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
        let mut pieces = Pieces::new();
        let place = self.gather(range, what, &mut pieces);
        let pieces = pieces.as_slice();
        let entries = length(pieces);
        if entries == 0 {
            self.doom_above(1);
            return Ok(Top { new: None, level: height, height: 0, gap: 0 });
        }
        let one = self.left.leaf == self.right.leaf;
        let mut new = self.pack_leaves(pieces, entries, place)?;
        if let [only] = new.as_slice()
            && one
            && self.left.leaf.is_some()
            && (entries >= LEAF_MIN || height == 0)
        {
            return Ok(Top { new: Some(only.link), level: 0, height, gap: only.gap });
        }
        for level in 1..=height {
            let below = new;
            let (one, siblings) = self.gather_children(level, below.as_slice());
            let children = length(&siblings);
            if let ([only], 1) = (below.as_slice(), children)
                && self.low == 0
                && self.high == LIMIT
            {
                self.doom_above(level + 1);
                return Ok(Top { new: Some(only.link), level: height, height: level - 1, gap: 0 });
            }
            let least = if level == height { 2 } else { FANOUT_MIN };
            if one && (least..=FANOUT).contains(&children) {
                let node = self.pack_inner(&siblings, &(0..children), self.high)?;
                return Ok(Top { new: Some(node.link), level, height, gap: node.gap });
            }
            new = self.pack_inners(&siblings, children)?;
        }
        if let [only] = new.as_slice() {
            return Ok(Top { new: Some(only.link), level: height, height, gap: 0 });
        }
        if height == LEVELS {
            return Err(NoMemory);
        }
        let all = [Children::New(new.as_slice())];
        let root = self.pack_inner(&all, &(0..length(&all)), LIMIT)?;
        Ok(Top { new: Some(root.link), level: height, height: height + 1, gap: 0 })
    }

    /// Collects the entries for the new leaves; gives the index of the new one. Dooms the leaves they come from.
    fn gather(&mut self, range: &Range<u64>, what: Store, pieces: &mut Pieces<'m, T>) -> Option<usize> {
        let mut kept = (0, 0);
        if let Some(leaf) = self.left.leaf {
            let below = range.start.checked_sub(1).map_or(0, |page| leaf.search(page));
            let cut = below.checked_sub(1).map(|last| leaf.item(last)).filter(|last| last.end > range.start);
            let uncut = run(leaf, 0, below - usize::from(cut.is_some()), |piece| pieces.push(piece));
            kept.0 = uncut + usize::from(cut.is_some());
            if let Some(cut) = cut {
                pieces.push(Entries::One(Item { end: range.start, ..cut }));
            }
            self.doom_leaf(leaf);
        }
        let mut place = None;
        if what == Store::Entry {
            place = Some(kept.0);
            pieces.push(Entries::One(Item { start: range.start, end: range.end, entry: None }));
        }
        if let Some(leaf) = self.right.leaf {
            let (above, count) = (leaf.search(range.end - 1), leaf.count());
            let cut =
                above.checked_sub(1).map(|first| leaf.item(first)).filter(|first| first.end > range.end);
            if let Some(cut) = cut {
                pieces.push(Entries::One(Item { start: range.end, ..cut }));
            }
            let uncut = run(leaf, above, count, |piece| pieces.push(piece));
            kept.1 = uncut + usize::from(cut.is_some());
            if self.left.leaf != Some(leaf) {
                self.doom_leaf(leaf);
                if kept.1 == 0 && self.tree.rcu().source().has(Bug::SpanningStoreDuplicate) {
                    self.keep_duplicate(leaf, place, pieces);
                }
            }
        }
        self.packing = match (place, kept) {
            (Some(_), (_, 0)) => Packing::Lower,
            (Some(_), (0, _)) => Packing::Upper,
            _ => Packing::Even,
        };
        // A leaf's first start is its separator: if it moves, the leaf below must know its larger gap.
        let moved = self.low > 0 && kept.0 == 0 && (what == Store::Erase || range.start != self.low);
        if moved || length(pieces.as_slice()) < LEAF_MIN {
            let neighbour = self.neighbour(0, moved);
            self.joined = neighbour.is_some();
            match neighbour {
                Some(Neighbour::Left) => {
                    self.move_left(0, self.low - 1);
                    if let Some(leaf) = self.left.leaf {
                        let mut joined = Pieces::new();
                        let joins = run(leaf, 0, leaf.count(), |piece| joined.push(piece));
                        pieces.as_slice().iter().for_each(|piece| joined.push(*piece));
                        *pieces = joined;
                        place = place.map(|at| at + joins);
                        self.doom_leaf(leaf);
                    }
                    self.low = self.left.low(0);
                }
                Some(Neighbour::Right) => {
                    self.move_right(0, self.high);
                    if let Some(leaf) = self.right.leaf {
                        run(leaf, 0, leaf.count(), |piece| pieces.push(piece));
                        self.doom_leaf(leaf);
                    }
                    self.high = self.right.high(0);
                }
                None => {}
            }
        }
        place
    }

    /// Puts a bug back: of a right leaf that keeps nothing, the last entry stays all the same.
    #[cold]
    fn keep_duplicate(&self, right: Leaf<'m, T>, place: Option<usize>, pieces: &mut Pieces<'m, T>) {
        let Some(last) =
            (0..right.count()).rev().map(|index| right.item(index)).find(|item| item.entry.is_some())
        else {
            return;
        };
        if let (Some(_), Some(Entries::Run { from, to, .. })) = (place, pieces.last_mut())
            && from == to
        {
            // The right leaf's part.
            pieces.pop();
        }
        if let (Some(_), Some(Entries::One(new))) = (place, pieces.last_mut()) {
            new.end = last.start;
        }
        pieces.push(Entries::One(last));
    }

    /// Collects the children for the new nodes of `level`; gives whether they replace one node. Dooms the nodes they come from.
    fn gather_children<'a>(&mut self, level: usize, new: &'a [Child<'m, T>]) -> (bool, Siblings<'a, 'm, T>) {
        let (left, right) = (self.left.node(level), self.right.node(level));
        (self.low, self.high) = (self.left.low(level), self.right.high(level));
        let (to, from) = (self.left.index(level), self.right.index(level) + 1);
        let count = right.count();
        self.packing = match self.packing {
            Packing::Lower if from == count => Packing::Lower,
            Packing::Upper if to == 0 => Packing::Upper,
            _ => Packing::Even,
        };
        self.doomed.doom(left.link());
        if left != right {
            self.doomed.doom(right.link());
        }
        let nothing = Children::New(&[]);
        let kept_left = Children::Run { inner: left, from: 0, to };
        let kept_right = Children::Run { inner: right, from, to: count };
        let neighbour = if to + new.len() + count - from >= FANOUT_MIN || level == self.left.height {
            None
        } else {
            self.neighbour(level, false)
        };
        match neighbour {
            Some(Neighbour::Left) => {
                self.move_left(level, self.low - 1);
                let inner = self.left.node(level);
                self.low = self.left.low(level);
                self.doomed.doom(inner.link());
                let joins = Children::Run { inner, from: 0, to: inner.count() };
                (false, [joins, kept_left, Children::New(new), kept_right])
            }
            Some(Neighbour::Right) => {
                self.move_right(level, self.high);
                let inner = self.right.node(level);
                self.high = self.right.high(level);
                self.doomed.doom(inner.link());
                let joins = Children::Run { inner, from: 0, to: inner.count() };
                (false, [kept_left, Children::New(new), kept_right, joins])
            }
            None => (left == right, [kept_left, Children::New(new), kept_right, nothing]),
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

    /// Packs entries into as few leaves as hold them. The one at `place` gets its value later.
    fn pack_leaves(
        &mut self,
        pieces: &[Entries<'m, T>],
        entries: usize,
        place: Option<usize>,
    ) -> Result<New<'m, T>, NoMemory> {
        // If a neighbour joins in a leaf without room, the next entry would split that again.
        let may_be_full = !self.joined || entries < 2 * LEAF_MIN;
        let cut = Cut::of(entries, LEAF_MIN, self.packing, |chunk| {
            fits(pieces, &chunk) && (may_be_full || chunk.len() < entries || has_room(pieces, &chunk))
        });
        self.added = entries;
        let mut new = New::new();
        for part in 0..cut.parts {
            let chunk = cut.chunk(part);
            let memory = self.memory()?;
            let leaf = pack_leaf(memory, &mut self.prepared, pieces, &chunk);
            if let Some(at) = place.filter(|at| chunk.contains(at)) {
                self.fill = Some((leaf, at - chunk.start));
            }
            let is_leftmost = part == 0 && self.low == 0;
            let key = if is_leftmost { 0 } else { leaf.range(0).start };
            let end = if chunk.end < entries { nth(pieces, chunk.end).start } else { self.high };
            new.push(Child { key, link: leaf.link(), gap: leaf.gap(key, end) });
        }
        Ok(new)
    }

    /// Packs children into as few inner nodes as hold them.
    fn pack_inners(
        &mut self,
        siblings: &Siblings<'_, 'm, T>,
        children: usize,
    ) -> Result<New<'m, T>, NoMemory> {
        let cut = Cut::of(children, FANOUT_MIN, self.packing, |chunk| chunk.len() <= FANOUT);
        let mut new = New::new();
        for part in 0..cut.parts {
            let chunk = cut.chunk(part);
            let high = if chunk.end < children { nth_key(siblings, chunk.end) } else { self.high };
            new.push(self.pack_inner(siblings, &chunk, high)?);
        }
        Ok(new)
    }

    fn pack_inner(
        &mut self,
        children: &[Children<'_, 'm, T>],
        chunk: &Range<usize>,
        high: u64,
    ) -> Result<Child<'m, T>, NoMemory> {
        let memory = self.memory()?;
        let (inner, gap) = pack_inner(memory, &mut self.prepared, children, chunk, high);
        Ok(Child { key: inner.key(0), link: inner.link(), gap })
    }

    fn memory(&mut self) -> Result<&'static mut crate::Node, NoMemory> {
        self.tree.rcu().allocate().ok_or(NoMemory)
    }

    fn doom_leaf(&mut self, leaf: Leaf<'m, T>) {
        self.removed += self.doomed.doom(leaf.link());
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

/// Calls `push` for the entries `from` to `to` of a leaf without the vacant ones; gives how many they are.
#[inline]
fn run<'m, T>(leaf: Leaf<'m, T>, from: usize, to: usize, mut push: impl FnMut(Entries<'m, T>)) -> usize {
    if !leaf.has_vacant() {
        push(Entries::Run { leaf, from, to });
        return to - from;
    }
    let items = (from..to).map(|index| leaf.item(index)).filter(|item| item.start < item.end);
    items.map(|item| push(Entries::One(item))).count()
}
