//! Erases that span leaves: the frequent ones, without the generality of [`rebuild`](crate::rebuild).
//!
//! What the leaves at both ends keep becomes one leaf, or two; on the way up the two border nodes of each level become one
//! node, or two, up to the node where both paths meet. All between them goes unread. If one of the new nodes would be too small or
//! does not fit, it is the rebuild's: that is known before anything is built.

use core::ops::Range;

use crate::{
    geometry::{FANOUT, FANOUT_MIN, LEAF_MIN, NARROW},
    node::{Chain, Child, Inner, Leaf, Run, Siblings},
    path::{Change, Path, Plan},
    reserve::NoMemory,
    source::NodeSource,
    teardown::doom_subtree,
    tree::Tree,
};

/// What two border nodes keep.
enum Shape {
    /// It fits into one node.
    One,
    /// Each keeps enough; of two nodes the lower gets this many of the new children.
    Two(usize),
}

/// Prepares the erase of `range`, which begins in `leaf`, the path's leaf with `bounds`, and ends above it. `None` if it is not
/// one of the frequent ones: nothing has been done then.
#[inline(never)]
pub(crate) fn erase_span<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    bounds: &Range<u64>,
    range: &Range<u64>,
) -> Option<Result<Chain, NoMemory>> {
    let before;
    let (mut left, mut leaf, mut low) = (&plan.path, leaf, bounds.start);
    let mut below = range.start.checked_sub(1).map_or(0, |page| leaf.search(page));
    if below == 0 && low > 0 {
        // The leaf goes, and the one before knows the gap.
        let mut path = Path::new();
        low = path.walk(tree, low - 1).bounds().start;
        before = path;
        (left, leaf) = (&before, before.leaf?);
        below = leaf.count();
    }
    let mut right = Path::new();
    let high = right.walk(tree, range.end - 1).bounds().end;
    let last = right.leaf?;
    if !leaf.is_narrow() || !last.is_narrow() {
        return None;
    }
    let above = last.search(range.end - 1);
    let is_cut = above > 0 && last.range(above - 1).end > range.end;
    let (kept, behind) = (Run::of(leaf, 0, below), Run::of(last, above - usize::from(is_cut), last.count()));
    let shape = shape_of_leaves(&kept, &behind)?;
    let top = find_top(left, &right, &shape)?;

    let mut span =
        Span { tree, left, right: &right, prepared: Chain::new(), doomed: Chain::new(), removed: 0 };
    let done =
        span.leaves((&kept, &behind), &shape, range, low..high).and_then(|leaves| span.run(leaves, top));
    let Ok(new) = done else {
        tree.rcu().give_back(span.prepared);
        return Some(Err(NoMemory));
    };
    let Span { prepared, doomed, removed, .. } = span;
    // At and above the top the noted path is the left one, too.
    plan.change = Change::Replace {
        new: Some(new.link),
        level: top,
        height: plan.path.height,
        gap: new.gap,
        fill: None,
        len: tree.len() + kept.live() + behind.live() - removed,
        doomed,
    };
    Some(Ok(prepared))
}

#[inline(always)]
fn shape_of_leaves<T>(kept: &Run<'_, T>, behind: &Run<'_, T>) -> Option<Shape> {
    let (low, high) = (kept.live(), behind.live());
    if (LEAF_MIN..=NARROW).contains(&(low + high)) && kept.is_beside(behind) {
        return Some(Shape::One);
    }
    (low >= LEAF_MIN && high >= LEAF_MIN).then_some(Shape::Two(0))
}

/// The shape of the two border nodes of `level`, with so many `new` children between what they keep.
#[inline(always)]
fn shape_of<T>(left: &Path<'_, T>, right: &Path<'_, T>, level: usize, new: usize) -> Option<Shape> {
    let (low, high) = (left.index(level), right.node(level).count() - right.index(level) - 1);
    let all = low + new + high;
    if all <= FANOUT {
        return (all >= FANOUT_MIN).then_some(Shape::One);
    }
    let lower = if new == 2 || low < high { 1 } else { 0 };
    (low + lower >= FANOUT_MIN && high + new - lower >= FANOUT_MIN).then_some(Shape::Two(lower))
}

/// The level where both paths meet in one node, if all new nodes up to there have a good size.
#[inline(always)]
fn find_top<T>(left: &Path<'_, T>, right: &Path<'_, T>, leaves: &Shape) -> Option<usize> {
    let (mut level, mut new) = (1, leaves.nodes());
    while left.node(level) != right.node(level) {
        new = shape_of(left, right, level, new)?.nodes();
        level += 1;
    }
    let node = left.node(level);
    let children = left.index(level) + new + node.count() - right.index(level) - 1;
    let least = if level == left.height { 2 } else { FANOUT_MIN };
    (least..=FANOUT).contains(&children).then_some(level)
}

impl Shape {
    #[inline(always)]
    fn nodes(&self) -> usize {
        match self {
            Self::One => 1,
            Self::Two(_) => 2,
        }
    }
}

/// The new nodes of one level.
type New<'m, T> = (Child<'m, T>, Option<Child<'m, T>>);

/// An erase on its way up.
struct Span<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    left: &'t Path<'m, T>,
    right: &'t Path<'m, T>,
    prepared: Chain,
    doomed: Chain,
    /// Entries of the doomed leaves.
    removed: usize,
}

impl<'m, T, S: NodeSource> Span<'_, 'm, T, S> {
    /// Builds the new leaves, which reach over `bounds`.
    #[inline(always)]
    fn leaves(
        &mut self,
        (kept, behind): (&Run<'m, T>, &Run<'m, T>),
        shape: &Shape,
        range: &Range<u64>,
        bounds: Range<u64>,
    ) -> Result<New<'m, T>, NoMemory> {
        let last_kept = kept.live().wrapping_sub(1);
        if let Shape::One = shape {
            let new = Leaf::join(self.memory()?, &mut self.prepared, kept, None, behind);
            if last_kept < NARROW && new.range(last_kept).end > range.start {
                new.cut(last_kept, 0..range.start);
            }
            if behind.live() > 0 && new.range(kept.live()).start < range.end {
                new.cut(kept.live(), range.end..u64::MAX);
            }
            let gap = new.gap(bounds.start, bounds.end);
            return Ok((Child { key: bounds.start, link: new.link(), gap }, None));
        }
        let lower = Leaf::join(self.memory()?, &mut self.prepared, kept, None, &kept.none());
        if lower.range(last_kept).end > range.start {
            lower.cut(last_kept, 0..range.start);
        }
        let upper = Leaf::join(self.memory()?, &mut self.prepared, behind, None, &behind.none());
        if upper.range(0).start < range.end {
            upper.cut(0, range.end..u64::MAX);
        }
        let key = upper.range(0).start;
        Ok((
            Child { key: bounds.start, link: lower.link(), gap: lower.gap(bounds.start, key) },
            Some(Child { key, link: upper.link(), gap: upper.gap(key, bounds.end) }),
        ))
    }

    /// Builds the inner nodes up to the level `top`; gives the one there. Dooms all that they replace.
    #[inline(always)]
    fn run(&mut self, leaves: New<'m, T>, top: usize) -> Result<Child<'m, T>, NoMemory> {
        self.doom_leaves();
        let mut new = leaves;
        for level in 1..top {
            let (left, right) = (self.left.node(level), self.right.node(level));
            let (to, from) = (self.left.index(level), self.right.index(level) + 1);
            let count = right.count();
            self.doomed.doom(left.link());
            self.doomed.doom(right.link());
            self.doom_children(left, to + 1, left.count());
            self.doom_children(right, 0, from - 1);
            let below = Siblings { inner: left, from: 0, to };
            let above = Siblings { inner: right, from, to: count };
            let children = [new.0, new.1.unwrap_or(new.0)];
            let children = &children[..1 + usize::from(new.1.is_some())];
            let high = right.key(count);
            let shape = shape_of(self.left, self.right, level, children.len()).ok_or(NoMemory)?;
            new = match shape {
                Shape::One => (self.join(&below, children, &above, high)?, None),
                Shape::Two(lower) => {
                    let (lower, upper) = children.split_at(lower);
                    let middle = upper.first().map_or_else(|| right.key(from), |child| child.key);
                    let none = |inner| Siblings { inner, from: 0, to: 0 };
                    let lower = self.join(&below, lower, &none(left), middle)?;
                    (lower, Some(self.join(&none(right), upper, &above, high)?))
                }
            };
        }
        let node = self.left.node(top);
        let (to, from, count) = (self.left.index(top), self.right.index(top) + 1, node.count());
        self.doomed.doom(node.link());
        self.doom_children(node, to + 1, from - 1);
        let below = Siblings { inner: node, from: 0, to };
        let above = Siblings { inner: node, from, to: count };
        let children = [new.0, new.1.unwrap_or(new.0)];
        self.join(&below, &children[..1 + usize::from(new.1.is_some())], &above, node.key(count))
    }

    fn join(
        &mut self,
        below: &Siblings<'m, T>,
        new: &[Child<'m, T>],
        above: &Siblings<'m, T>,
        high: u64,
    ) -> Result<Child<'m, T>, NoMemory> {
        Ok(Inner::join(self.memory()?, &mut self.prepared, below, new, above, high))
    }

    #[inline(always)]
    fn memory(&mut self) -> Result<&'static mut crate::Node, NoMemory> {
        self.tree.rcu().allocate().ok_or(NoMemory)
    }

    /// Dooms the leaves at both ends.
    #[inline(always)]
    fn doom_leaves(&mut self) {
        for leaf in [self.left.leaf, self.right.leaf].into_iter().flatten() {
            self.removed += self.doomed.doom(leaf.link());
        }
    }

    /// Dooms children `from` to `to` of a node, with all below them.
    #[inline(always)]
    fn doom_children(&mut self, node: Inner<'m, T>, from: usize, to: usize) {
        for index in from..to {
            self.removed += doom_subtree(node.child(index), &mut self.doomed);
        }
    }
}
