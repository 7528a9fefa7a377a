//! The writer's notes: the path it walked and what its reservation has prepared.

use core::ops::Range;

use crate::{
    geometry::{LEVELS, LIMIT},
    node::{Chain, Inner, Kind, Leaf, Link},
    place::Place,
    source::{Bug, NodeSource},
    tree::Tree,
};

/// Levels 0 to `LEVELS`, rounded up so that an index needs no bounds check.
const PLACES: usize = (LEVELS + 1).next_power_of_two();

/// Way from the root to a leaf. Level 0 is the leaf's, level `height` the root's.
pub(crate) struct Path<'m, T> {
    /// Inner nodes at levels 1 to `height`; none at level 1 if that is 0.
    nodes: [Option<Inner<'m, T>>; PLACES],
    /// Which child the path takes in the node of the same level.
    indexes: [u8; PLACES],
    pub(crate) leaf: Option<Leaf<'m, T>>,
    pub(crate) height: usize,
}

impl<T> Clone for Path<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Path<'_, T> {}

impl<'m, T> Path<'m, T> {
    pub(crate) const fn new() -> Self {
        Self { nodes: [None; PLACES], indexes: [0; PLACES], leaf: None, height: 0 }
    }

    /// Walks to the leaf that covers `page`.
    #[inline]
    pub(crate) fn walk<S: NodeSource>(&mut self, tree: &Tree<'m, T, S>, page: u64) -> Place<'m, T> {
        self.height = tree.height();
        let mut level = self.height % PLACES;
        let Some(mut link) = tree.root() else {
            self.leaf = None;
            return Place::EMPTY;
        };
        let (mut parent, mut index) = (None, 0);
        loop {
            match link.kind() {
                Kind::Inner(inner) => {
                    index = inner.search(page);
                    self.nodes[level] = Some(inner);
                    self.indexes[level] = index as u8;
                    parent = Some(inner);
                    link = inner.child(index);
                    level = level.wrapping_sub(1) % PLACES;
                }
                Kind::Leaf(leaf) => {
                    self.leaf = Some(leaf);
                    if parent.is_none() {
                        self.nodes[1] = None;
                    }
                    return Place::in_quiet_leaf(leaf, parent, index, page);
                }
            }
        }
    }

    /// The tree is not as it was: before the next reservation there is a walk.
    pub(crate) fn forget(&mut self) {
        (self.leaf, self.height) = (None, 0);
    }

    /// The node of `level`, which is 1 to `height`.
    #[inline]
    pub(crate) fn node(&self, level: usize) -> Inner<'m, T> {
        self.nodes[level % PLACES].expect("a path has a node at each of its levels")
    }

    /// The node above the path's leaf, unless that is the root.
    #[inline(always)]
    pub(crate) fn parent(&self) -> Option<Inner<'m, T>> {
        self.nodes[1]
    }

    #[inline]
    pub(crate) fn index(&self, level: usize) -> usize {
        self.indexes[level % PLACES] as usize
    }

    #[inline]
    pub(crate) fn set_index(&mut self, level: usize, index: usize) {
        self.indexes[level % PLACES] = index as u8;
    }

    /// Leads to the leaf before, if that has the same parent; gives the slot there that covers `page`.
    pub(crate) fn step_to_sibling_before(&mut self, page: u64) -> Option<Place<'m, T>> {
        let parent = self.node(1);
        let index = self.index(1).checked_sub(1)?;
        let Kind::Leaf(leaf) = parent.child(index).kind() else { return None };
        self.set_index(1, index);
        self.leaf = Some(leaf);
        Some(Place::in_quiet_leaf(leaf, Some(parent), index, page))
    }

    /// Where the node of `level` begins.
    pub(crate) fn low(&self, level: usize) -> u64 {
        self.bounds(level).start
    }

    /// Where the node of `level` ends.
    pub(crate) fn high(&self, level: usize) -> u64 {
        self.bounds(level).end
    }

    fn bounds(&self, level: usize) -> Range<u64> {
        if level == self.height { 0..LIMIT } else { self.node(level + 1).bounds(self.index(level + 1)) }
    }

    /// Writes `gap` for child `index` of the node at `level`, and what follows from it into the nodes above.
    #[inline(never)]
    pub(crate) fn settle_gap<S: NodeSource>(&self, source: &S, level: usize, index: usize, gap: u32) {
        let (mut index, mut gap) = (index, gap);
        for level in level..=self.height {
            let node = self.node(level);
            let old = node.gap(index);
            if gap == old {
                return;
            }
            node.set_gap(index, gap);
            if level == self.height || source.has(Bug::GapNotPropagated) {
                return;
            }
            index = self.index(level + 1);
            let known = self.node(level + 1).gap(index);
            if gap <= known {
                if old < known {
                    return;
                }
                gap = node.max_gap();
            }
        }
    }
}

/// No index of an entry.
pub(crate) const NOWHERE: usize = usize::MAX;

/// A leaf's largest gap, if that changes; in one word.
#[derive(Clone, Copy)]
pub(crate) struct NewGap(u64);

impl NewGap {
    #[inline(always)]
    pub(crate) fn of(gap: Option<u32>) -> Self {
        Self(gap.map_or(u64::MAX, u64::from))
    }

    #[inline(always)]
    pub(crate) fn get(self) -> Option<u32> {
        (self.0 != u64::MAX).then_some(self.0 as u32)
    }
}

/// What the store that follows a reservation will do. Told apart by one byte.
#[repr(u8)]
pub(crate) enum Change<'m, T> {
    /// The range is free already.
    Nothing,
    /// Make an entry of the path's leaf vacant.
    Vacate {
        leaf: Leaf<'m, T>,
        index: usize,
        /// The next entry above that is not vacant, or the count.
        above: usize,
        /// Largest gap of the leaf, if that changes.
        gap: NewGap,
    },
    /// Put the copy `new` in the place of the path's leaf.
    Leaf {
        new: Leaf<'m, T>,
        /// Where the value goes, if one comes; else `NOWHERE`.
        place: usize,
        /// Largest gap of `new`, if that changes.
        gap: NewGap,
        /// Entries of the tree afterwards.
        len: usize,
    },
    /// The same for a copy without the first entries: the leaf begins at `start` then, above its old first start.
    Front { new: Leaf<'m, T>, start: u64, gap: NewGap, len: usize },
    /// Put `new` in the place of the path's node of `level`; at the tree's height: of the root.
    Replace {
        new: Option<Link<'m, T>>,
        level: usize,
        /// Height of the tree afterwards.
        height: usize,
        /// Largest gap below `new`.
        gap: u32,
        /// Where the value goes.
        fill: Option<(Leaf<'m, T>, usize)>,
        /// Entries of the tree afterwards.
        len: usize,
        /// Nodes that the store unlinks.
        doomed: Chain,
        /// Where the cursor stands afterwards, if that is known without a walk.
        place: Option<Place<'m, T>>,
    },
}

/// The writer's notes, kept in the token so that neither a reservation nor a cursor moves them about.
///
/// The path is good while one writing cursor lives: only that changes the tree.
pub(crate) struct Plan<'m, T> {
    pub(crate) path: Path<'m, T>,
    /// Number of the last reservation.
    pub(crate) serial: u64,
    /// Where its range starts.
    pub(crate) page: u64,
    pub(crate) change: Change<'m, T>,
}

impl<T> Plan<'_, T> {
    pub(crate) const fn new() -> Self {
        Self { path: Path::new(), serial: 0, page: 0, change: Change::Nothing }
    }
}
