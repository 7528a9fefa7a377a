//! New leaves on their way up: what stores that split leaves or span several build above them.
//!
//! ```text
//!        level 2          [   .   X   .   ]            one node holds both paths and the new children fit: linked here
//!                       ┌─────┘ │ └─────┐
//!        level 1     [a b L]  [...]  [R y z]           what stays below L and above R, with the new children between,
//!                         │             │              becomes one node, or two; all between goes unread
//!        level 0     [k k│# #] [###] [# #│k k]
//!                        └── range ──────┘
//! ```

use core::ops::Range;

use crate::{
    cut::Packing,
    geometry::{FANOUT, FANOUT_MIN, LEVELS, LIMIT},
    node::{Chain, Child, Inner, Leaf, Node, Siblings},
    path::{Change, Path, Plan},
    place::Place,
    reserve::NoMemory,
    source::NodeSource,
    teardown::doom_subtree,
    tree::Tree,
};

/// One or two new nodes.
#[derive(Clone, Copy)]
pub(crate) struct New<'m, T> {
    nodes: [Child<'m, T>; 2],
    count: usize,
}

impl<'m, T> New<'m, T> {
    #[inline(always)]
    pub(crate) fn one(child: Child<'m, T>) -> Self {
        Self { nodes: [child, child], count: 1 }
    }

    #[inline(always)]
    pub(crate) fn two(lower: Child<'m, T>, upper: Child<'m, T>) -> Self {
        Self { nodes: [lower, upper], count: 2 }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[Child<'m, T>] {
        &self.nodes[..self.count]
    }
}

/// Where new nodes go at one level, and what stays beside them.
struct Level<'m, T> {
    left: Inner<'m, T>,
    /// The children of `left` that stay.
    to: usize,
    right: Inner<'m, T>,
    /// The first child of `right` that stays.
    from: usize,
    /// Children of `right`.
    count: usize,
}

impl<'m, T> Level<'m, T> {
    #[inline(always)]
    fn of(left: &Path<'m, T>, right: &Path<'m, T>, level: usize) -> Self {
        let upper = right.node(level);
        Self {
            left: left.node(level),
            to: left.index(level),
            right: upper,
            from: right.index(level) + 1,
            count: upper.count(),
        }
    }

    /// Whether both paths meet here.
    #[inline(always)]
    fn is_one(&self) -> bool {
        self.left == self.right
    }

    /// Children with `new` ones.
    #[inline(always)]
    fn children(&self, new: usize) -> usize {
        self.to + new + self.count - self.from
    }
}

/// Whether all new nodes above `leaves` new leaves will have a good size, where nothing is joined: known before anything
/// is built.
#[inline(always)]
pub(crate) fn is_balanced<T>(left: &Path<'_, T>, right: &Path<'_, T>, leaves: usize) -> bool {
    let (mut level, mut new) = (1, leaves);
    loop {
        let at = Level::of(left, right, level);
        let children = at.children(new);
        if at.is_one() {
            return children >= if level == left.height { 2 } else { FANOUT_MIN };
        }
        if children < FANOUT_MIN {
            return false;
        }
        new = 1 + usize::from(children > FANOUT);
        level += 1;
    }
}

/// A store on its way up.
pub(crate) struct Climb<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    /// Path to the first leaf that is replaced.
    left: &'t Path<'m, T>,
    /// Path to the last.
    right: &'t Path<'m, T>,
    /// The new nodes.
    pub(crate) prepared: Chain,
    doomed: Chain,
    /// Entries of the doomed leaves.
    removed: usize,
    /// How an overfull node is cut.
    packing: Packing,
}

/// Notes the change; without one the nodes prepared so far go back.
pub(crate) fn note<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    prepared: Chain,
    change: Result<Change<'m, T>, NoMemory>,
) -> Result<Chain, NoMemory> {
    let Ok(change) = change else {
        tree.rcu().give_back(prepared);
        return Err(NoMemory);
    };
    plan.change = change;
    Ok(prepared)
}

/// The new leaf where the cursor stands after the store.
pub(crate) struct Landing<'m, T> {
    pub(crate) leaf: Leaf<'m, T>,
    /// Which of the new leaves it is.
    pub(crate) number: usize,
    pub(crate) slot: usize,
    pub(crate) bounds: Range<u64>,
}

/// The node that the store links.
struct Top<'m, T> {
    new: Inner<'m, T>,
    level: usize,
    height: usize,
    /// The new node above the leaf where the cursor lands, and the number of that there.
    parent: (Inner<'m, T>, usize),
}

impl<'t, 'm, T, S: NodeSource> Climb<'t, 'm, T, S> {
    #[inline(always)]
    pub(crate) fn new(
        tree: &'t Tree<'m, T, S>,
        (left, right): (&'t Path<'m, T>, &'t Path<'m, T>),
        packing: Packing,
    ) -> Self {
        Self { tree, left, right, prepared: Chain::new(), doomed: Chain::new(), removed: 0, packing }
    }

    #[inline(always)]
    pub(crate) fn memory(&self) -> Result<&'static mut Node, NoMemory> {
        self.tree.rcu().allocate().ok_or(NoMemory)
    }

    /// Builds all that is new above the new `leaves`, and dooms what it replaces. Gives the change, which leaves the tree with
    /// `added` entries more in the new leaves, one of which may wait for its value: `fill`.
    #[inline(always)]
    pub(crate) fn finish(
        &mut self,
        leaves: New<'m, T>,
        fill: Option<(Leaf<'m, T>, usize)>,
        landing: &Landing<'m, T>,
        added: usize,
    ) -> Result<Change<'m, T>, NoMemory> {
        let Top { new, level, height, parent } = self.build(leaves, landing.number)?;
        Ok(Change::Replace {
            new: Some(new.link()),
            level,
            height,
            // Nobody asks for the root's.
            gap: if level < self.left.height { new.max_gap() } else { 0 },
            fill,
            len: self.tree.len() + added - self.removed,
            doomed: self.doomed.take(),
            place: Some(Place::in_quiet_slot(
                landing.leaf,
                Some(parent),
                landing.bounds.clone(),
                landing.slot,
            )),
        })
    }

    #[inline(always)]
    fn build(&mut self, leaves: New<'m, T>, landing: usize) -> Result<Top<'m, T>, NoMemory> {
        self.doom_leaves();
        let height = self.left.height;
        let (mut new, mut level, mut parent) = (leaves, 1, None);
        loop {
            let at = Level::of(self.left, self.right, level);
            self.doom(&at, level);
            let (children, number) = (at.children(new.count), at.to + landing);
            if children <= FANOUT {
                let node = self.join(&at, &new, 0..children)?;
                let parent = *parent.get_or_insert((node, number));
                if at.is_one() {
                    return Ok(Top { new: node, level, height, parent });
                }
                new = New::one(node.as_child());
            } else {
                self.packing = self.packing.above(at.to, at.count);
                let first = self.packing.first_of_two(children, FANOUT_MIN);
                let lower = self.join(&at, &new, 0..first)?;
                let upper = self.join(&at, &new, first..children)?;
                parent.get_or_insert(if number < first { (lower, number) } else { (upper, number - first) });
                new = New::two(lower.as_child(), upper.as_child());
                if level == LEVELS {
                    return Err(NoMemory);
                }
                if level == height {
                    let nothing = Siblings { inner: at.left, from: 0, to: 0 };
                    let memory = self.memory()?;
                    let root =
                        Inner::join(memory, &mut self.prepared, &nothing, new.as_slice(), &nothing, LIMIT);
                    let parent = parent.unwrap_or((root, number));
                    return Ok(Top { new: root, level, height: height + 1, parent });
                }
            }
            level += 1;
        }
    }

    /// Builds a node of `chunk` of the children that stay at a level, with the `new` ones between.
    #[inline(always)]
    fn join(
        &mut self,
        at: &Level<'m, T>,
        new: &New<'m, T>,
        chunk: Range<usize>,
    ) -> Result<Inner<'m, T>, NoMemory> {
        let behind = at.to + new.count;
        let below = Siblings { inner: at.left, from: chunk.start.min(at.to), to: chunk.end.min(at.to) };
        let above = |index: usize| index.max(behind) - behind + at.from;
        let high = match chunk.end {
            end if end < at.to => at.left.key(end),
            end if end < behind => new.nodes[end - at.to].key,
            end => at.right.key(above(end)),
        };
        let above = Siblings { inner: at.right, from: above(chunk.start), to: above(chunk.end) };
        let between = |index: usize| index.clamp(at.to, behind) - at.to;
        let new = &new.nodes[between(chunk.start)..between(chunk.end)];
        Ok(Inner::join(self.memory()?, &mut self.prepared, &below, new, &above, high))
    }

    /// Dooms the leaves at both ends.
    #[inline(always)]
    fn doom_leaves(&mut self) {
        let (left, right) = (self.left.leaf, self.right.leaf);
        if let Some(leaf) = left {
            self.removed += self.doomed.doom(leaf.link());
        }
        if let Some(leaf) = right
            && !Leaf::is_same(left, right)
        {
            self.removed += self.doomed.doom(leaf.link());
        }
    }

    /// Dooms the nodes of a level at both ends, and all between.
    #[inline(always)]
    fn doom(&mut self, at: &Level<'m, T>, level: usize) {
        self.doomed.doom(at.left.link());
        if at.is_one() {
            return self.doom_children(at.left, at.to + 1..at.from - 1, level);
        }
        self.doomed.doom(at.right.link());
        self.doom_children(at.left, at.to + 1..at.left.count(), level);
        self.doom_children(at.right, 0..at.from - 1, level);
    }

    #[inline(always)]
    fn doom_children(&mut self, node: Inner<'m, T>, children: Range<usize>, level: usize) {
        for index in children {
            let child = node.child(index);
            // Below level 1 there are leaves.
            self.removed +=
                if level == 1 { self.doomed.doom(child) } else { doom_subtree(child, &mut self.doomed) };
        }
    }
}
