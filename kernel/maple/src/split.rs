//! Stores of an entry into free pages of a full leaf: the frequent split, without the generality of
//! [`rebuild`](crate::rebuild).
//!
//! The leaf becomes two, its parent is copied with one child more. Only if that is full, too, does the split go on above
//! ([`climb`](crate::climb)).

use core::ops::Range;

use crate::{
    climb::{Climb, Landing, New, note},
    cut::Packing,
    geometry::{LEAF_MIN, NARROW},
    node::{Chain, Child, Leaf, One, Run, Two},
    path::{Change, NewGap, Plan},
    reserve::NoMemory,
    source::NodeSource,
    tree::Tree,
};

/// Prepares the store of an entry over `range` in `leaf`, the path's leaf, which is packed and full and has `bounds`.
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
    let place = below.live();
    if place + above.live() < NARROW {
        // Without its vacant entries the leaf has room.
        let Some(memory) = tree.rcu().allocate() else { return Some(Err(NoMemory)) };
        let mut prepared = Chain::new();
        let new = if leaf.is_narrow() {
            Leaf::join::<One>(memory, &mut prepared, &below, Some(range), &above)
        } else {
            Leaf::join::<Two>(memory, &mut prepared, &below, Some(range), &above)
        };
        // Nobody asks for the root's.
        let gap = NewGap::of(plan.path.parent().map(|_| new.gap(bounds.start, bounds.end)));
        plan.change = Change::Leaf { new, place, gap, len: tree.len() + 1 };
        return Some(Ok(prepared));
    }
    if plan.path.height == 0 {
        return None;
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
    let mut climb = Climb::new(tree, (&plan.path, &plan.path), packing);
    let change = halves(&mut climb, (leaf, place, first), range, bounds, middle);
    let prepared = climb.prepared;
    Some(note(tree, plan, prepared, change))
}

/// Builds the two leaves, and all above: the new entry is number `place`, and number `first` is the upper leaf's first, which
/// starts at `middle`.
#[inline(always)]
fn halves<'m, T, S: NodeSource>(
    climb: &mut Climb<'_, 'm, T, S>,
    (leaf, place, first): (Leaf<'m, T>, usize, usize),
    range: &Range<u64>,
    bounds: &Range<u64>,
    middle: u64,
) -> Result<Change<'m, T>, NoMemory> {
    let run = |from, to| Run::of(leaf, from, to);
    let mut build = |below: &Run<'m, T>, open, above: &Run<'m, T>, bounds: &Range<u64>| {
        let new = Leaf::join::<One>(climb.memory()?, &mut climb.prepared, below, open, above);
        Ok((new, Child { key: bounds.start, link: new.link(), gap: new.gap(bounds.start, bounds.end) }))
    };
    let nothing = run(0, 0);
    let (below, above) = (bounds.start..middle, middle..bounds.end);
    let is_lower = place < first;
    let (fill, leaves, bounds) = if is_lower {
        let (new, lower) = build(&run(0, place), Some(range), &run(place, first - 1), &below)?;
        let (_, upper) = build(&run(first - 1, NARROW), None, &nothing, &above)?;
        ((new, place), New::two(lower, upper), below)
    } else {
        let (_, lower) = build(&run(0, first), None, &nothing, &below)?;
        let (new, upper) = build(&run(first, place), Some(range), &run(place, NARROW), &above)?;
        ((new, place - first), New::two(lower, upper), above)
    };
    let landing = Landing { leaf: fill.0, number: usize::from(!is_lower), slot: 2 * fill.1 + 1, bounds };
    climb.finish(leaves, Some(fill), &landing, NARROW + 1)
}
