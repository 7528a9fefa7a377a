//! The tree work of one munmap in each of the four orders (design.md, section 1), as cursor walks.
//!
//! split start, gather into an array, split end, back to the start, clear, neighbours: the calls that mm makes. What the order
//! changes is which half of a split is new (no difference to a tree that stores the new half in one step), when the neighbours are
//! read, and how the iterator comes back.

use std::{
    hint::black_box,
    ops::{ControlFlow, Range},
};

use maple::{LIMIT, Store};

use super::{Fixture, Random, VALUE};

/// How the iterator comes back to the start, and when the neighbours are read.
pub(crate) trait Order {
    const NAME: &'static str;
    const NEIGHBOURS: Neighbours;
    const RETURN: Return;
}

#[derive(PartialEq)]
pub(crate) enum Neighbours {
    /// Before the gather loop (`prev`) and before the clear (`next`).
    Early,
    /// Both after the clear.
    Late,
    /// Not at all: the bounds of the gap after the clear are their ends.
    Gap,
}

#[derive(PartialEq)]
pub(crate) enum Return {
    /// The clear walks again from the root.
    Reset,
    /// Leaf by leaf.
    WalkBack,
    /// Inside the leaf at hand if that still holds the start, else one walk from the root.
    Adaptive,
}

pub(crate) struct Prepatch;
pub(crate) struct Reordered;
pub(crate) struct Vms;
pub(crate) struct Adaptive;

impl Order for Prepatch {
    const NAME: &'static str = "prepatch";
    const NEIGHBOURS: Neighbours = Neighbours::Early;
    const RETURN: Return = Return::Reset;
}
impl Order for Reordered {
    const NAME: &'static str = "reordered";
    const NEIGHBOURS: Neighbours = Neighbours::Late;
    const RETURN: Return = Return::WalkBack;
}
impl Order for Vms {
    const NAME: &'static str = "vms";
    const NEIGHBOURS: Neighbours = Neighbours::Early;
    const RETURN: Return = Return::WalkBack;
}
impl Order for Adaptive {
    const NAME: &'static str = "adaptive";
    const NEIGHBOURS: Neighbours = Neighbours::Gap;
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
        let mut count = 0;
        let mut gather = |values: &[&'static u64]| {
            if let Some(places) = gathered.get_mut(count..count + values.len()) {
                places.copy_from_slice(values);
            }
            count += values.len();
        };
        let mut cursor = self.tree.cursor_mut(&mut self.token, range.start);
        let Some((first, value)) = cursor.find(range.end) else { return };
        if first.start < range.start {
            let upper = cursor.reserve(range.start..first.end, Store::Entry).expect("memory");
            cursor.store(upper, Some(&VALUE));
        }
        if O::NEIGHBOURS == Neighbours::Early {
            black_box(cursor.prev());
            black_box(cursor.next());
        }
        gather(&[value]);
        let all = cursor.visit_below(range.end, |values| {
            gather(values);
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(all.is_continue());
        let last = cursor.range();
        if last.end > range.end {
            let upper = cursor.reserve(range.end..last.end, Store::Entry).expect("memory");
            cursor.store(upper, Some(&VALUE));
        }
        if O::NEIGHBOURS == Neighbours::Early {
            // After a split the cursor stands on the one above.
            black_box(if last.end > range.end { cursor.find(LIMIT) } else { cursor.next() });
        }
        match O::RETURN {
            Return::Reset => cursor.walk(range.start),
            Return::WalkBack => _ = cursor.walk_back(range.start),
            Return::Adaptive => cursor.seek(range.start),
        }
        // What may fail comes first; the store is the point of no return.
        let clear = cursor.reserve(range, Store::Erase).expect("memory");
        cursor.store(clear, None);
        match O::NEIGHBOURS {
            Neighbours::Early => {}
            Neighbours::Late => {
                black_box(cursor.prev());
                black_box(cursor.next());
            }
            Neighbours::Gap => _ = black_box(cursor.range()),
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
