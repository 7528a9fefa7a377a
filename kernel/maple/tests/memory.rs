//! Every allocation made to fail in turn.
#![cfg(not(loom))]

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::{Pair, Value};
use maple::{DuplicateError, LIMIT, NoMemory, Store, Tree};

/// A tree of `n` entries of 4 pages with gaps of 4.
fn comb(n: u64) -> Pair {
    let mut pair = Pair::new();
    for index in 0..n {
        pair.try_store(8 * index..8 * index + 4, Some(index as usize)).expect("memory");
    }
    pair.drain();
    pair
}

/// Lets the store fail at its first, second, ... allocation until it succeeds. Gives how often it failed.
fn fail_in_turn(pair: &mut Pair, range: std::ops::Range<u64>, id: Option<usize>) -> usize {
    let before = pair.tree.dump(&pair.token).to_string();
    for budget in 0.. {
        pair.drain();
        let out = pair.rcu.source().out.load(SeqCst);
        pair.rcu.source().budget.store(budget, SeqCst);
        let result = pair.try_store(range.clone(), id);
        pair.rcu.source().budget.store(usize::MAX, SeqCst);
        if result.is_ok() {
            pair.verify();
            return budget;
        }
        assert_eq!(pair.tree.dump(&pair.token).to_string(), before, "a failed reservation changed the tree");
        pair.drain();
        assert_eq!(pair.rcu.source().out.load(SeqCst), out, "a failed reservation kept nodes");
        pair.verify();
    }
    unreachable!("some budget is enough")
}

mod a_failed_reservation {
    use super::*;

    #[test]
    fn leaves_the_tree_identical_and_keeps_no_node_whichever_allocation_fails() {
        let mut failures = 0;
        for n in [0, 1, 3, 15, 40, 90] {
            for start in (0..8 * n + 8).step_by(11) {
                for pages in [1, 2, 5, 9, 60, 300] {
                    for id in [Some(1), None] {
                        let mut pair = comb(n);
                        failures += fail_in_turn(&mut pair, start..start + pages, id);
                    }
                }
            }
        }
        assert!(failures > 1000, "hardly anything was made to fail: {failures}");
    }

    #[test]
    fn can_be_retried() {
        let mut pair = comb(15);
        fail_in_turn(&mut pair, 5..6, Some(77));
        fail_in_turn(&mut pair, 0..1000, None);
        assert!(pair.tree.is_empty());
        pair.finish();
    }

    #[test]
    fn takes_what_a_finished_grace_period_has_given_back() {
        let mut pair = comb(10);
        pair.try_store(1..2, Some(5)).expect("memory");
        pair.reader.quiescent();
        pair.rcu.source().budget.store(0, SeqCst);
        assert_eq!(pair.try_store(2..3, Some(6)), Err(NoMemory), "a freed node of a spent budget came back");
        pair.rcu.source().budget.store(1, SeqCst);
        pair.store(2..3, Some(6));
    }
}

mod a_reservation {
    use super::*;

    #[test]
    fn that_is_dropped_gives_all_its_nodes_back_and_changes_nothing() {
        let mut pair = comb(60);
        let before = pair.tree.dump(&pair.token).to_string();
        let nodes = pair.nodes();
        for (range, what) in [(5..7, Store::Entry), (0..400, Store::Erase), (3..200, Store::Entry)] {
            let rcu = pair.rcu;
            let reservation = pair.cursor_mut(range.start).reserve(range, what).expect("memory");
            assert!(rcu.source().out.load(SeqCst) > nodes);
            drop(reservation);
            assert_eq!(pair.nodes(), nodes);
        }
        assert_eq!(pair.tree.dump(&pair.token).to_string(), before);
        pair.verify();
    }

    #[test]
    fn takes_all_the_memory_of_its_store() {
        let mut pair = comb(60);
        for (start, pages, value) in [(4, 2, true), (0, 300, false), (100, 260, true), (444, 1, true)] {
            let mut cursor = pair.tree.cursor_mut(&mut pair.token, start);
            let what = if value { Store::Entry } else { Store::Erase };
            let reservation = cursor.reserve(start..start + pages, what).expect("memory");
            pair.rcu.source().budget.store(0, SeqCst);
            cursor.store(reservation, value.then(|| common::value(9)));
            pair.rcu.source().budget.store(usize::MAX, SeqCst);
            pair.model.store(start..start + pages, value.then_some(9));
            pair.verify();
        }
    }

    #[test]
    fn takes_one_node_for_a_store_inside_a_leaf_and_none_for_an_erase_of_free_pages() {
        let mut pair = comb(2);
        let taken = pair.rcu.source().taken.load(SeqCst);
        pair.store(4..6, Some(3));
        assert_eq!(pair.rcu.source().taken.load(SeqCst), taken + 1);
        pair.store(6..8, None);
        assert_eq!(pair.rcu.source().taken.load(SeqCst), taken + 1);
    }

    #[test]
    #[should_panic(expected = "good for the next store only")]
    fn is_refused_after_another_store() {
        let mut pair = comb(3);
        let mut cursor = pair.tree.cursor_mut(&mut pair.token, 5);
        let late = cursor.reserve(5..6, Store::Entry).expect("memory");
        let other = cursor.reserve(6..7, Store::Entry).expect("memory");
        cursor.store(other, Some(common::value(1)));
        cursor.store(late, Some(common::value(2)));
    }

    #[test]
    #[should_panic(expected = "the other kind of store")]
    fn is_refused_for_the_other_kind_of_store() {
        let mut pair = comb(3);
        let mut cursor = pair.tree.cursor_mut(&mut pair.token, 5);
        let reservation = cursor.reserve(5..6, Store::Entry).expect("memory");
        cursor.store(reservation, None);
    }
}

mod tokens {
    use super::*;

    #[test]
    #[should_panic(expected = "belongs to another tree")]
    fn a_token_of_another_tree_of_the_domain_is_refused() {
        let pair = comb(1);
        let (_other, token) = Tree::<Value, _>::new(pair.rcu);
        let _ = pair.tree.get(&token, 0);
    }

    #[test]
    fn cursors_that_are_swapped_take_their_trees_along() {
        let (mut a, mut b) = (comb(3), Pair::new());
        let mut one = a.tree.cursor_mut(&mut a.token, 0);
        let mut other = b.tree.cursor_mut(&mut b.token, 0);
        std::mem::swap(&mut one, &mut other);
        let reservation = one.reserve(100..101, Store::Entry).expect("memory");
        one.store(reservation, Some(common::value(7)));
        a.verify();
        b.model.store(100..101, Some(7));
        b.verify();
    }

    #[test]
    #[should_panic(expected = "good for the next store only")]
    fn a_reservation_of_an_earlier_cursor_is_refused() {
        let mut pair = comb(60);
        let reservation = pair.cursor_mut(5).reserve(5..6, Store::Entry).expect("memory");
        pair.cursor_mut(400).store(reservation, Some(common::value(1)));
    }
}

mod a_failed_duplicate {
    use super::*;

    #[test]
    fn leaves_the_destination_empty_and_loses_nothing_whichever_step_fails() {
        for n in [1, 4, 15, 16, 80] {
            let pair = comb(n);
            let nodes = pair.nodes();
            for leave_out in [0, 3] {
                for budget in 0.. {
                    let (copy, mut token) = Tree::new(pair.rcu);
                    pair.rcu.source().budget.store(budget, SeqCst);
                    let mut seen = 0;
                    let result = pair.tree.duplicate(&pair.token, &copy, &mut token, |_, value| {
                        seen += 1;
                        Ok::<_, ()>((leave_out == 0 || seen % leave_out > 0).then_some(value))
                    });
                    pair.rcu.source().budget.store(usize::MAX, SeqCst);
                    copy.check(&token).expect("a right copy");
                    if result.is_ok() {
                        break;
                    }
                    assert_eq!(result, Err(DuplicateError::NoMemory));
                    assert!(copy.is_empty() && copy.get(&token, 0).is_none());
                    drop(copy);
                    assert_eq!(pair.nodes(), nodes);
                }
            }
            let (copy, mut token) = Tree::new(pair.rcu);
            for fails_at in 0..n {
                let mut seen = 0;
                let result = pair.tree.duplicate(&pair.token, &copy, &mut token, |_, value| {
                    seen += 1;
                    if seen > fails_at { Err("no object") } else { Ok(Some(value)) }
                });
                assert_eq!(result, Err(DuplicateError::Value("no object")));
                assert_eq!(copy.cursor(&token, 0).range(), 0..LIMIT);
                assert_eq!(pair.nodes(), nodes);
            }
        }
    }
}
