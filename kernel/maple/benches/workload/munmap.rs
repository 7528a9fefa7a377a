//! The tree work of one munmap in each of the four orders (design.md, section 1), as cursor walks.
//!
//! split start, split end, gather into an array, back to the start, clear, neighbours. What the order changes is which half of
//! a split is new (no difference to a tree that stores the new half in one step), when the neighbours are read, and how the
//! iterator comes back.

use std::{
    hint::black_box,
    ops::{ControlFlow, Range},
};

use maple::{CursorMut, Store};

use super::{Fixture, Magazine, Random, VALUE};

/// How the iterator comes back to the start, and when the neighbours are read.
pub(crate) trait Order {
    const NAME: &'static str;
    /// Neighbours are read before the gather loop (`prev`) and before the clear (`next`), not after the write of NULL.
    const EARLY_NEIGHBOURS: bool;
    const RETURN: Return;
}

#[derive(PartialEq)]
pub(crate) enum Return {
    /// The clear walks again from the root.
    Reset,
    /// Slot by slot.
    StepBack,
    /// Slot by slot only while the leaf at hand still holds the start, else one walk.
    Adaptive,
}

pub(crate) struct Prepatch;
pub(crate) struct Reordered;
pub(crate) struct Vms;
pub(crate) struct Adaptive;

impl Order for Prepatch {
    const NAME: &'static str = "prepatch";
    const EARLY_NEIGHBOURS: bool = true;
    const RETURN: Return = Return::Reset;
}
impl Order for Reordered {
    const NAME: &'static str = "reordered";
    const EARLY_NEIGHBOURS: bool = false;
    const RETURN: Return = Return::StepBack;
}
impl Order for Vms {
    const NAME: &'static str = "vms";
    const EARLY_NEIGHBOURS: bool = true;
    const RETURN: Return = Return::StepBack;
}
impl Order for Adaptive {
    const NAME: &'static str = "adaptive";
    const EARLY_NEIGHBOURS: bool = false;
    const RETURN: Return = Return::Adaptive;
}

/// The orders, as reports name them.
pub(crate) const NAMES: [&str; 4] = [Prepatch::NAME, Reordered::NAME, Vms::NAME, Adaptive::NAME];

/// What reports call a munmap of `k` ranges.
pub(crate) fn name<O: Order>(k: usize, ends: Ends) -> String {
    format!("munmap {k} {ends:?} {}", O::NAME)
}

/// First ranges of the ten munmaps of `k` ranges that are measured, at random places.
pub(crate) fn firsts(n: usize, k: usize) -> impl Iterator<Item = usize> {
    let mut random = Random::new();
    (0..10).map(move |_| random.below(n - k))
}

/// The array that a munmap of `k` ranges gathers into.
pub(crate) fn room(k: usize) -> Vec<&'static u64> {
    vec![&VALUE; k + 1]
}

/// What is unmapped: whole ranges, or ranges of which the first and the last are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ends {
    Whole,
    Partial,
}

/// Steps back slot by slot until the cursor stands at or below `start`.
#[inline(always)]
fn step_back(cursor: &mut CursorMut<'_, '_, 'static, u64, Magazine>, start: u64) {
    let mut at = cursor.range();
    while at.start > start
        && let Some(before) = cursor.prev_range()
    {
        at = before;
    }
}

impl Fixture {
    /// Where a munmap of `k` ranges from range `first` begins and ends.
    pub(crate) fn span(&self, first: usize, k: usize, ends: Ends) -> Range<u64> {
        let (low, high) = (&self.ranges[first], &self.ranges[first + k - 1]);
        match ends {
            Ends::Whole => low.start..high.end,
            Ends::Partial => low.start + 8..high.end - 8,
        }
    }

    /// One munmap of `range`; `gathered` has room for its entries.
    #[inline(always)]
    pub(crate) fn munmap<O: Order>(&mut self, range: Range<u64>, gathered: &mut [&'static u64]) {
        let mut free = gathered.iter_mut();
        let mut gather = |value| {
            if let Some(place) = free.next() {
                *place = value;
            }
        };
        let mut cursor = self.tree.cursor_mut(&mut self.token, range.start);
        let Some((first, _)) = cursor.find(range.end) else { return };
        if first.start < range.start {
            let upper = cursor.reserve(range.start..first.end, Store::Entry).expect("memory");
            cursor.store(upper, Some(&VALUE));
        }
        if O::EARLY_NEIGHBOURS {
            black_box(cursor.prev());
            black_box(cursor.next());
        }
        let cut = cursor.visit_below(range.end, |entry, value| {
            if entry.end > range.end {
                return ControlFlow::Break(());
            }
            gather(value);
            ControlFlow::Continue(())
        });
        if cut.is_break() {
            let lower = cursor.reserve(cursor.range().start..range.end, Store::Entry).expect("memory");
            cursor.store(lower, Some(&VALUE));
            gather(&VALUE);
        }
        if O::EARLY_NEIGHBOURS {
            black_box(cursor.next());
        }
        match O::RETURN {
            Return::Reset => cursor.walk(range.start),
            Return::StepBack => step_back(&mut cursor, range.start),
            Return::Adaptive if cursor.holds(range.start) => step_back(&mut cursor, range.start),
            Return::Adaptive => cursor.walk(range.start),
        }
        // What may fail comes first; the store is the point of no return.
        let clear = cursor.reserve(range, Store::Erase).expect("memory");
        cursor.store(clear, None);
        if !O::EARLY_NEIGHBOURS {
            black_box(cursor.prev());
            black_box(cursor.next());
        }
        black_box(gathered);
        self.reader.quiescent();
    }

    /// Puts back the ranges that a munmap of `k` ranges from `first` has taken.
    pub(crate) fn remap(&mut self, first: usize, k: usize) {
        for index in first..first + k {
            self.store(self.ranges[index].clone());
        }
    }
}
