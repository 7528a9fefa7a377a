//! Entries that become longer or shorter in place, or go there.
#![cfg(not(loom))]

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::Pair;
use maple::LIMIT;

/// As many entries as fit one small leaf, with gaps of four pages around.
fn three() -> Pair {
    let pair = Pair::with([(4..8, 1), (12..16, 2), (20..24, 3)]);
    assert_eq!(pair.nodes(), 1);
    pair
}

#[test]
fn an_entry_gets_what_is_free_beside_it_and_no_more() {
    for (page, old) in [(5, 4..8), (12, 12..16), (23, 20..24)] {
        for less in 0..=old.start.min(5) {
            for more in 0..=5 {
                let mut pair = three();
                let new = old.start - less..old.end + more;
                // One end stays, and the last gap goes on.
                let is_free = (less == 0) != (more == 0) && less <= 4 && (more <= 4 || old.start == 20);
                assert_eq!(pair.resize(page, new), is_free, "{less} pages below, {more} above");
            }
        }
    }
}

#[test]
fn an_entry_gives_back_pages_at_its_end_only() {
    for (page, old) in [(4, 4..8), (12, 12..16), (20, 20..24)] {
        for start in old.clone() {
            for end in start + 1..=old.end {
                let mut pair = three();
                let is_at_end = start == old.start && end < old.end;
                assert_eq!(pair.resize(page, start..end), is_at_end, "{start}..{end} of {old:?}");
            }
        }
    }
}

#[test]
fn a_gap_and_an_entry_that_stays_are_not_resized() {
    let mut pair = three();
    assert!(!pair.resize(8, 8..9));
    assert!(!pair.resize(12, 12..16));
    assert!(!Pair::new().resize(0, 0..1));
}

#[test]
fn it_takes_no_memory_and_gives_none_back() {
    let mut pair = three();
    pair.rcu.source().budget.store(0, SeqCst);
    let out = pair.rcu.source().out.load(SeqCst);
    assert!(pair.resize(12, 12..20) && pair.resize(12, 12..13) && pair.resize(12, 9..13));
    assert_eq!(pair.rcu.source().out.load(SeqCst), out);
    assert!(pair.rcu.is_idle(), "a node was retired");
}

#[test]
fn vacant_entries_above_follow() {
    for gone in [vec![12], vec![12, 16], vec![16, 12]] {
        for end in 10..=19 {
            let mut pair = Pair::with([(8..12, 1), (12..16, 2), (16..19, 3), (20..24, 4)]);
            for start in &gone {
                pair.store(*start..if *start == 12 { 16 } else { 19 }, None);
            }
            let free = if gone.len() == 2 { 20 } else { 16 };
            assert_eq!(pair.resize(9, 8..end), end != 12 && end <= free && pair.nodes() == 1);
            // And what comes then finds its place.
            pair.store(end.max(12) + 1..end.max(12) + 2, Some(9));
            pair.finish();
        }
    }
}

#[test]
fn free_areas_are_right_afterwards() {
    // Enough for three levels in small trees.
    for (at, entry) in (0..30).map(|index| (index, 16 * index + 4..16 * index + 8)) {
        for new in [entry.start..entry.end + 8, entry.start..entry.end - 2, entry.start - 4..entry.end] {
            let mut pair = Pair::with((0..30).map(|index| (16 * index + 4..16 * index + 8, index as usize)));
            pair.resize(16 * at + 5, new);
            let mut sizes = vec![1, 2, 4, 5, 8, 10, 12, 14, 16, 20, LIMIT - 1000];
            sizes.push(LIMIT - 30 * 16);
            for pages in sizes {
                for window in [0..LIMIT, 0..480, 64..LIMIT, entry.start..entry.end + 9] {
                    let (tree, token, model) = (pair.tree, &pair.token, &pair.model);
                    let lowest = tree.find_area(token, window.clone(), pages);
                    assert_eq!(lowest, model.find_area(window.clone(), pages));
                    let highest = tree.find_area_rev(token, window.clone(), pages);
                    assert_eq!(highest, model.find_area_rev(window, pages));
                }
            }
        }
    }
}

#[test]
fn a_store_that_was_reserved_before_is_refused() {
    let mut pair = three();
    let mut cursor = pair.cursor_mut(12);
    let reservation = cursor.reserve(16..17, maple::Store::Entry).expect("memory");
    assert!(cursor.resize(12..18));
    let store = std::panic::AssertUnwindSafe(|| cursor.store(reservation, Some(common::value(7))));
    assert!(std::panic::catch_unwind(store).is_err());
}

#[test]
fn an_entry_that_is_not_its_leafs_first_goes_in_place() {
    for page in 0..30 {
        let mut pair = three();
        assert_eq!(pair.remove(page), (12..16).contains(&page) || (20..24).contains(&page), "page {page}");
    }
    assert!(!Pair::new().remove(0));
    assert!(!Pair::with([(4..8, 1)]).remove(4), "a tree without entries has no leaf");
}

#[test]
fn entries_go_in_place_in_every_order_until_their_leaf_has_too_few() {
    let mut in_place = 0;
    for first in 0..30 {
        for step in [1, 7, 11, 13, 29] {
            let mut pair = Pair::with((0..30).map(|index| (16 * index + 4..16 * index + 8, index as usize)));
            for at in (0..30).map(|turn| (first + turn * step) % 30) {
                if pair.remove(16 * at + 5) {
                    in_place += 1;
                } else {
                    pair.store(16 * at + 4..16 * at + 8, None);
                }
                for pages in [4, 8, 12, 28, 40] {
                    let highest = pair.tree.find_area_rev(&pair.token, 0..480, pages);
                    assert_eq!(highest, pair.model.find_area_rev(0..480, pages));
                }
            }
            assert!(pair.tree.is_empty());
        }
    }
    assert!(in_place > 500, "{in_place} of 4500, although small leaves soon have too few");
}

#[test]
fn what_was_reserved_before_a_removal_is_refused() {
    let mut pair = three();
    let mut cursor = pair.cursor_mut(12);
    let reservation = cursor.reserve(16..17, maple::Store::Entry).expect("memory");
    assert!(cursor.remove());
    let store = std::panic::AssertUnwindSafe(|| cursor.store(reservation, Some(common::value(7))));
    assert!(std::panic::catch_unwind(store).is_err());
}
