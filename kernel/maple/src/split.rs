//! Stores of an entry into free pages of a full leaf: the frequent split, without the generality of
//! [`rebuild`](crate::rebuild).
//!
//! The leaf becomes two, its parent is copied with one child more. Only if that is full, too, does the split go on above.

use core::ops::Range;

use crate::{
    cut::Packing,
    geometry::{FANOUT, FANOUT_MIN, LEAF_MIN, LEVELS, LIMIT, NARROW},
    node::{Chain, Child, Inner, Leaf, Run, Siblings},
    path::{Change, Plan},
    reserve::NoMemory,
    source::NodeSource,
    tree::Tree,
};

/// Prepares the store of an entry over `range` in `leaf`, the path's leaf, which is narrow, is not the root and has `bounds`.
/// `None` if it is no such store: nothing has been done then.
#[inline(never)]
pub(crate) fn split<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    bounds: &Range<u64>,
    range: &Range<u64>,
) -> Option<Result<Chain, NoMemory>> {
    let (below, above) = leaf.part_around(range)?;
    let mut prepared = Chain::new();
    let place = below.live();
    if place + above.live() < NARROW {
        // Without its vacant entries the leaf has room.
        let Some(memory) = tree.rcu().allocate() else { return Some(Err(NoMemory)) };
        let new = Leaf::join(memory, &mut prepared, &below, Some(range), &above);
        let gap = new.gap(bounds.start, bounds.end);
        plan.change = Change::Leaf { new, place: Some(place), gap, len: tree.len() + 1 };
        return Some(Ok(prepared));
    }
    // Nothing is vacant.
    let packing = match (place, above.live()) {
        (_, 0) => Packing::Lower,
        (0, _) => Packing::Upper,
        _ => Packing::Even,
    };
    let first = packing.first_of_two(NARROW + 1, LEAF_MIN);
    let middle =
        if place == first { range.start } else { leaf.range(first - usize::from(place < first)).start };
    if !leaf.has_base_for(middle) {
        return None;
    }
    let halves = halves(tree, &mut prepared, (leaf, place, first), range, bounds, middle);
    let done = halves.and_then(|(halves, fill)| {
        let mut work = Split { tree, plan, prepared: &mut prepared, packing, doomed: Chain::new() };
        work.run(leaf, halves, fill)
    });
    if done.is_err() {
        tree.rcu().give_back(prepared);
        return Some(Err(NoMemory));
    }
    Some(Ok(prepared))
}

/// A leaf and the index there of the entry that is to get its value.
type Fill<'m, T> = (Leaf<'m, T>, usize);

/// Builds the two leaves: the new entry is number `place`, and number `first` is the upper leaf's first, which starts at `middle`.
#[inline(always)]
fn halves<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    prepared: &mut Chain,
    (leaf, place, first): (Leaf<'m, T>, usize, usize),
    range: &Range<u64>,
    bounds: &Range<u64>,
    middle: u64,
) -> Result<([Child<'m, T>; 2], Fill<'m, T>), NoMemory> {
    let run = |from, to| Run::of(leaf, from, to);
    let mut build = |below: &Run<'m, T>, open, above: &Run<'m, T>, low, high| {
        let memory = tree.rcu().allocate().ok_or(NoMemory)?;
        let new = Leaf::join(memory, prepared, below, open, above);
        Ok((new, Child { key: low, link: new.link(), gap: new.gap(low, high) }))
    };
    let nothing = run(0, 0);
    if place < first {
        let (new, lower) = build(&run(0, place), Some(range), &run(place, first - 1), bounds.start, middle)?;
        let (_, upper) = build(&run(first - 1, NARROW), None, &nothing, middle, bounds.end)?;
        Ok(([lower, upper], (new, place)))
    } else {
        let (_, lower) = build(&run(0, first), None, &nothing, bounds.start, middle)?;
        let (new, upper) = build(&run(first, place), Some(range), &run(place, NARROW), middle, bounds.end)?;
        Ok(([lower, upper], (new, place - first)))
    }
}

/// A split on its way up.
struct Split<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    plan: &'t mut Plan<'m, T>,
    prepared: &'t mut Chain,
    packing: Packing,
    doomed: Chain,
}

impl<'m, T, S: NodeSource> Split<'_, 'm, T, S> {
    #[inline(always)]
    fn run(
        &mut self,
        leaf: Leaf<'m, T>,
        mut new: [Child<'m, T>; 2],
        fill: Fill<'m, T>,
    ) -> Result<(), NoMemory> {
        self.doomed.doom(leaf.link());
        let height = self.plan.path.height;
        let mut level = 1;
        let (top, level, height) = loop {
            let (node, index) = (self.plan.path.node(level), self.plan.path.index(level));
            self.doomed.doom(node.link());
            let count = node.count();
            if count < FANOUT {
                break (self.join(node, index, &new, 0..count + 1)?, level, height);
            }
            self.packing = self.packing.above(index, count);
            let first = self.packing.first_of_two(FANOUT + 1, FANOUT_MIN);
            new = [self.join(node, index, &new, 0..first)?, self.join(node, index, &new, first..FANOUT + 1)?];
            if level == LEVELS {
                return Err(NoMemory);
            }
            if level == height {
                let memory = self.tree.rcu().allocate().ok_or(NoMemory)?;
                let nothing = Siblings { inner: node, from: 0, to: 0 };
                break (
                    Inner::join(memory, self.prepared, &nothing, &new, &nothing, LIMIT),
                    height,
                    height + 1,
                );
            }
            level += 1;
        };
        self.plan.change = Change::Replace {
            new: Some(top.link),
            level,
            height,
            gap: top.gap,
            fill: Some(fill),
            len: self.tree.len() + 1,
            doomed: self.doomed.take(),
        };
        Ok(())
    }

    /// Builds a node of `chunk` of the children of `node`, of which the two `new` ones replace number `index`.
    #[inline(always)]
    fn join(
        &mut self,
        node: Inner<'m, T>,
        index: usize,
        new: &[Child<'m, T>; 2],
        chunk: Range<usize>,
    ) -> Result<Child<'m, T>, NoMemory> {
        let memory = self.tree.rcu().allocate().ok_or(NoMemory)?;
        let below = Siblings { inner: node, from: chunk.start.min(index), to: chunk.end.min(index) };
        let behind = |at: usize| at.max(index + 2) - 1;
        let above = Siblings { inner: node, from: behind(chunk.start), to: behind(chunk.end) };
        let between = |at: usize| at.clamp(index, index + 2) - index;
        let high = match chunk.end {
            end if end <= index => node.key(end),
            end if end == index + 1 => new[1].key,
            end => node.key(end - 1),
        };
        let new = &new[between(chunk.start)..between(chunk.end)];
        Ok(Inner::join(memory, self.prepared, &below, new, &above, high))
    }
}
