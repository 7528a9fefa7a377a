//! Readers without a lock: held cursors, grace periods, and threads.
#![cfg(not(loom))]

mod common;

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use common::{Pair, Source, domain, value};
use maple::{LIMIT, Rcu, Store, Tree};

fn comb(n: u64) -> Pair {
    let mut pair = Pair::new();
    for index in 0..n {
        pair.try_store(8 * index..8 * index + 4, Some(index as usize)).expect("memory");
    }
    pair.drain();
    pair
}

mod grace_periods {
    use super::*;

    #[test]
    fn a_replaced_node_is_not_freed_while_a_read_section_that_may_know_it_lasts() {
        let mut pair = comb(5);
        let other = pair.rcu.reader(1).expect("a free slot");
        let guard = other.read();
        let out = pair.rcu.source().out.load(SeqCst);
        pair.try_store(0..4, Some(9)).expect("memory");
        for _ in 0..10 {
            pair.reader.quiescent();
            other.quiescent();
            pair.rcu.poll();
        }
        assert_eq!(pair.rcu.source().out.load(SeqCst), out + 1, "freed under a reader");
        drop(guard);
        other.quiescent();
        pair.reader.quiescent();
        pair.rcu.poll();
        pair.rcu.poll();
        assert_eq!(pair.rcu.source().out.load(SeqCst), out);
    }

    #[test]
    fn a_reader_that_is_offline_is_not_waited_for_and_reads_again_in_the_new_epoch() {
        let mut pair = comb(5);
        let other = pair.rcu.reader(1).expect("a free slot");
        other.offline();
        pair.try_store(1..2, Some(9)).expect("memory");
        pair.drain();
        let guard = other.read();
        assert_eq!(pair.tree.get(&guard, 1), Some((1..2, value(9))));
        pair.try_store(1..2, Some(10)).expect("memory");
        pair.reader.quiescent();
        pair.rcu.poll();
        pair.reader.quiescent();
        pair.rcu.poll();
        assert!(!pair.rcu.is_idle(), "a reader that came back was overlooked");
    }

    #[test]
    fn a_slot_has_one_reader_at_a_time() {
        let rcu = domain();
        let first = rcu.reader(2);
        assert!(first.is_some() && rcu.reader(2).is_none() && rcu.reader(usize::MAX).is_none());
        drop(first);
        assert!(rcu.reader(2).is_some());
    }

    #[test]
    #[should_panic(expected = "belongs to another tree")]
    fn a_guard_of_another_domain_is_refused() {
        let (pair, other) = (comb(1), comb(1));
        let guard = other.reader.read();
        let _ = pair.tree.get(&guard, 0);
    }

    #[test]
    fn a_tree_that_is_dropped_gives_its_nodes_back_at_once() {
        let rcu = domain();
        let (tree, mut token) = Tree::new(rcu);
        for index in 0..100 {
            let mut cursor = tree.cursor_mut(&mut token, 2 * index);
            let reservation = cursor.reserve(2 * index..2 * index + 1, Store::Entry).expect("memory");
            cursor.store(reservation, Some(value(1)));
        }
        drop(tree);
        rcu.poll();
        rcu.poll();
        assert_eq!(rcu.source().out.load(SeqCst), 0);
    }
}

/// Counterparts of `check_rcu_simulated`: a reader holds its place while the writer works.
mod retired_nodes {
    use super::*;

    /// What may wait for a poll or its grace period, whatever was stored: a few batches.
    const FEW: usize = 64;

    #[test]
    fn are_freed_though_only_every_other_store_retires_one() {
        // The inserts are the odd stores or the even ones.
        for n in [3, 4] {
            let mut pair = comb(n);
            for _ in 0..1000 {
                // The insert copies the leaf, the erase makes the entry vacant.
                pair.try_store(100..101, Some(9)).expect("memory");
                pair.reader.quiescent();
                pair.try_store(100..101, None).expect("no memory is needed");
                pair.reader.quiescent();
                assert!(pair.rcu.source().out.load(SeqCst) < FEW, "retired nodes are never freed");
            }
            pair.finish();
        }
    }

    #[test]
    fn of_trees_that_live_for_a_few_stores_are_freed() {
        let rcu = common::domain();
        let reader = rcu.reader(0).expect("the first reader of a new domain");
        for _ in 0..1000 {
            let (tree, mut token) = Tree::new(rcu);
            for page in [1, 5] {
                let mut cursor = tree.cursor_mut(&mut token, page);
                let reservation = cursor.reserve(page..page + 1, Store::Entry).expect("memory");
                cursor.store(reservation, Some(common::value(1)));
            }
            drop(tree);
            reader.quiescent();
            assert!(rcu.source().out.load(SeqCst) < FEW, "retired nodes are never freed");
        }
    }
}

mod a_held_cursor {
    use super::*;

    /// Stands on entry `at` of a comb of 60, lets `write` work, and then collects all entries above or below.
    fn across(at: u64, write: impl Fn(&mut Pair), back: bool) -> Vec<u32> {
        let mut pair = comb(60);
        let reader = pair.rcu.reader(1).expect("a free slot");
        let guard = reader.read();
        let mut cursor = pair.tree.cursor(&guard, 8 * at);
        assert_eq!(cursor.entry().copied(), Some(at as u32));
        write(&mut pair);
        let mut seen = Vec::new();
        while let Some((_, value)) = if back { cursor.prev() } else { cursor.next() } {
            seen.push(*value);
        }
        seen
    }

    fn store(pair: &mut Pair, range: std::ops::Range<u64>, id: Option<usize>) {
        pair.store(range, id);
    }

    #[test]
    fn sees_an_erase_of_the_next_entry_that_ended_before_its_step() {
        let seen = across(10, |pair| store(pair, 88..92, None), false);
        assert_eq!(seen, (12..60).collect::<Vec<_>>());
    }

    #[test]
    fn stays_at_every_leaf_border_when_nothing_starts_below_its_limit() {
        let pair = comb(60);
        let guard = pair.reader.read();
        let mut cursor = pair.tree.cursor(&guard, 0);
        for at in 1..60 {
            assert_eq!(cursor.next_below(8 * at), None);
            assert_eq!(cursor.range().start, 8 * (at - 1));
            assert_eq!(cursor.next_below(8 * at + 1), Some((8 * at..8 * at + 4, value(at as usize))));
        }
    }

    #[test]
    fn sees_an_insert_before_the_next_entry() {
        let seen = across(10, |pair| store(pair, 85..87, Some(1000)), false);
        assert_eq!(seen[..2], [1000, 11]);
    }

    #[test]
    fn sees_an_overwrite_of_the_entry_before_it() {
        let seen = across(10, |pair| store(pair, 72..76, Some(1000)), true);
        assert_eq!(seen[..2], [1000, 8]);
    }

    #[test]
    fn goes_on_behind_a_spanning_store_over_its_own_place() {
        let seen = across(10, |pair| store(pair, 0..300, Some(1000)), false);
        assert_eq!(seen[..2], [1000, 38]);
    }

    #[test]
    fn goes_on_before_a_spanning_erase_over_its_own_place() {
        let seen = across(40, |pair| store(pair, 100..400, None), true);
        assert_eq!(seen[..2], [12, 11]);
    }

    #[test]
    fn goes_on_after_splits_all_around() {
        let write = |pair: &mut Pair| {
            for index in 0..60 {
                store(pair, 8 * index + 5..8 * index + 6, Some(1000 + index as usize));
            }
        };
        let seen = across(30, write, false);
        assert_eq!(seen[..4], [1030, 31, 1031, 32]);
        assert_eq!(seen.len(), 29 + 30);
    }

    #[test]
    fn finds_the_end_after_everything_was_erased() {
        let seen = across(30, |pair| store(pair, 0..LIMIT, None), false);
        assert_eq!(seen, []);
    }

    #[test]
    fn finds_the_end_after_the_tree_shrank_to_one_leaf() {
        let seen = across(30, |pair| store(pair, 8..LIMIT, None), true);
        assert_eq!(seen, [0]);
    }

    #[test]
    fn finds_the_entries_of_a_changed_height() {
        let write = |pair: &mut Pair| {
            store(pair, 8..LIMIT, None);
            for index in 0..200 {
                store(pair, 1000 + 2 * index..1001 + 2 * index, Some(index as usize));
            }
        };
        assert_eq!(across(30, write, false), (0..200).collect::<Vec<_>>());
    }
}

/// Threads that read while one writes. Freed nodes are poisoned, so a reader that touches one is caught.
mod threads {
    use super::*;

    const READERS: usize = 2;
    const ROUNDS: usize = 400;

    /// Runs `write` for some rounds beside `READERS` threads of `read`, each reporting a quiescent state between.
    fn race(
        n: u64,
        write: impl Fn(&mut Pair, usize),
        read: impl Fn(&Tree<'static, u32, Source>, &maple::ReadGuard<'_, Source>, usize) + Sync,
    ) {
        let mut pair = comb(n);
        let tree = pair.tree;
        let rcu: &'static Rcu<Source> = pair.rcu;
        let stop = AtomicBool::new(false);
        let reads = AtomicUsize::new(0);
        thread::scope(|scope| {
            for cpu in 1..=READERS {
                let (stop, reads, read) = (&stop, &reads, &read);
                scope.spawn(move || {
                    let reader = rcu.reader(cpu).expect("a slot a thread");
                    let mut round = cpu;
                    while !stop.load(SeqCst) {
                        read(tree, &reader.read(), round);
                        reader.quiescent();
                        reads.fetch_add(1, SeqCst);
                        round += 7;
                    }
                });
            }
            for round in 0..ROUNDS {
                write(&mut pair, round);
                pair.reader.quiescent();
                rcu.poll();
            }
            while reads.load(SeqCst) < 20 {
                thread::yield_now();
            }
            stop.store(true, SeqCst);
        });
        tree.check(&pair.token).expect("a right tree");
    }

    fn store(pair: &mut Pair, range: std::ops::Range<u64>, id: Option<usize>) {
        pair.try_store(range, id).expect("memory");
    }

    #[test]
    fn a_range_replaced_by_one_store_is_never_seen_empty() {
        let write = |pair: &mut Pair, round: usize| {
            let spans = [40..60u64, 0..480, 3..9, 200..420];
            for (index, span) in spans.into_iter().enumerate() {
                store(pair, span, Some(1000 + round + index));
            }
            // Entries over the same pages again, by halves: each page stays covered.
            for index in 0..60 {
                store(pair, 8 * index..8 * index + 8, Some(index as usize));
            }
        };
        let read = |tree: &Tree<'static, u32, Source>, guard: &maple::ReadGuard<'_, Source>, round: usize| {
            let page = (round as u64 * 13) % 480;
            if TOUCHED.load(SeqCst) {
                assert!(tree.get(guard, page).is_some(), "page {page} seen empty");
            }
        };
        static TOUCHED: AtomicBool = AtomicBool::new(false);
        race(
            60,
            |pair, round| {
                if round == 1 {
                    TOUCHED.store(true, SeqCst);
                }
                write(pair, round);
            },
            read,
        );
    }

    #[test]
    fn iteration_both_ways_beside_inserts_erases_and_spans_keeps_its_order() {
        let write = |pair: &mut Pair, round: usize| {
            let at = (round as u64 * 29) % 400;
            store(pair, at..at + 3, Some(round));
            store(pair, at + 20..at + 60, None);
            store(pair, at + 25..at + 27, Some(round));
            store(pair, at + 30..at + 31, Some(round));
        };
        let read = |tree: &Tree<'static, u32, Source>, guard: &maple::ReadGuard<'_, Source>, _| {
            let mut cursor = tree.cursor(guard, 0);
            let mut end = 0;
            while let Some((range, _)) = cursor.next() {
                assert!(range.end > end && range.start < range.end);
                end = range.end;
            }
            let mut start = LIMIT;
            while let Some((range, _)) = cursor.prev() {
                assert!(range.start < start);
                start = range.start;
            }
            assert!(cursor.find(LIMIT).is_some() || tree.is_empty() || start == LIMIT);
        };
        race(60, write, read);
    }

    #[test]
    fn an_entry_that_is_never_touched_is_always_found() {
        let write = |pair: &mut Pair, round: usize| {
            let at = 248 + (round as u64 * 31) % 200;
            store(pair, at..at + 5, Some(round));
            store(pair, at + 2..at + 9, None);
            store(pair, 1..230, round.is_multiple_of(2).then_some(round));
        };
        let read = |tree: &Tree<'static, u32, Source>, guard: &maple::ReadGuard<'_, Source>, _| {
            assert_eq!(tree.get(guard, 241), Some((240..244, value(30))));
            let mut cursor = tree.cursor(guard, 232);
            assert!(cursor.find(244).is_some());
        };
        race(60, write, read);
    }
}
