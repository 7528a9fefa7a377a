//! Bugs that a source can put back, each seen by a test that the tree passes without it; and the explorer's way in.
#![cfg(not(loom))]

mod common;

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
};

use maple::{Bug, FreeList, LIMIT, Node, NodeSource, Rcu, Store, Token, Tree, Witness};

/// A source with at most one bug; it poisons what comes back and keeps it.
struct Source {
    bug: Option<Bug>,
    free: RefCell<FreeList>,
    /// How often a reader came by.
    pauses: Cell<usize>,
}

impl NodeSource for Source {
    fn allocate(&self) -> Option<&'static mut Node> {
        Some(Box::leak(Box::new(Node::new())))
    }

    fn free(&self, node: &'static mut Node) {
        node.poison();
        self.free.borrow_mut().push(node);
    }

    fn pause(&self) {
        self.pauses.set(self.pauses.get() + 1);
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

type Fixture = (&'static Rcu<Source>, Tree<'static, u32, Source>, Token<'static, u32, Source>);

/// A tree of `n` entries of 4 pages with gaps of 4; entry `i` has the value `i`.
fn comb(bug: Option<Bug>, n: u64) -> Fixture {
    let source = Source { bug, free: RefCell::default(), pauses: Cell::default() };
    let rcu = Box::leak(Box::new(Rcu::new(source)));
    let (tree, mut token) = Tree::new(rcu);
    for index in 0..n {
        store(&tree, &mut token, 8 * index..8 * index + 4, Some(index as usize));
    }
    (rcu, tree, token)
}

fn store(
    tree: &Tree<'static, u32, Source>,
    token: &mut Token<'static, u32, Source>,
    range: std::ops::Range<u64>,
    id: Option<usize>,
) {
    let mut cursor = tree.cursor_mut(token, range.start);
    let what = if id.is_some() { Store::Entry } else { Store::Erase };
    let reservation = cursor.reserve(range, what).expect("memory");
    cursor.store(reservation, id.map(common::value));
}

fn ids<W: Witness<'static, u32, Source>>(tree: &Tree<'static, u32, Source>, witness: &W) -> Vec<u32> {
    let mut cursor = tree.cursor(witness, 0);
    let first = cursor.entry().copied();
    first.into_iter().chain(std::iter::from_fn(|| cursor.next().map(|(_, id)| *id))).collect()
}

/// Erases and overwrites spans of a comb of 60 whose last entry is in another leaf than their first; gives whether all
/// that was in them is gone.
fn spans_are_replaced(bug: Option<Bug>) -> bool {
    (1..59).all(|last| {
        let (_, tree, mut token) = comb(bug, 60);
        store(&tree, &mut token, 4..8 * last + 4, None);
        let erased = tree.get(&token, 8 * last).is_none();
        let (_, tree, mut token) = comb(bug, 60);
        store(&tree, &mut token, 4..8 * last + 4, Some(1000));
        let stored = tree.get(&token, 8 * last) == Some((4..8 * last + 4, common::value(1000)));
        assert_eq!(tree.check(&token), Ok(()));
        erased && stored
    })
}

#[test]
fn a_span_that_ends_with_a_leaf_leaves_an_entry_behind_only_with_the_bug() {
    assert!(spans_are_replaced(None));
    assert!(!spans_are_replaced(Some(Bug::SpanningStoreDuplicate)));
}

/// Whether a cursor that holds its place across a store steps to the new entry.
fn a_held_cursor_sees_the_store(bug: Option<Bug>) -> bool {
    let (rcu, tree, mut token) = comb(bug, 60);
    let reader = rcu.reader(0).expect("a slot");
    let guard = reader.read();
    let mut cursor = tree.cursor(&guard, 80);
    assert_eq!(cursor.entry(), Some(common::value(10)));
    store(&tree, &mut token, 85..86, Some(1000));
    cursor.next().map(|(_, id)| *id) == Some(1000)
}

#[test]
fn a_cursor_steps_on_in_a_replaced_node_only_with_the_bug() {
    assert!(a_held_cursor_sees_the_store(None));
    assert!(!a_held_cursor_sees_the_store(Some(Bug::DeadNodeNotChecked)));
}

#[test]
#[cfg(debug_assertions)]
fn a_reader_comes_to_a_freed_node_only_with_the_bug() {
    let comes_to_freed = |bug| catch_unwind(AssertUnwindSafe(|| a_held_cursor_sees_the_store(bug))).is_err();
    assert!(!comes_to_freed(None));
    assert!(comes_to_freed(Some(Bug::NodeFreedWithoutGracePeriod)));
}

#[test]
fn gaps_above_the_parent_are_wrong_only_with_the_bug() {
    let wrong = |bug| {
        let (_, tree, mut token) = comb(bug, 500);
        store(&tree, &mut token, 2004..2008, Some(1000));
        store(&tree, &mut token, 2008..2012, None);
        tree.check(&token).is_err()
    };
    assert!(!wrong(None));
    assert!(wrong(Some(Bug::GapNotPropagated)));
}

#[test]
fn readers_without_a_lock_pause_between_nodes_and_the_others_never() {
    let (rcu, tree, mut token) = comb(None, 200);
    let pauses = || rcu.source().pauses.replace(0);
    assert_eq!(ids(&tree, &token).len(), 200);
    tree.get(&token, 100);
    store(&tree, &mut token, 104..108, None);
    tree.find_area(&token, 0..LIMIT, 3);
    assert_eq!(pauses(), 0);
    let reader = rcu.reader(0).expect("a slot");
    let guard = reader.read();
    tree.get(&guard, 100);
    assert!(pauses() >= 3, "root, inner node, leaf");
    assert_eq!(ids(&tree, &guard).len(), 199);
    assert!(pauses() >= 200 / 15, "once a leaf");
    let mut cursor = tree.cursor(&guard, LIMIT - 1);
    while cursor.prev().is_some() {}
    assert!(pauses() >= 200 / 15, "once a leaf");
}

#[test]
fn trees_of_a_domain_have_different_names() {
    let (rcu, tree, _) = comb(None, 1);
    let (other, _token) = Tree::<u32, _>::new(rcu);
    assert_ne!(tree.name(), other.name());
}
