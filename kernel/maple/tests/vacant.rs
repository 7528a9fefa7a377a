//! Entries that become vacant in place: the erase of one entry that is not the first of its leaf.
#![cfg(not(loom))]

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::{Pair, value};
use maple::{LIMIT, Store};

fn comb(n: u64) -> Pair {
    let mut pair = Pair::new();
    for index in 0..n {
        pair.try_store(8 * index..8 * index + 4, Some(index as usize)).expect("memory");
    }
    pair.drain();
    pair
}

/// A comb that fills one leaf.
fn full_leaf() -> (Pair, u64) {
    let n = (1..).find(|n| comb(*n).nodes() > 1).expect("a leaf has an end") - 1;
    (comb(n), n)
}

/// All orders of the numbers below `n`.
fn permutations(n: usize) -> Vec<Vec<u64>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let insert = |rest: Vec<u64>| {
        (0..n).map(move |at| {
            let mut order = rest.clone();
            order.insert(at, n as u64 - 1);
            order
        })
    };
    permutations(n - 1).into_iter().flat_map(insert).collect()
}

/// Compares the free areas, too.
#[track_caller]
fn verify(pair: &mut Pair) {
    pair.verify();
    for pages in 1..30 {
        for window in [0..LIMIT, 2..70, 12..44, 20..21 + pages] {
            let (tree, token, model) = (pair.tree, &pair.token, &pair.model);
            let lowest = tree.find_area(token, window.clone(), pages);
            assert_eq!(lowest, model.find_area(window.clone(), pages), "{}", tree.dump(token));
            let highest = tree.find_area_rev(token, window.clone(), pages);
            assert_eq!(highest, model.find_area_rev(window, pages), "{}", tree.dump(token));
        }
    }
}

#[test]
fn its_erase_takes_no_memory_and_gives_none_back() {
    let (mut pair, n) = full_leaf();
    assert!(n >= 3);
    let (taken, out) = (pair.rcu.source().taken.load(SeqCst), pair.rcu.source().out.load(SeqCst));
    pair.rcu.source().budget.store(0, SeqCst);
    pair.store(8..12, None);
    assert_eq!(pair.rcu.source().taken.load(SeqCst), taken);
    assert_eq!(pair.rcu.source().out.load(SeqCst), out);
    assert!(pair.rcu.is_idle(), "a node was retired");
}

#[test]
fn its_place_is_taken_by_the_next_entry_there() {
    let (mut pair, _) = full_leaf();
    for round in 0..50 {
        pair.store(8..12, None);
        pair.store(9 + round % 3..12, Some(100));
        assert_eq!(pair.nodes(), 1, "a full leaf was split although an entry was vacant");
        pair.store(8..12, Some(1));
    }
}

#[test]
fn entries_may_become_vacant_in_every_order() {
    for order in permutations(6) {
        for n in [6, 9] {
            let mut pair = comb(n);
            for at in &order {
                pair.try_store(8 * at..8 * at + 4, None).expect("memory");
                pair.verify();
            }
            verify(&mut pair);
        }
    }
}

#[test]
fn new_entries_may_come_between_vacant_ones_anywhere() {
    for first in 0..6 {
        for second in 0..6 {
            for start in 0..50 {
                let mut pair = comb(6);
                pair.try_store(8 * first..8 * first + 4, None).expect("memory");
                pair.try_store(8 * second..8 * second + 4, None).expect("memory");
                pair.store(start..start + 3, Some(50));
                pair.store(start + 3..start + 4, Some(51));
                verify(&mut pair);
                pair.store(start..start + 3, None);
                verify(&mut pair);
            }
        }
    }
}

#[test]
fn adjacent_entries_may_become_vacant_one_after_another() {
    for order in permutations(5) {
        let mut pair = Pair::with((0..7).map(|index| (4 * index..4 * index + 4, index as usize)));
        for at in order {
            pair.store(4 * at + 4..4 * at + 8, None);
            verify(&mut pair);
        }
    }
}

#[test]
fn a_store_of_any_range_over_vacant_entries_is_right() {
    for erased in 1..11 {
        for start in (0..90).step_by(3) {
            for end in (start + 1..96).step_by(5) {
                for id in [Some(99), None] {
                    let mut pair = comb(12);
                    pair.try_store(8 * erased..8 * erased + 4, None).expect("memory");
                    pair.store(start..end, id);
                }
            }
        }
    }
}

#[test]
fn a_duplicate_leaves_them_out() {
    let mut pair = comb(40);
    for at in [1, 5, 6, 17, 18, 33] {
        pair.store(8 * at..8 * at + 4, None);
    }
    let mut copy = Pair::new();
    // Trees of one domain only.
    let (tree, token) = maple::Tree::new(pair.rcu);
    (copy.rcu, copy.tree, copy.token) = (pair.rcu, Box::leak(Box::new(tree)), token);
    let result =
        pair.tree.duplicate(&pair.token, copy.tree, &mut copy.token, |_, value| Ok::<_, ()>(Some(value)));
    assert_eq!(result, Ok(()));
    copy.model = pair.model.clone();
    copy.verify();
}

#[test]
fn visits_pass_them_and_end_on_an_entry() {
    let mut pair = comb(12);
    pair.store(32..36, None);
    pair.store(40..44, None);
    for limit in 0..100 {
        let mut cursor = pair.tree.cursor(&pair.token, 0);
        let mut seen = Vec::new();
        // Behind the first entry, where it stands.
        let flow = cursor.visit_below(limit, |values| {
            seen.extend(values.iter().map(|value| **value));
            std::ops::ControlFlow::<()>::Continue(())
        });
        assert!(flow.is_continue());
        let expected: Vec<_> =
            pair.model.0.iter().skip(1).filter(|(range, _)| range.start < limit).map(|(_, id)| *id).collect();
        assert_eq!(seen, expected);
        assert_eq!(cursor.entry().copied(), expected.last().copied().or(Some(0)));
    }
}

#[test]
fn a_cursor_that_moved_on_after_its_reservation_stores_where_that_was_made() {
    for (what, id) in [(Store::Erase, None), (Store::Entry, Some(7))] {
        let mut pair = comb(60);
        let mut cursor = pair.tree.cursor_mut(&mut pair.token, 88);
        let reservation = cursor.reserve(88..92, what).expect("memory");
        while cursor.next().is_some() {}
        cursor.store(reservation, id.map(value));
        assert!(cursor.range().contains(&88));
        assert_eq!(cursor.next().map(|(range, _)| range.start), Some(96));
        assert_eq!(cursor.prev_range().map(|range| range.end), Some(96));
        pair.model.store(88..92, id.map(|id| id as u32));
        pair.verify();
    }
}

/// A cursor under a guard that stands on the entry when it becomes vacant.
mod under_a_cursor {
    use maple::{Cursor, ReadGuard};

    use super::*;

    type Standing<'k> = Cursor<'static, 'k, 'static, u32, common::Source, ReadGuard<'k, common::Source>>;

    /// Stands on entry 1 of a full leaf, lets `write` work, and goes on with the cursor.
    fn standing(write: impl Fn(&mut Pair), go_on: impl Fn(&mut Standing<'_>)) {
        let (mut pair, _) = full_leaf();
        let reader = pair.rcu.reader(1).expect("a free slot");
        let guard = reader.read();
        let mut cursor = pair.tree.cursor(&guard, 8);
        assert_eq!(cursor.entry(), Some(value(1)));
        write(&mut pair);
        assert_eq!(cursor.range(), 8..12, "the cursor lost its place");
        go_on(&mut cursor);
    }

    fn erase(pair: &mut Pair) {
        pair.store(8..12, None);
    }

    #[test]
    fn its_steps_go_on_from_the_old_bounds() {
        standing(erase, |cursor| assert_eq!(cursor.next(), Some((16..20, value(2)))));
        standing(erase, |cursor| assert_eq!(cursor.prev(), Some((0..4, value(0)))));
        standing(erase, |cursor| assert_eq!(cursor.next_range(), Some(12..16)));
        standing(erase, |cursor| assert_eq!(cursor.prev_range(), Some(4..8)));
    }

    #[test]
    fn its_steps_see_what_was_stored_beside_it_since() {
        let write = |pair: &mut Pair| {
            erase(pair);
            pair.store(6..7, Some(100));
            pair.store(13..14, Some(101));
        };
        standing(write, |cursor| assert_eq!(cursor.next(), Some((13..14, value(101)))));
        standing(write, |cursor| assert_eq!(cursor.prev(), Some((6..7, value(100)))));
        standing(write, |cursor| assert_eq!(cursor.next_range(), Some(7..13)));
        standing(write, |cursor| assert_eq!(cursor.prev_range(), Some(7..13)));
    }

    #[test]
    fn its_find_passes_the_entry() {
        standing(erase, |cursor| assert_eq!(cursor.find(LIMIT), Some((16..20, value(2)))));
    }
}
