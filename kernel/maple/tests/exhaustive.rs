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

/// Erases that begin and end on entries, inside of them and in the gaps between, in a tree with or without
/// vacant entries.
fn erase_every_span(entries: u64, vacant: impl Fn(u64) -> bool, cuts: [u64; 2]) {
    let ranges: Vec<_> = (0..entries).map(|index| 4 * index..4 * index + 3 + index % 2).collect();
    for first in 0..entries {
        for last in first..entries {
            let mut pair = build(&ranges);
            for index in (0..entries).filter(|index| vacant(*index)) {
                pair.try_store(ranges[index as usize].clone(), None)
                    .expect("no memory is needed or it is there");
            }
            pair.store(4 * first + cuts[0]..4 * last + 4 - cuts[1], None);
        }
    }
}

#[test]
fn erasing_every_span_of_a_deep_tree_leaves_a_right_tree() {
    for cuts in [[0, 0], [1, 0], [0, 2], [1, 2]] {
        erase_every_span(48, |_| false, cuts);
        erase_every_span(48, |index| index % 4 == 1, cuts);
        erase_every_span(48, |index| index % 3 == 2, cuts);
    }
}

#[test]
fn storing_into_every_gap_of_a_tree_of_full_leaves_leaves_a_right_tree() {
    let ranges: Vec<_> = (1..64).map(|index| 4 * index..4 * index + 2).collect();
    for vacant in [usize::MAX, 2, 5] {
        for gap in 0..64 {
            let mut pair = build(&ranges);
            ranges.iter().skip(1).step_by(vacant).for_each(|range| {
                if vacant != usize::MAX {
                    pair.try_store(range.clone(), None).expect("no memory is needed or it is there");
                }
            });
            pair.store(4 * gap + 2..4 * gap + 3, Some(99));
            pair.store(4 * gap + 3..4 * gap + 4, Some(98));
        }
    }
}

/// What is in the upper half of `pages` pages, behind a hole that one window does not reach over: leaves have two then.
fn behind_a_hole(range: &Range<u64>, pages: u64) -> Range<u64> {
    let hole = if cfg!(feature = "small") { 150 } else { 1 << 34 };
    let far = |page: u64| if page < pages / 2 { page } else { page + hole };
    far(range.start)..far(range.end - 1) + 1
}

#[test]
fn every_single_store_over_every_tree_of_up_to_six_entries_around_a_hole_is_right() {
    for ranges in all_coverings(6) {
        let ranges: Vec<_> = ranges.iter().map(|range| behind_a_hole(range, 6)).collect();
        for store in all_ranges(6) {
            for id in [Some(99), None] {
                let mut pair = build(&ranges);
                pair.store(behind_a_hole(&store, 6), id);
            }
        }
    }
}

/// Stores and erases in a tree around a hole, of one or more leaves, with or without vacant entries.
#[test]
fn every_single_store_over_a_tree_around_a_hole_is_right() {
    for entries in [3, 11, 15, 24] {
        let pages = 3 * entries;
        let ranges: Vec<_> = (0..entries).map(|index| 3 * index..3 * index + 2).collect();
        for vacant in [usize::MAX, 2, 4] {
            for store in all_ranges(pages).filter(|store| (store.end - store.start) % 3 != 0) {
                for id in [Some(99), None] {
                    let mut pair = Pair::new();
                    for (id, range) in ranges.iter().enumerate() {
                        pair.try_store(behind_a_hole(range, pages), Some(id)).expect("memory");
                    }
                    for range in ranges.iter().skip(1).step_by(vacant).filter(|_| vacant != usize::MAX) {
                        pair.try_store(behind_a_hole(range, pages), None).expect("memory");
                    }
                    pair.store(behind_a_hole(&store, pages), id);
                }
            }
        }
    }
}
