//! Range stores: overwrites, spans, exact fits, wide ranges.

use maple::LIMIT;

use crate::common::{Pair, value};

fn comb(n: u64) -> Pair {
    Pair::with((0..n).map(|id| (8 * id..8 * id + 4, id as usize)))
}

#[test]
fn a_store_inside_an_entry_leaves_the_old_value_on_both_sides() {
    let mut pair = Pair::with([(100..200, 1)]);
    pair.store(140..150, Some(2));
    assert_eq!(pair.tree.get(&pair.token, 139), Some((100..140, value(1))));
    assert_eq!(pair.tree.get(&pair.token, 150), Some((150..200, value(1))));
}

#[test]
fn an_erase_inside_an_entry_leaves_the_old_value_on_both_sides() {
    let mut pair = Pair::with([(100..200, 1)]);
    pair.store(140..150, None);
    assert_eq!(pair.tree.len(), 2);
    assert_eq!(pair.tree.get(&pair.token, 145), None);
}

#[test]
fn a_store_over_both_borders_cuts_the_neighbours() {
    let mut pair = Pair::with([(0..10, 1), (10..20, 2), (20..30, 3)]);
    pair.store(5..25, Some(4));
    assert_eq!(pair.model.0.len(), 3);
}

#[test]
fn a_store_over_the_whole_tree_leaves_one_entry_in_one_node() {
    let mut pair = comb(200);
    pair.store(0..LIMIT, Some(7));
    assert_eq!((pair.tree.len(), pair.nodes()), (1, 1));
    pair.finish();
}

#[test]
fn spans_over_one_two_and_three_levels_are_right_at_every_border() {
    for n in [10, 40, 130] {
        for start in (0..8 * n).step_by(37) {
            for pages in [9, 60, 300, 900] {
                for id in [Some(99), None] {
                    let mut pair = comb(n);
                    pair.store(start..start + pages, id);
                }
            }
        }
    }
}

#[test]
fn a_span_that_ends_inside_a_gap_joins_the_gaps() {
    let mut pair = comb(60);
    pair.store(13..87, None);
    assert_eq!(pair.tree.cursor(&pair.token, 40).range(), 12..88);
    assert_eq!(pair.tree.find_area(&pair.token, 0..400, 76), Some(12));
}

/// The shape of the corruption that Linux 6.12 fixed: the span ends with the last entry of a node in the middle.
#[test]
fn a_span_that_ends_with_a_node_leaves_the_next_node_alone() {
    for end in (8..480).step_by(8) {
        let mut pair = comb(60);
        pair.store(3..end - 4, Some(99));
        pair.store(end + 1..end + 2, Some(98));
    }
}

#[test]
fn entries_farther_apart_than_a_narrow_leaf_reaches_are_found() {
    let mut pair = Pair::new();
    for id in 0..44u64 {
        pair.store(1 << id..(1 << id) + (1 << id).min(1 << 20), Some(id as usize));
    }
    for id in (0..44u64).step_by(2) {
        pair.store(1 << id..(1 << id) + 1, None);
    }
    pair.finish();
}

#[test]
fn an_entry_of_more_pages_than_a_narrow_leaf_reaches_is_cut_like_any_other() {
    let mut pair = Pair::with([(0..10, 1), (1000..1 << 45, 2), (1 << 46..(1 << 46) + 3, 3)]);
    pair.store((1 << 33)..(1 << 33) + 1, None);
    pair.store((1 << 40)..(1 << 41), Some(4));
    assert_eq!(pair.tree.get(&pair.token, (1 << 40) - 1), Some(((1 << 33) + 1..1 << 40, value(2))));
    pair.finish();
}

/// `check_vma_modification`: the stack grows down page by page and shrinks again.
#[test]
fn a_stack_that_grows_down_and_shrinks_is_one_entry() {
    let mut pair = comb(30);
    let top = 1 << 30;
    for pages in 1..40 {
        pair.store(top - pages..top, Some(77));
        assert_eq!(pair.tree.len(), 31);
    }
    for pages in (1..39).rev() {
        pair.store(top - pages - 1..top - pages, None);
        assert_eq!(pair.tree.get(&pair.token, top - 1), Some((top - pages..top, value(77))));
    }
}
