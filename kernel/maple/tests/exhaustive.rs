//! All small trees against all single stores over them.
#![cfg(not(loom))]

mod common;

use std::ops::Range;

use common::Pair;

/// All ways to cover some of `pages` pages by disjoint ranges.
fn all_coverings(pages: u64) -> Vec<Vec<Range<u64>>> {
    fn extend(from: u64, pages: u64, ranges: &mut Vec<Range<u64>>, all: &mut Vec<Vec<Range<u64>>>) {
        all.push(ranges.clone());
        for start in from..pages {
            for end in start + 1..=pages {
                ranges.push(start..end);
                extend(end, pages, ranges, all);
                ranges.pop();
            }
        }
    }
    let mut all = Vec::new();
    extend(0, pages, &mut Vec::new(), &mut all);
    all
}

fn all_ranges(pages: u64) -> impl Iterator<Item = Range<u64>> {
    (0..pages).flat_map(move |start| (start + 1..=pages).map(move |end| start..end))
}

fn build(ranges: &[Range<u64>]) -> Pair {
    let mut pair = Pair::new();
    for (id, range) in ranges.iter().enumerate() {
        pair.try_store(range.clone(), Some(id)).expect("memory");
    }
    pair
}

#[test]
fn every_single_store_over_every_tree_of_up_to_six_entries_is_right() {
    for ranges in all_coverings(6) {
        for store in all_ranges(6) {
            for id in [Some(99), None] {
                let mut pair = build(&ranges);
                pair.store(store.clone(), id);
            }
        }
    }
}

/// Three inner levels with the small fan-out, one with the real one.
#[test]
fn every_single_store_over_a_deep_tree_is_right() {
    let ranges: Vec<_> = (0..24).map(|index| 2 * index..2 * index + 1 + index % 2).collect();
    for store in all_ranges(49) {
        for id in [Some(99), None] {
            let mut pair = build(&ranges);
            pair.store(store.clone(), id);
        }
    }
}

#[test]
fn erasing_every_pair_of_entries_of_a_deep_tree_leaves_a_right_tree() {
    let ranges: Vec<_> = (0..20).map(|index| 3 * index..3 * index + 2).collect();
    for first in &ranges {
        for second in ranges.iter().filter(|second| *second != first) {
            let mut pair = build(&ranges);
            pair.try_store(first.clone(), None).expect("memory");
            pair.store(second.clone(), None);
        }
    }
}
