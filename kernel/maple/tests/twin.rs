//! Small processes: trees with entries at both ends of the address space, and how few nodes their stores take.
#![cfg(not(any(loom, feature = "small")))]

mod common;
#[path = "common/maps.rs"]
mod maps;

use std::sync::atomic::Ordering::SeqCst;

use common::Pair;
use maps::MAPS;

fn program() -> Pair {
    Pair::with(MAPS.into_iter().zip(0..))
}

/// Nodes that `stores` take.
fn taken(pair: &mut Pair, stores: impl FnOnce(&mut Pair)) -> usize {
    let before = pair.rcu.source().taken.load(SeqCst);
    stores(pair);
    pair.rcu.source().taken.load(SeqCst) - before
}

#[test]
fn a_small_program_is_one_leaf_with_two_windows() {
    let pair = program();
    let text = pair.tree.dump(&pair.token).to_string();
    assert!(
        text.starts_with("11 entries, height 0, version 11\n 0x0..0x10000000000000 twin 400-401 "),
        "{text}"
    );
}

#[test]
fn its_mappings_come_and_go_at_one_node_each() {
    let mut pair = program();
    let nodes = taken(&mut pair, |pair| {
        for turn in 0..30 {
            let start = 0x7_fd01_b000 + 16 * (turn * 5 % 7);
            pair.store(start..start + 8, Some(50));
            pair.store(start..start + 8, None);
        }
    });
    // The insert copies the leaf, the erase is made in place.
    assert!(nodes <= 33, "{nodes}");
    assert_eq!(pair.nodes(), 1);
}

#[test]
fn its_entries_are_cut_and_grown_at_one_node_each_also_beside_vacant_ones() {
    let heap = MAPS[6].clone();
    let mut pair = program();
    pair.store(MAPS[8].clone(), None);
    pair.store(MAPS[5].clone(), None);
    let nodes = taken(&mut pair, |pair| {
        pair.store(heap.start..heap.end + 8, Some(6));
        pair.store(heap.start + 4..heap.start + 6, None);
        pair.store(heap.start..heap.start + 2, None);
        pair.store(heap.end + 4..heap.end + 8, Some(70));
        pair.store(heap.start + 1..heap.end + 10, Some(71));
    });
    assert_eq!(nodes, 5);
    assert!(pair.tree.dump(&pair.token).to_string().contains(" - "), "vacant entries were not kept");
}

#[test]
fn a_mapping_in_the_hole_and_one_above_all_are_found() {
    let mut pair = program();
    for page in [0x2_0000_0000, 0x7_ffff_fffe, 0x5_5555_5554, 0x1_0000_0000, maple::LIMIT - 1, 0] {
        pair.store(page..page + 1, Some(80));
    }
    for page in [0x2_0000_0000, 0x7_ffff_fffe, 0x5_5555_5554, 0x1_0000_0000, maple::LIMIT - 1, 0] {
        pair.store(page..page + 1, None);
    }
    pair.finish();
}

/// At every fill, and wherever the entry is.
#[test]
fn an_insert_and_an_erase_in_turn_take_one_node_each_at_most() {
    const TURNS: usize = 24;
    for n in 1..80u64 {
        for hole in [0, 1 << 34] {
            let at = |index: u64| 8 * index + 8 + if index < n / 2 { 0 } else { hole };
            for index in [0, 1, n / 4, n / 2, n - 1] {
                for start in [at(index) - 4, at(index) + 4] {
                    let mut pair = Pair::new();
                    for index in 0..n {
                        pair.try_store(at(index)..at(index) + 4, Some(index as usize)).expect("memory");
                    }
                    let in_turn = |pair: &mut Pair| {
                        for _ in 0..TURNS {
                            pair.try_store(start..start + 2, Some(99)).expect("memory");
                            pair.try_store(start..start + 2, None).expect("memory");
                            pair.reader.quiescent();
                        }
                    };
                    // The first turn may split a leaf, or join two.
                    let nodes = taken(&mut pair, in_turn);
                    let most = 2 * TURNS + 12;
                    assert!(
                        nodes <= most,
                        "{n} entries, at {start:#x}: {nodes} nodes\n{}",
                        pair.tree.dump(&pair.token)
                    );
                    pair.verify();
                }
            }
        }
    }
}
