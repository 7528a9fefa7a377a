//! Visiting every node of a subtree, without recursion.

use crate::{
    geometry::LEVELS,
    node::{Chain, Inner, Kind, Link},
    source::NodeSource,
    tree::Tree,
};

/// Calls `visit` for every node at and below `link`, children before their parent.
pub(crate) fn for_each_node<'m, T>(link: Link<'m, T>, mut visit: impl FnMut(Kind<'m, T>)) {
    let mut stack: [Option<(Inner<'m, T>, usize)>; LEVELS] = [None; LEVELS];
    let mut depth = 0;
    let mut at = Some(link);
    loop {
        match at.take().map(Link::kind) {
            Some(Kind::Inner(inner)) => {
                stack[depth] = Some((inner, 0));
                depth += 1;
            }
            Some(leaf) => visit(leaf),
            None => {}
        }
        let Some((inner, next)) = depth.checked_sub(1).and_then(|top| stack[top].as_mut()) else { return };
        if *next < inner.count() {
            at = Some(inner.child(*next));
            *next += 1;
        } else {
            visit(Kind::Inner(*inner));
            depth -= 1;
        }
    }
}

/// Puts every node at and below `link` on `doomed`; gives the number of entries there.
pub(crate) fn doom_subtree<T>(link: Link<'_, T>, doomed: &mut Chain) -> usize {
    let Kind::Inner(inner) = link.kind() else { return doomed.doom(link) };
    let mut entries = 0;
    if let Kind::Leaf(_) = inner.child(0).kind() {
        // The most frequent.
        entries = (0..inner.count()).map(|index| doomed.doom(inner.child(index))).sum();
        doomed.doom(link);
        return entries;
    }
    for_each_node(link, |node| match node {
        Kind::Inner(inner) => {
            doomed.doom(inner.link());
        }
        Kind::Leaf(leaf) => entries += doomed.doom(leaf.link()),
    });
    entries
}

/// Puts every node of the tree on a chain.
pub(crate) fn doom_all<T, S: NodeSource>(tree: &Tree<'_, T, S>) -> Chain {
    let mut doomed = Chain::new();
    if let Some(root) = tree.root() {
        doom_subtree(root, &mut doomed);
    }
    doomed
}
