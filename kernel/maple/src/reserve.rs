//! Reserving: everything of a store that may fail.
//!
//! A reservation builds the replacement of the nodes that the store will change, with a place left open for the value; the
//! store then brings the value and links the replacement by one pointer write. So a store neither allocates nor fails, and
//! a reservation that is dropped leaves no trace.
//!
//! Most stores stay inside a packed leaf and leave it between its least and its most entries. An entry that goes alone becomes
//! vacant in place, so its erase needs no memory; one that comes into free pages is [`patch`]ed in; others are [`splice`]d.
//! Everything else is [`rebuild`](crate::rebuild)'s.

use core::ops::Range;

use crate::{
    geometry::{LEAF_MIN, NARROW},
    node::{Aim, Chain, Leaf, Met, One, Origin, Spot, Two, saturate},
    path::{Change, NOWHERE, NewGap, Plan},
    rebuild::rebuild,
    source::{Bug, NodeSource},
    span::erase_span,
    split::split,
    tree::Tree,
};

/// What a reservation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Store one entry over the whole range.
    Entry,
    /// Store nothing over the whole range.
    Erase,
}

/// The node source has no memory (or the tree would become deeper than it can be).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Prepares the store of `what` over `range`, for `plan`'s path, which leads to the leaf that covers the range's start and
/// has `bounds`. Gives the prepared nodes.
#[inline(always)]
pub(crate) fn prepare<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    bounds: Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Result<Chain, NoMemory> {
    if range.end <= bounds.end
        && let Some(leaf) = plan.path.leaf
    {
        if leaf.is_narrow() {
            if let Some(spot) = spot::<One, T>(plan, leaf, &bounds, range, what) {
                return patch::<One, T, S>(tree, plan, (leaf, spot), bounds, range, what);
            }
        } else if leaf.is_twin() {
            // Compiled once for each kind of store, as above.
            return match what {
                Store::Entry => prepare_entry_in_twin(tree, plan, leaf, bounds, range),
                Store::Erase => prepare_erase_in_twin(tree, plan, leaf, bounds, range),
            };
        }
    }
    prepare_other(tree, plan, bounds, range, what)
}

#[inline(never)]
fn prepare_entry_in_twin<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    bounds: Range<u64>,
    range: &Range<u64>,
) -> Result<Chain, NoMemory> {
    // One search for both.
    if let Some(aim) = leaf.aim::<Two>(range) {
        if aim.count < NARROW
            && let Some(spot) = leaf.free_spot_at::<Two>(&aim, &bounds)
        {
            return patch::<Two, T, S>(tree, plan, (leaf, spot), bounds, range, Store::Entry);
        }
        if let Some(done) = cut::<Two, T, S>(tree, plan, leaf, &aim) {
            return done;
        }
        let met = leaf.meet_at::<Two>(&aim);
        if fits(plan, &met, Store::Entry) {
            return splice(tree, plan, (leaf, met), bounds, range, Store::Entry);
        }
    }
    prepare_other(tree, plan, bounds, range, Store::Entry)
}

/// Copies the leaf with an entry that takes one end of another one, if the store is of that kind: no gap changes.
#[inline(always)]
fn cut<'m, O: Origin, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    aim: &Aim,
) -> Option<Result<Chain, NoMemory>> {
    let split = leaf.split_at::<O>(aim)?;
    let Some(memory) = tree.rcu().allocate() else { return Some(Err(NoMemory)) };
    let mut prepared = Chain::new();
    let new = leaf.with_split::<O>(memory, &mut prepared, &split);
    plan.change = Change::Leaf { new, place: split.spot.at, gap: NewGap::of(None), len: tree.len() + 1 };
    Some(Ok(prepared))
}

#[inline(never)]
fn prepare_erase_in_twin<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    bounds: Range<u64>,
    range: &Range<u64>,
) -> Result<Chain, NoMemory> {
    if let Some(spot) = spot::<Two, T>(plan, leaf, &bounds, range, Store::Erase) {
        return patch::<Two, T, S>(tree, plan, (leaf, spot), bounds, range, Store::Erase);
    }
    if let Some(met) = leaf.aim::<Two>(range).map(|aim| leaf.meet_at::<Two>(&aim))
        && met.lo < met.hi
        && fits(plan, &met, Store::Erase)
    {
        return splice(tree, plan, (leaf, met), bounds, range, Store::Erase);
    }
    prepare_other(tree, plan, bounds, range, Store::Erase)
}

/// Where in `leaf` the one entry comes or goes, if the store is of that kind and leaves the leaf with entries enough.
#[inline(always)]
fn spot<'m, O: Origin, T>(
    plan: &Plan<'m, T>,
    leaf: Leaf<'m, T>,
    bounds: &Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Option<Spot> {
    match what {
        Store::Entry => leaf.free_spot::<O>(range, bounds),
        Store::Erase => leaf.spot_of::<O>(range, bounds).filter(|spot| spot.can_go(plan.path.height == 0)),
    }
}

/// Largest gap of the path's leaf, as its parent knows it. Nobody asks for the root's, which no other exceeds.
#[inline(always)]
fn known_gap<T>(plan: &Plan<'_, T>) -> u64 {
    plan.path.parent().map_or(u64::MAX, |parent| parent.gap(plan.path.index(1)).into())
}

/// The largest gap of a leaf with a new one of so many pages, if it changes.
#[inline(always)]
pub(crate) fn rises_to(pages: u64, known: u64) -> Option<u32> {
    let gap = saturate(pages);
    (u64::from(gap) > known).then_some(gap)
}

/// Makes an entry vacant, or copies the leaf with one entry more or less.
#[inline(always)]
fn patch<'m, O: Origin, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    (leaf, spot): (Leaf<'m, T>, Spot),
    bounds: Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Result<Chain, NoMemory> {
    if what == Store::Erase && spot.can_be_vacated() {
        let gap = NewGap::of(rises_to(spot.free(), known_gap(plan)));
        plan.change = Change::Vacate { leaf, index: spot.at, above: spot.above, gap };
        return Ok(Chain::new());
    }
    let memory = tree.rcu().allocate().ok_or(NoMemory)?;
    let mut prepared = Chain::new();
    let new = match what {
        Store::Entry => leaf.with_entry::<O>(memory, &mut prepared, &spot),
        Store::Erase => leaf.without_entry::<O>(memory, &mut prepared, spot.at),
    };
    let known = known_gap(plan);
    plan.change = match what {
        Store::Entry => {
            // If the gap that shrinks was not the largest, that stays.
            let gap = NewGap::of((spot.free() >= known).then(|| new.gap(bounds.start, bounds.end)));
            Change::Leaf { new, place: spot.at, gap, len: tree.len() + 1 }
        }
        Store::Erase if spot.at == 0 && bounds.start > 0 => {
            let start = spot.after;
            let gap = NewGap::of((start - range.end >= known).then(|| new.gap(start, bounds.end)));
            Change::Front { new, start, gap, len: tree.len() - 1 }
        }
        Store::Erase => {
            let gap = NewGap::of(rises_to(spot.free(), known));
            Change::Leaf { new, place: NOWHERE, gap, len: tree.len() - 1 }
        }
    };
    Ok(prepared)
}

/// As [`cut`], in a narrow leaf.
#[inline(never)]
fn cut_narrow<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    leaf: Leaf<'m, T>,
    range: &Range<u64>,
) -> Option<Result<Chain, NoMemory>> {
    cut::<One, T, S>(tree, plan, leaf, &leaf.aim::<One>(range)?)
}

/// The stores that are not frequent.
#[inline(never)]
fn prepare_other<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    bounds: Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Result<Chain, NoMemory> {
    if let Some(leaf) = plan.path.leaf {
        if range.end <= bounds.end {
            if what == Store::Entry
                && leaf.is_narrow()
                && leaf.count() < NARROW
                && let Some(done) = cut_narrow(tree, plan, leaf, range)
            {
                return done;
            }
            if what == Store::Entry
                && leaf.is_packed()
                && leaf.count() == NARROW
                && let Some(done) = split(tree, plan, leaf, &bounds, range)
            {
                return done;
            }
            if let Some(met) = leaf.meet(range) {
                if what == Store::Erase && met.lo == met.hi {
                    plan.change = Change::Nothing;
                    return Ok(Chain::new());
                }
                if fits(plan, &met, what) {
                    return splice(tree, plan, (leaf, met), bounds, range, what);
                }
            } else if what == Store::Erase && leaf.is_free(range) {
                plan.change = Change::Nothing;
                return Ok(Chain::new());
            }
        } else if what == Store::Erase
            && !tree.rcu().source().has(Bug::SpanningStoreDuplicate)
            && let Some(done) = erase_span(tree, plan, leaf, &bounds, range)
        {
            return done;
        }
    } else if what == Store::Erase {
        plan.change = Change::Nothing;
        return Ok(Chain::new());
    }
    rebuild(tree, plan, bounds, range, what)
}

/// Whether the path's leaf is neither too small nor too large after a store that meets `met`.
#[inline(always)]
fn fits<T>(plan: &Plan<'_, T>, met: &Met, what: Store) -> bool {
    let least = if plan.path.height == 0 { 1 } else { LEAF_MIN };
    met.live_after(what) >= least && met.count_after(what) <= NARROW
}

/// Copies the leaf with the change in it.
#[inline(always)]
fn splice<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    plan: &mut Plan<'m, T>,
    (leaf, met): (Leaf<'m, T>, Met),
    bounds: Range<u64>,
    range: &Range<u64>,
    what: Store,
) -> Result<Chain, NoMemory> {
    let path = &plan.path;
    let memory = tree.rcu().allocate().ok_or(NoMemory)?;
    let mut prepared = Chain::new();
    let (new, place) = leaf.splice(memory, &mut prepared, &met, what);

    let moves_front = what == Store::Erase && met.lo == 0 && !met.keeps_before && bounds.start > 0;
    let raise = if moves_front { new.range(0).start } else { 0 };
    let gap = path.parent().and_then(|parent| {
        let old = u64::from(parent.gap(path.index(1)));
        // From the end of the last entry below those met to the start of the first above.
        let start = if met.lo == 0 { bounds.start } else { leaf.range(met.lo - 1).end };
        let end = if met.hi == met.count { bounds.end } else { leaf.range(met.hi).start };
        match what {
            Store::Erase if !moves_front => {
                let start = if met.keeps_before { range.start } else { start };
                let end = if met.keeps_after { range.end } else { end };
                rises_to(end - start, old)
            }
            // No gap shrinks, or none that was the largest.
            Store::Entry if shrinking(leaf, &met, start..end, range) < old => None,
            _ => Some(new.gap(bounds.start.max(raise), bounds.end)),
        }
    });
    let gap = NewGap::of(gap);
    let len = tree.len() + met.live_after(what) - leaf.live();
    plan.change = if moves_front {
        Change::Front { new, start: raise, gap, len }
    } else {
        let place = if what == Store::Entry { place } else { NOWHERE };
        Change::Leaf { new, place, gap, len }
    };
    Ok(prepared)
}

/// The largest gap that is smaller, or no more, once an entry over `range` has replaced what it met between the entries below and above,
/// which leave `free`; 0 if there is none.
#[inline]
fn shrinking<T>(leaf: Leaf<'_, T>, met: &Met, free: Range<u64>, range: &Range<u64>) -> u64 {
    if met.lo == met.hi {
        return free.end - free.start;
    }
    let Range { start, mut end } = leaf.range(met.lo);
    let mut largest = if range.start < start { start - free.start } else { 0 };
    for index in met.lo + 1..met.hi {
        let next = leaf.range(index);
        largest = largest.max(next.start - end);
        end = next.end;
    }
    if end < range.end { largest.max(free.end - end) } else { largest }
}
