//! Load, insert, sequences, root forms.

use maple::LIMIT;

use crate::common::{Pair, value};

#[test]
fn an_empty_tree_is_one_gap() {
    let mut pair = Pair::new();
    assert_eq!(pair.tree.get(&pair.token, 0), None);
    assert_eq!(pair.tree.get(&pair.token, u64::MAX), None);
    assert_eq!(pair.tree.cursor(&pair.token, 77).range(), 0..LIMIT);
    pair.verify();
}

#[test]
fn nothing_stored_over_nothing_changes_nothing() {
    let mut pair = Pair::new();
    pair.store(0..LIMIT, None);
    pair.store(5..6, None);
    assert_eq!(pair.nodes(), 0);
}

#[test]
fn a_mix_of_inserts_and_fills_between_neighbours_is_found() {
    let mut pair = Pair::new();
    for (id, start) in [0, 1000, 10, 15, 1, 2, 5, 20, 25, 30, 500, 3, 4, 6, 7, 8, 9].into_iter().enumerate() {
        pair.store(start..start + 1, Some(id));
    }
    assert_eq!(pair.tree.get(&pair.token, 25), Some((25..26, value(8))));
    pair.finish();
}

#[test]
fn a_store_over_the_same_range_replaces_the_value_only() {
    let mut pair = Pair::with([(10..20, 1), (20..30, 2)]);
    pair.store(10..20, Some(3));
    assert_eq!(pair.tree.len(), 2);
    assert_eq!(pair.tree.get(&pair.token, 19), Some((10..20, value(3))));
}

#[test]
fn the_first_and_the_last_page_can_be_stored_and_erased() {
    let mut pair = Pair::with([(0..1, 1), (LIMIT - 1..LIMIT, 2)]);
    pair.store(0..1, None);
    pair.store(LIMIT - 1..LIMIT, None);
    assert!(pair.tree.is_empty());
    pair.store(0..LIMIT, Some(3));
    assert_eq!(pair.tree.get(&pair.token, LIMIT / 2), Some((0..LIMIT, value(3))));
    pair.finish();
}

#[test]
fn an_ascending_sequence_fills_its_leaves() {
    let mut pair = Pair::new();
    for id in 0..600 {
        pair.try_store(10 * id..10 * id + 3, Some(id as usize)).expect("memory");
    }
    pair.verify();
    if !cfg!(feature = "small") {
        assert!(pair.nodes() * 256 <= 600 * 26, "{} nodes", pair.nodes());
    }
    pair.finish();
}

#[test]
fn a_descending_sequence_fills_its_leaves() {
    let mut pair = Pair::new();
    for id in (0..600).rev() {
        pair.try_store(10 * id..10 * id + 3, Some(id as usize)).expect("memory");
    }
    pair.verify();
    if !cfg!(feature = "small") {
        assert!(pair.nodes() * 256 <= 600 * 26, "{} nodes", pair.nodes());
    }
    pair.finish();
}

#[test]
fn splits_at_the_lower_the_middle_and_the_upper_place_are_right() {
    for at in 0..40u64 {
        let mut pair = Pair::with((0..40).map(|id| (10 * id..10 * id + 5, id as usize)));
        pair.store(10 * at + 6..10 * at + 8, Some(99));
        pair.store(10 * at + 1..10 * at + 3, Some(98));
        pair.finish();
    }
}
