//! Gap bookkeeping and the search for a free area.

use maple::LIMIT;

use crate::common::Pair;

fn comb(n: u64) -> Pair {
    Pair::with((0..n).map(|id| (8 * id..8 * id + 4, id as usize)))
}

#[test]
fn an_empty_tree_gives_the_ends_of_the_window() {
    let pair = Pair::new();
    assert_eq!(pair.tree.find_area(&pair.token, 5..20, 3), Some(5));
    assert_eq!(pair.tree.find_area_rev(&pair.token, 5..20, 3), Some(17));
    assert_eq!(pair.tree.find_area(&pair.token, 5..20, 16), None);
    assert_eq!(pair.tree.find_area(&pair.token, 0..u64::MAX, LIMIT), Some(0));
    assert_eq!(pair.tree.find_area(&pair.token, 0..u64::MAX, LIMIT + 1), None);
    assert_eq!(pair.tree.find_area(&pair.token, LIMIT..LIMIT, 1), None);
}

#[test]
fn an_exact_fit_is_taken_and_one_page_more_is_not() {
    let pair = comb(100);
    assert_eq!(pair.tree.find_area(&pair.token, 1..790, 4), Some(4));
    assert_eq!(pair.tree.find_area_rev(&pair.token, 0..793, 4), Some(788));
    assert_eq!(pair.tree.find_area(&pair.token, 0..796, 5), None);
    assert_eq!(pair.tree.find_area_rev(&pair.token, 0..796, 5), None);
}

#[test]
fn gaps_are_clamped_to_the_window() {
    let pair = comb(100);
    assert_eq!(pair.tree.find_area(&pair.token, 5..793, 4), Some(12));
    assert_eq!(pair.tree.find_area(&pair.token, 5..15, 4), None);
    assert_eq!(pair.tree.find_area_rev(&pair.token, 0..791, 4), Some(780));
    assert_eq!(pair.tree.find_area_rev(&pair.token, 781..791, 4), None);
}

#[test]
fn erasing_any_entry_joins_the_gaps_around_it_across_node_borders() {
    for erased in 0..99 {
        let mut pair = comb(100);
        pair.store(8 * erased..8 * erased + 4, None);
        let expected = if erased == 0 { 0 } else { 8 * erased - 4 };
        let pages = if erased == 0 { 8 } else { 12 };
        assert_eq!(pair.tree.find_area(&pair.token, 0..796, pages), Some(expected));
        assert_eq!(pair.tree.find_area_rev(&pair.token, 0..796, pages), Some(expected));
    }
}

#[test]
fn filling_the_largest_gap_is_known_at_the_root() {
    let mut pair = comb(100);
    for erased in [31, 32, 33, 70] {
        pair.store(8 * erased..8 * erased + 4, None);
    }
    assert_eq!(pair.tree.find_area(&pair.token, 0..796, 20), Some(244));
    pair.store(250..252, Some(1));
    assert_eq!(pair.tree.find_area(&pair.token, 0..796, 20), Some(252));
    pair.store(260..262, Some(1));
    assert_eq!(pair.tree.find_area(&pair.token, 0..796, 12), Some(556));
    assert_eq!(pair.tree.find_area(&pair.token, 0..796, 13), None);
}

#[test]
fn areas_allocated_from_below_are_consecutive_until_the_window_is_full() {
    let mut pair = Pair::new();
    for index in 0..120 {
        assert_eq!(pair.tree.find_area(&pair.token, 64..64 + 360, 3), Some(64 + 3 * index));
        pair.store(64 + 3 * index..67 + 3 * index, Some(1));
    }
    assert_eq!(pair.tree.find_area(&pair.token, 64..64 + 360, 1), None);
}

#[test]
fn areas_allocated_from_above_are_consecutive_until_the_window_is_full() {
    let mut pair = Pair::new();
    for index in 1..=120 {
        assert_eq!(pair.tree.find_area_rev(&pair.token, 64..64 + 360, 3), Some(424 - 3 * index));
        pair.store(424 - 3 * index..427 - 3 * index, Some(1));
    }
    assert_eq!(pair.tree.find_area_rev(&pair.token, 64..64 + 360, 1), None);
}

/// `alloc_cyclic_testing`: allocate from where the last search ended, and wrap.
#[test]
fn a_cyclic_search_wraps_to_the_freed_area() {
    let mut pair = Pair::new();
    let mut next = 0;
    for _ in 0..40 {
        let start = pair.tree.find_area(&pair.token, next..80, 2).expect("room");
        pair.store(start..start + 2, Some(1));
        next = start + 2;
    }
    assert_eq!(pair.tree.find_area(&pair.token, next..80, 2), None);
    pair.store(30..32, None);
    assert_eq!(pair.tree.find_area(&pair.token, 0..80, 2), Some(30));
}

#[test]
fn areas_of_more_pages_than_a_gap_field_holds_are_found() {
    let mut pair = comb(100);
    let huge = 1 << 36;
    pair.store(huge..huge + 1, Some(1));
    pair.store(3 * huge..3 * huge + 1, Some(1));
    assert_eq!(pair.tree.find_area(&pair.token, 0..LIMIT, huge + 5), Some(huge + 1));
    assert_eq!(pair.tree.find_area_rev(&pair.token, 0..3 * huge, huge + 5), Some(2 * huge - 5));
}
