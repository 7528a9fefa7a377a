//! Erases that span leaves: the frequent ones, without the generality of [`rebuild`](crate::rebuild).
//!
//! What the leaves at both ends keep becomes one leaf, or two; [`climb`](crate::climb) builds what is above. If one of the new
//! nodes would be too small it is the rebuild's: that is known before anything is built.

use core::ops::Range;

use crate::{
    climb::{Climb, Landing, New, is_balanced, note},
    cut::Packing,
    geometry::{LEAF_MIN, NARROW},
    node::{Chain, Child, Leaf, One, Run},
    path::{Change, Path, Plan},
    reserve::NoMemory,
    source::NodeSource,
    tree::Tree,
};

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
    let leaves = leaves_for(&kept, &behind)?;
    if !is_balanced(left, &right, leaves) {
        return None;
    }
    let mut climb = Climb::new(tree, (left, &right), Packing::Even);
    let change = erase(&mut climb, (&kept, &behind), leaves, range, low..high);
    let prepared = climb.prepared;
    // At and above the top the noted path is the left one, too.
    Some(note(tree, plan, prepared, change))
}

/// How many leaves are made of what the two at the ends keep. `None` if one would be too small.
#[inline(always)]
fn leaves_for<T>(kept: &Run<'_, T>, behind: &Run<'_, T>) -> Option<usize> {
    let (low, high) = (kept.live(), behind.live());
    if (LEAF_MIN..=NARROW).contains(&(low + high)) && kept.is_beside(behind) {
        return Some(1);
    }
    (low >= LEAF_MIN && high >= LEAF_MIN).then_some(2)
}

/// Builds the new leaves, which reach over `bounds`, and all above.
#[inline(always)]
fn erase<'m, T, S: NodeSource>(
    climb: &mut Climb<'_, 'm, T, S>,
    (kept, behind): (&Run<'m, T>, &Run<'m, T>),
    leaves: usize,
    range: &Range<u64>,
    bounds: Range<u64>,
) -> Result<Change<'m, T>, NoMemory> {
    let mut build = |below: &Run<'m, T>, above: &Run<'m, T>| {
        Ok(Leaf::join::<One>(climb.memory()?, &mut climb.prepared, below, None, above))
    };
    let child = |leaf: Leaf<'m, T>, bounds: &Range<u64>| Child {
        key: bounds.start,
        link: leaf.link(),
        gap: leaf.gap(bounds.start, bounds.end),
    };
    let added = kept.live() + behind.live();
    let (leaf, leaves, bounds) = if leaves == 1 {
        let leaf = build(kept, behind)?;
        leaf.cut_out(kept.live(), range);
        (leaf, New::one(child(leaf, &bounds)), bounds)
    } else {
        let (leaf, above) = (build(kept, &kept.none())?, build(behind, &behind.none())?);
        leaf.cut_out(kept.live(), range);
        above.cut_out(0, range);
        let middle = above.range(0).start;
        let (lower, upper) = (bounds.start..middle, middle..bounds.end);
        (leaf, New::two(child(leaf, &lower), child(above, &upper)), lower)
    };
    climb.finish(leaves, None, &Landing { leaf, number: 0, slot: 2 * kept.live(), bounds }, added)
}
