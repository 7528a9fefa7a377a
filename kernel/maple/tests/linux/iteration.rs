//! Cursors: steps in every state, stores while iterating, detached positions.

use maple::{LIMIT, Store};

use crate::common::{Pair, value};

fn comb(n: u64) -> Pair {
    Pair::with((0..n).map(|id| (8 * id..8 * id + 4, id as usize)))
}

#[test]
fn every_step_in_an_empty_tree_stays_in_its_one_gap() {
    let pair = Pair::new();
    let mut cursor = pair.tree.cursor(&pair.token, 9);
    assert!(cursor.next().is_none() && cursor.prev().is_none() && cursor.find(LIMIT).is_none());
    assert!(cursor.next_range().is_none() && cursor.prev_range().is_none());
    assert_eq!((cursor.range(), cursor.entry()), (0..LIMIT, None));
}

#[test]
fn steps_beyond_either_end_stay_and_turn_round() {
    let pair = Pair::with([(10..20, 1)]);
    let mut cursor = pair.tree.cursor(&pair.token, 15);
    assert_eq!(cursor.next(), None);
    assert_eq!(cursor.entry(), Some(value(1)));
    assert_eq!(cursor.next_range(), Some(20..LIMIT));
    assert_eq!(cursor.next_range(), None);
    assert_eq!(cursor.prev(), Some((10..20, value(1))));
    assert_eq!(cursor.prev(), None);
    assert_eq!(cursor.prev_range(), Some(0..10));
    assert_eq!(cursor.prev_range(), None);
    assert_eq!(cursor.next(), Some((10..20, value(1))));
}

#[test]
fn find_gives_the_entry_here_or_the_next_below_its_limit() {
    let pair = comb(40);
    let mut cursor = pair.tree.cursor(&pair.token, 9);
    assert_eq!(cursor.find(10), Some((8..12, value(1))));
    assert_eq!(cursor.find(8), None);
    let mut cursor = pair.tree.cursor(&pair.token, 13);
    assert_eq!(cursor.find(16), None);
    assert_eq!(cursor.range(), 12..16);
    assert_eq!(cursor.find(17), Some((16..20, value(2))));
    assert_eq!(cursor.next_below(24), None);
    assert_eq!(cursor.next_below(25), Some((24..28, value(3))));
}

#[test]
fn find_below_a_limit_at_every_leaf_border_does_not_leave_its_place() {
    let pair = comb(60);
    for at in 0..59 {
        let mut cursor = pair.tree.cursor(&pair.token, 8 * at);
        assert_eq!(cursor.next_below(8 * at + 8), None);
        assert_eq!(cursor.range(), 8 * at..8 * at + 4);
    }
}

#[test]
fn steps_forward_and_back_over_every_border_come_to_the_same_slot() {
    let pair = comb(60);
    let mut cursor = pair.tree.cursor(&pair.token, 0);
    loop {
        let here = cursor.range();
        let Some(next) = cursor.next_range() else { break };
        assert_eq!(next.start, here.end);
        assert_eq!(cursor.prev_range(), Some(here));
        cursor.next_range();
    }
    assert_eq!(cursor.range().end, LIMIT);
}

#[test]
fn visiting_below_a_limit_stops_where_it_breaks_and_goes_on_from_there() {
    use std::ops::ControlFlow::{self, Break, Continue};
    let pair = comb(60);
    for stop in 1..60 {
        let mut cursor = pair.tree.cursor(&pair.token, 5);
        let mut seen = Vec::new();
        let mut visit = |values: &[&u32]| {
            seen.extend(values.iter().map(|id| **id));
            if seen.contains(&stop) { Break(stop) } else { Continue(()) }
        };
        assert_eq!(cursor.visit_below(LIMIT, &mut visit), Break(stop));
        let last = *seen.last().expect("it has visited some");
        assert_eq!(cursor.entry(), Some(value(last as usize)));
        let flow = cursor.visit_below(8 * 58 + 1, |values| {
            seen.extend(values.iter().map(|id| **id));
            Continue::<(), ()>(())
        });
        assert!(flow.is_continue());
        assert_eq!(seen, Vec::from_iter(1..59.max(last + 1)));
        assert_eq!(cursor.range().start, 8 * u64::from(seen.len() as u32));
    }
    let mut cursor = pair.tree.cursor(&pair.token, 5);
    assert!(cursor.visit_below(8, |_| -> ControlFlow<()> { panic!("nothing starts there") }).is_continue());
    assert_eq!(cursor.range(), 4..8);
}

#[test]
fn walking_back_goes_straight_inside_a_leaf_and_else_over_each_leaf_once() {
    let pair = comb(60);
    let mut leaves = 0;
    let mut cursor = pair.tree.cursor(&pair.token, 8 * 59);
    let mut here = cursor.range();
    while let Some((before, _)) = cursor.prev() {
        leaves += u64::from(!cursor.holds(here.start));
        here = before;
    }
    assert!(leaves > 2);
    for page in 0..8 * 60 {
        let mut cursor = pair.tree.cursor(&pair.token, LIMIT - 1);
        let is_here = cursor.holds(page);
        let back = cursor.walk_back(page);
        assert!(cursor.range().contains(&page));
        assert_eq!(back == 0, is_here);
        assert!(back <= leaves);
        assert_eq!(cursor.walk_back(page), 0, "it is there");
        assert_eq!(back == leaves, cursor.holds(0));
    }
}

#[test]
fn storing_while_iterating_goes_on_behind_the_store() {
    let mut pair = comb(60);
    let mut cursor = pair.tree.cursor_mut(&mut pair.token, 0);
    let mut next = cursor.find(LIMIT);
    let mut seen = 0;
    while let Some((range, _)) = next {
        seen += 1;
        let place = range.end + 1..range.end + 2;
        let reservation = cursor.reserve(place, Store::Entry).expect("memory");
        cursor.store(reservation, Some(value(1000)));
        assert_eq!(cursor.prev().map(|(range, _)| range), Some(range));
        assert_eq!(cursor.next().map(|(_, id)| *id), Some(1000));
        next = cursor.next();
    }
    assert_eq!((seen, pair.tree.len()), (60, 120));
    pair.tree.check(&pair.token).expect("a right tree");
}

#[test]
fn erasing_while_iterating_leaves_the_cursor_in_the_joined_gap() {
    let mut pair = comb(60);
    let mut cursor = pair.tree.cursor_mut(&mut pair.token, 0);
    for at in 0..60 {
        let (range, id) = cursor.find(LIMIT).expect("an entry");
        assert_eq!(u64::from(*id), at);
        let reservation = cursor.reserve(range, Store::Erase).expect("memory");
        cursor.store(reservation, None);
        assert_eq!(cursor.range(), 0..if at == 59 { LIMIT } else { 8 * at + 8 });
    }
    assert!(pair.tree.is_empty());
}

mod positions {
    use super::*;

    #[test]
    fn of_an_unchanged_tree_is_resumed_where_it_was() {
        let mut pair = comb(60);
        let position = {
            let mut cursor = pair.cursor_mut(200);
            cursor.next();
            cursor.position()
        };
        let mut cursor = pair.tree.resume(&pair.token, position);
        assert_eq!(cursor.entry(), Some(value(26)));
        assert_eq!(cursor.prev(), Some((200..204, value(25))));
    }

    #[test]
    fn taken_after_a_store_is_resumed_in_the_gap_it_left() {
        let mut pair = comb(60);
        let position = {
            let mut cursor = pair.cursor_mut(100);
            let reservation = cursor.reserve(100..300, Store::Erase).expect("memory");
            cursor.store(reservation, None);
            cursor.position()
        };
        let mut cursor = pair.tree.resume(&pair.token, position);
        assert_eq!(cursor.range(), 100..304);
        assert_eq!(cursor.next(), Some((304..308, value(38))));
    }

    #[test]
    fn of_a_changed_tree_is_walked_to_again() {
        let mut pair = comb(60);
        let position = pair.cursor_mut(200).position();
        pair.store(0..400, None);
        let mut cursor = pair.tree.resume(&pair.token, position);
        assert_eq!(cursor.range(), 0..400);
        assert_eq!(cursor.next(), Some((400..404, value(50))));
    }
}

#[test]
fn a_cursor_holds_exactly_the_pages_of_its_leaf() {
    let pair = comb(60);
    let mut cursor = pair.tree.cursor(&pair.token, 240);
    let held: Vec<_> = (0..480).filter(|page| cursor.holds(*page)).collect();
    assert!(held.contains(&240) && held.len() < 400);
    assert_eq!(held.len() as u64, held[held.len() - 1] - held[0] + 1);
    for page in [held[0], held[held.len() - 1], 0, 479] {
        cursor.seek(page);
        assert!(cursor.range().contains(&page));
    }
}
