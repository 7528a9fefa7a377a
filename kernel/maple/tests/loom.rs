//! All interleavings of one writer and its readers, over small nodes.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p maple --release --test loom`
//!
//! Loom sees every read of a node and every reclaim of one: a reclaim that is not ordered after the last read fails the model.
#![cfg(loom)]

use std::ops::Range;

use loom::{model::Builder, sync::Mutex, thread};
use maple::{LIMIT, Node, NodeSource, Rcu, ReadGuard, Store, Token, Tree};

static VALUES: [u32; 64] = {
    let mut values = [0; 64];
    let mut at = 0;
    while at < 64 {
        values[at] = at as u32;
        at += 1;
    }
    values
};

/// Leaks what comes back: loom's objects live until the execution ends.
struct Source(Mutex<usize>);

impl NodeSource for Source {
    fn allocate(&self) -> Option<&'static mut Node> {
        Some(Box::leak(Box::new(Node::new())))
    }

    fn free(&self, _: &'static mut Node) {
        *self.0.lock().unwrap() += 1;
    }
}

type Shared = Tree<'static, u32, Source>;

fn store(tree: &Shared, token: &mut Token<'static, u32, Source>, range: Range<u64>, id: Option<usize>) {
    let mut cursor = tree.cursor_mut(token, range.start);
    let what = if id.is_some() { Store::Entry } else { Store::Erase };
    let reservation = cursor.reserve(range, what).expect("memory");
    cursor.store(reservation, id.map(|id| &VALUES[id]));
}

/// Builds a tree of `entries` (each of 4 pages, at multiples of 8), then runs `write` beside a reader.
fn model(
    entries: usize,
    write: impl Fn(&Shared, &mut Token<'static, u32, Source>) + Send + Sync + Copy + 'static,
    read: impl Fn(&Shared, &ReadGuard<'_, Source>) + Send + Sync + Copy + 'static,
) {
    model_around(entries, 0, write, read);
}

/// The third entry of a tree of three around a hole begins here: one leaf with two windows.
const FAR: u64 = 16 + HOLE;
const HOLE: u64 = 200;

/// As [`model`], with so many pages more between the second entry and the third.
fn model_around(
    entries: usize,
    hole: u64,
    write: impl Fn(&Shared, &mut Token<'static, u32, Source>) + Send + Sync + Copy + 'static,
    read: impl Fn(&Shared, &ReadGuard<'_, Source>) + Send + Sync + Copy + 'static,
) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 100_000;
    builder.check(move || {
        let rcu: &'static Rcu<Source> = Box::leak(Box::new(Rcu::new(Source(Mutex::new(0)))));
        let (tree, mut token) = Tree::new(rcu);
        for id in 0..entries {
            let start = 8 * id as u64 + if id < 2 { 0 } else { hole };
            store(&tree, &mut token, start..start + 4, Some(id));
        }
        if hole > 0 {
            assert!(tree.dump(&token).to_string().contains("twin"));
        }
        while !rcu.is_idle() {
            rcu.poll();
        }
        let tree: &'static Shared = Box::leak(Box::new(tree));
        let reader = thread::spawn(move || {
            let reader = rcu.reader(1).expect("a slot a thread");
            read(tree, &reader.read());
            reader.quiescent();
        });
        write(tree, &mut token);
        rcu.poll();
        reader.join().unwrap();
        tree.check(&token).expect("a right tree");
        while !rcu.is_idle() {
            rcu.poll();
        }
    });
}

fn ids(tree: &Shared, guard: &ReadGuard<'_, Source>) -> Vec<u32> {
    let mut cursor = tree.cursor(guard, 0);
    let mut ids: Vec<u32> = cursor.entry().copied().into_iter().collect();
    while let Some((_, id)) = cursor.next() {
        ids.push(*id);
    }
    ids
}

#[test]
fn a_lookup_beside_an_overwrite_in_a_leaf_finds_the_old_or_the_new_entry() {
    model(
        3,
        |tree, token| store(tree, token, 8..12, Some(40)),
        |tree, guard| {
            let (range, id) = tree.get(guard, 9).expect("never empty");
            assert!((range, *id) == (8..12, 1) || tree.get(guard, 9) == Some((8..12, &VALUES[40])));
        },
    );
}

#[test]
fn a_lookup_beside_a_split_finds_every_old_entry() {
    model(
        3,
        |tree, token| store(tree, token, 13..14, Some(40)),
        |tree, guard| {
            assert_eq!(tree.get(guard, 0), Some((0..4, &VALUES[0])));
            assert_eq!(tree.get(guard, 19), Some((16..20, &VALUES[2])));
        },
    );
}

#[test]
fn a_lookup_beside_a_spanning_store_never_finds_the_range_empty() {
    model(
        7,
        |tree, token| store(tree, token, 9..44, Some(40)),
        |tree, guard| {
            let (range, id) = tree.get(guard, 25).expect("never empty");
            assert!((range.clone(), *id) == (24..28, 3) || (range, *id) == (9..44, 40));
            assert_eq!(tree.get(guard, 50), Some((48..52, &VALUES[6])));
        },
    );
}

#[test]
fn a_lookup_beside_an_erase_that_merges_leaves_finds_what_stays() {
    model(
        5,
        |tree, token| {
            store(tree, token, 8..12, None);
            store(tree, token, 16..20, None);
        },
        |tree, guard| {
            assert_eq!(tree.get(guard, 24), Some((24..28, &VALUES[3])));
            assert!(tree.get(guard, 8).is_none_or(|(range, id)| (range, *id) == (8..12, 1)));
        },
    );
}

#[test]
fn an_iteration_beside_an_erase_at_the_front_of_a_leaf_sees_all_other_entries_once() {
    model(
        4,
        |tree, token| store(tree, token, 16..20, None),
        |tree, guard| {
            let mut seen = ids(tree, guard);
            seen.retain(|id| *id != 2);
            assert_eq!(seen, [0, 1, 3]);
        },
    );
}

#[test]
fn an_iteration_beside_an_erase_and_a_store_in_its_place_sees_all_other_entries_once() {
    model(
        3,
        |tree, token| {
            store(tree, token, 8..12, None);
            store(tree, token, 8..11, Some(40));
        },
        |tree, guard| {
            let mut seen = ids(tree, guard);
            seen.retain(|id| *id != 1 && *id != 40);
            assert_eq!(seen, [0, 2]);
        },
    );
}

#[test]
fn an_iteration_back_beside_a_spanning_erase_keeps_its_order() {
    model(
        4,
        |tree, token| store(tree, token, 10..18, None),
        |tree, guard| {
            let mut cursor = tree.cursor(guard, LIMIT - 1);
            let mut start = LIMIT;
            let mut seen = Vec::new();
            while let Some((range, id)) = cursor.prev() {
                assert!(range.start < start);
                start = range.start;
                seen.push(*id);
            }
            assert_eq!(seen, [3, 2, 1, 0]);
        },
    );
}

#[test]
fn a_lookup_beside_an_erase_in_place_finds_the_entry_or_nothing_and_all_others() {
    model(
        3,
        |tree, token| {
            store(tree, token, 16..20, None);
            store(tree, token, 8..12, None);
        },
        |tree, guard| {
            assert!(tree.get(guard, 17).is_none_or(|found| found == (16..20, &VALUES[2])));
            assert!(tree.get(guard, 9).is_none_or(|found| found == (8..12, &VALUES[1])));
            assert_eq!(tree.get(guard, 2), Some((0..4, &VALUES[0])));
        },
    );
}

#[test]
fn an_iteration_beside_an_erase_in_place_gives_whole_entries_in_order() {
    model(
        3,
        |tree, token| store(tree, token, 8..12, None),
        |tree, guard| {
            let mut cursor = tree.cursor(guard, 0);
            let mut seen = Vec::new();
            while let Some((range, id)) = cursor.next() {
                assert_eq!(range, 8 * u64::from(*id)..8 * u64::from(*id) + 4);
                assert_eq!(cursor.range(), range);
                seen.push(*id);
            }
            assert!(seen == [1, 2] || seen == [2], "{seen:?}");
        },
    );
}

#[test]
fn an_iteration_over_slots_beside_an_erase_in_place_never_goes_back() {
    model(
        3,
        |tree, token| store(tree, token, 8..12, None),
        |tree, guard| {
            let mut cursor = tree.cursor(guard, 2);
            let mut end = cursor.range().end;
            while let Some(range) = cursor.next_range() {
                assert!(end == range.start && range.start < range.end, "{end} {range:?}");
                end = range.end;
            }
            assert_eq!(end, LIMIT);
        },
    );
}

#[test]
fn a_lookup_in_both_windows_beside_an_erase_in_place_finds_the_entry_or_nothing_and_all_others() {
    model_around(
        3,
        HOLE,
        |tree, token| {
            store(tree, token, FAR..FAR + 4, None);
            store(tree, token, 8..12, None);
        },
        |tree, guard| {
            assert!(tree.get(guard, FAR + 1).is_none_or(|found| found == (FAR..FAR + 4, &VALUES[2])));
            assert!(tree.get(guard, 9).is_none_or(|found| found == (8..12, &VALUES[1])));
            assert_eq!(tree.get(guard, 2), Some((0..4, &VALUES[0])));
            assert_eq!(tree.get(guard, 100), None);
        },
    );
}

#[test]
fn an_iteration_over_two_windows_beside_stores_in_both_gives_whole_entries_in_order() {
    model_around(
        3,
        HOLE,
        |tree, token| {
            store(tree, token, FAR..FAR + 4, None);
            store(tree, token, FAR + 4..FAR + 8, Some(40));
            store(tree, token, 8..10, None);
        },
        |tree, guard| {
            let mut cursor = tree.cursor(guard, 0);
            let mut seen = Vec::new();
            while let Some((range, id)) = cursor.next() {
                assert_eq!(cursor.range(), range);
                seen.push((range.start, *id));
            }
            assert!(seen.is_sorted(), "{seen:?}");
            assert!(seen[0] == (8, 1) || seen[0] == (10, 1), "{seen:?}");
            assert!(seen[1..].iter().all(|entry| [(FAR, 2), (FAR + 4, 40)].contains(entry)), "{seen:?}");
        },
    );
}

#[test]
fn slots_of_two_windows_beside_an_erase_in_place_leave_no_page_out() {
    model_around(
        3,
        HOLE,
        |tree, token| store(tree, token, FAR..FAR + 4, None),
        |tree, guard| {
            let mut cursor = tree.cursor(guard, 9);
            let mut end = cursor.range().end;
            while let Some(range) = cursor.next_range() {
                assert!(end == range.start && range.start < range.end, "{end} {range:?}");
                end = range.end;
            }
            assert_eq!(end, LIMIT);
        },
    );
}

#[test]
fn a_find_beside_a_clear_finds_an_old_entry_or_nothing() {
    model(
        5,
        |tree, token| tree.clear(token),
        |tree, guard| {
            let mut cursor = tree.cursor(guard, 5);
            assert!(cursor.find(20).is_none_or(|(_, id)| *id == 1 || *id == 2));
        },
    );
}

#[test]
fn a_step_after_a_store_that_ended_sees_it() {
    use loom::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let rcu: &'static Rcu<Source> = Box::leak(Box::new(Rcu::new(Source(Mutex::new(0)))));
        let (tree, mut token) = Tree::new(rcu);
        for id in 0..3 {
            store(&tree, &mut token, 8 * id..8 * id + 4, Some(id as usize));
        }
        let tree: &'static Shared = Box::leak(Box::new(tree));
        let done = Arc::new(AtomicBool::new(false));
        let reader = {
            let done = done.clone();
            thread::spawn(move || {
                let reader = rcu.reader(1).expect("a slot");
                let guard = reader.read();
                let mut cursor = tree.cursor(&guard, 0);
                cursor.find(LIMIT);
                let ended = done.load(Ordering::Acquire);
                let next = cursor.next().map(|(_, id)| *id);
                assert!(if ended { next == Some(2) } else { matches!(next, Some(1 | 2)) });
            })
        };
        store(tree, &mut token, 8..12, None);
        done.store(true, Ordering::Release);
        reader.join().unwrap();
        while !rcu.is_idle() {
            rcu.poll();
        }
    });
}

#[test]
fn a_reader_that_comes_online_during_a_poll_is_waited_for() {
    model(
        2,
        |tree, token| {
            store(tree, token, 0..4, Some(30));
            store(tree, token, 0..4, Some(31));
        },
        |tree, guard| {
            assert!(tree.get(guard, 2).is_some_and(|(_, id)| [0, 30, 31].contains(id)));
        },
    );
}

fn resize(tree: &Shared, token: &mut Token<'static, u32, Source>, page: u64, range: Range<u64>) {
    assert!(tree.cursor_mut(token, page).resize(range));
}

#[test]
fn a_lookup_beside_an_entry_that_grows_finds_the_old_or_the_new_one() {
    model(
        3,
        |tree, token| {
            resize(tree, token, 8, 5..12);
            resize(tree, token, 8, 5..14);
        },
        |tree, guard| {
            let (range, id) = tree.get(guard, 9).expect("never empty");
            assert!(*id == 1 && [8..12, 5..12, 5..14].contains(&range));
            let first = tree.get(guard, 13);
            assert!(first.is_none() || first == Some((5..14, &VALUES[1])));
            assert!(first.is_none() || tree.get(guard, 6) == first);
            assert_eq!(tree.get(guard, 3), Some((0..4, &VALUES[0])));
        },
    );
}

#[test]
fn a_lookup_beside_an_entry_that_grows_over_a_vacant_one_finds_it_or_nothing() {
    model(
        3,
        |tree, token| {
            store(tree, token, 8..12, None);
            resize(tree, token, 0, 0..14);
            resize(tree, token, 0, 0..2);
        },
        |tree, guard| {
            let (range, id) = tree.get(guard, 1).expect("never empty");
            assert!(*id == 0 && [0..4, 0..14, 0..2].contains(&range));
            if let Some((range, id)) = tree.get(guard, 10) {
                assert!((range.clone(), *id) == (8..12, 1) || (range, *id) == (0..14, 0));
            }
            assert_eq!(tree.get(guard, 17), Some((16..20, &VALUES[2])));
        },
    );
}

#[test]
fn a_cursor_beside_entries_that_grow_and_shrink_finds_each_once() {
    model(
        3,
        |tree, token| {
            resize(tree, token, 8, 8..9);
            resize(tree, token, 16, 10..20);
        },
        |tree, guard| assert_eq!(ids(tree, guard), [0, 1, 2]),
    );
}
