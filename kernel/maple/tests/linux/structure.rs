//! Growing, shrinking, fork, rendering.

use maple::{LIMIT, Tree};

use crate::common::{Pair, value};

fn comb(n: u64) -> Pair {
    let mut pair = Pair::new();
    for id in 0..n {
        pair.try_store(8 * id..8 * id + 4, Some(id as usize)).expect("memory");
    }
    pair
}

/// `check_collapsing_rebalance`.
#[test]
fn a_high_tree_emptied_from_the_right_shrinks_to_nothing() {
    let mut pair = comb(300);
    for id in (0..300).rev() {
        pair.store(8 * id..8 * id + 4, None);
    }
    assert_eq!(pair.nodes(), 0);
}

#[test]
fn a_high_tree_emptied_from_the_left_shrinks_to_nothing() {
    let mut pair = comb(300);
    for id in 0..300 {
        pair.store(8 * id..8 * id + 4, None);
    }
    assert_eq!(pair.nodes(), 0);
}

#[test]
fn a_tree_emptied_from_the_middle_keeps_its_fill() {
    let mut pair = comb(200);
    for step in 0..100 {
        pair.store(8 * (100 + step)..8 * (100 + step) + 4, None);
        pair.store(8 * (99 - step)..8 * (99 - step) + 4, None);
    }
    assert!(pair.tree.is_empty());
    pair.finish();
}

#[test]
fn a_span_that_leaves_one_entry_at_each_end_shrinks_the_tree_to_one_node() {
    let mut pair = comb(300);
    pair.store(4..8 * 299, None);
    assert_eq!((pair.tree.len(), pair.nodes()), (2, 1));
}

/// The stores of `check_deficient_node`'s kind: fill, then cut such that a neighbour must give.
#[test]
fn a_leaf_that_becomes_too_small_takes_from_either_neighbour() {
    for first in 0..60u64 {
        let mut pair = comb(60);
        for id in first..(first + 12).min(60) {
            pair.store(8 * id..8 * id + 4, None);
        }
        pair.finish();
    }
}

#[test]
fn replayed_patterns_of_map_and_unmap_keep_every_invariant() {
    let mut pair = Pair::new();
    let mut state = 1u64;
    for round in 0..1500 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pages = 1 + (state >> 33) % 16;
        if state >> 60 < 9 {
            let start = pair.tree.find_area_rev(&pair.token, 0..2048, pages);
            if let Some(start) = start {
                pair.try_store(start..start + pages, Some(round % 4096)).expect("memory");
            }
        } else {
            let start = (state >> 20) % 2048;
            pair.try_store(start..start + pages, None).expect("memory");
        }
        pair.tree.check(&pair.token).expect("a right tree");
        pair.reader.quiescent();
    }
    pair.verify();
    pair.finish();
}

/// `check_forking`: parent and copy change independently.
#[test]
fn a_duplicate_and_its_original_change_independently() {
    for n in [0, 1, 15, 16, 100] {
        let mut pair = comb(n);
        let (copy, mut token) = Tree::new(pair.rcu);
        let mut seen = Vec::new();
        pair.tree
            .duplicate(&pair.token, &copy, &mut token, |range, id| {
                seen.push((range, *id));
                Ok::<_, ()>(Some(value(2000 + *id as usize)))
            })
            .expect("memory");
        assert_eq!(seen, pair.model.0);
        pair.store(0..50, None);
        copy.check(&token).expect("a right copy");
        assert_eq!(copy.len() as u64, n);
        for id in 0..n {
            assert_eq!(copy.get(&token, 8 * id), Some((8 * id..8 * id + 4, value(2000 + id as usize))));
        }
        copy.clear(&mut token);
        pair.verify();
        drop(copy);
        pair.finish();
    }
}

#[test]
fn a_duplicate_may_leave_entries_out() {
    let pair = comb(100);
    for nth in 1..6 {
        let (copy, mut token) = Tree::new(pair.rcu);
        let kept = |id: u32| id % nth == nth - 1;
        let map = |_, id: &'static u32| Ok::<_, ()>(kept(*id).then_some(id));
        pair.tree.duplicate(&pair.token, &copy, &mut token, map).expect("memory");
        copy.check(&token).expect("a right copy");
        let mut cursor = copy.cursor(&token, 0);
        let mut found: Vec<u32> = cursor.entry().copied().into_iter().collect();
        while let Some((_, id)) = cursor.next() {
            found.push(*id);
        }
        assert_eq!(found, (0..100).filter(|id| kept(*id)).collect::<Vec<_>>());
    }
}

#[test]
fn a_dump_has_a_line_for_each_leaf() {
    let pair = comb(3);
    let text = pair.tree.dump(&pair.token).to_string();
    let expected = format!("3 entries, height 0, version 3\n 0x0..{LIMIT:#x} narrow 0-4 8-c 10-14\n");
    assert_eq!(text, expected);
}
