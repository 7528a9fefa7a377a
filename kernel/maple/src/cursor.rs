//! Cursors and detached positions.

use core::ops::{ControlFlow, Range};

use crate::{
    place::{Place, Slot},
    source::NodeSource,
    tree::{Quiet, Token, Tree, Witness},
};

/// A cursor that reads under a [`Token`] or a [`ReadGuard`](crate::ReadGuard), borrowed for `'k`.
pub type Cursor<'t, 'k, 'm, T, S, W> = TreeCursor<'t, 'm, T, S, &'k W>;

/// A cursor that also stores.
pub type CursorMut<'t, 'k, 'm, T, S> = TreeCursor<'t, 'm, T, S, &'k mut Token<'m, T, S>>;

/// A place in the tree: one slot, an entry or a gap between entries. Holds its witness.
///
/// Under a guard each step sees every store that ended before the step began, and for each page either the old or the new
/// entry of a store at work.
pub struct TreeCursor<'t, 'm, T, S: NodeSource, K> {
    pub(crate) tree: &'t Tree<'m, T, S>,
    pub(crate) place: Place<'m, T>,
    pub(crate) witness: K,
}

impl<'t, 'm, T, S: NodeSource, K: Witness<'m, T, S>> TreeCursor<'t, 'm, T, S, K> {
    #[inline]
    pub(crate) fn new(tree: &'t Tree<'m, T, S>, witness: K, place: Place<'m, T>) -> Self {
        Self { tree, place, witness }
    }

    /// Bounds of the slot here, in pages.
    #[inline]
    pub fn range(&self) -> Range<u64> {
        self.place.range::<S, K>()
    }

    /// The entry here; `None` in a gap.
    #[inline]
    pub fn entry(&self) -> Option<&'m T> {
        self.place.entry()?.entry
    }

    /// Whether the leaf at hand covers `page`, so that [`seek`](Self::seek) will not walk from the root.
    #[inline]
    pub fn holds(&self, page: u64) -> bool {
        self.place.holds(page)
    }

    /// Walks from the root to the slot that covers `page` (below [`LIMIT`]).
    #[inline]
    pub fn walk(&mut self, page: u64) {
        self.place = Place::walk::<S, K>(self.tree, page);
    }

    /// Steps to the next slot, entry or gap, and gives its bounds. `None` at the tree's end; the cursor stays.
    #[inline]
    pub fn next_range(&mut self) -> Option<Range<u64>> {
        self.place.next_range::<S, K>(self.tree)
    }

    /// Steps to the slot before, entry or gap, and gives its bounds. `None` at page 0; the cursor stays.
    #[inline]
    pub fn prev_range(&mut self) -> Option<Range<u64>> {
        self.place.prev_range::<S, K>(self.tree)
    }

    /// Steps to the next entry. `None` if there is none; the cursor stays.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a cursor also goes back; it is no iterator")]
    pub fn next(&mut self) -> Option<(Range<u64>, &'m T)> {
        self.place.next::<S, K>(self.tree, None)
    }

    /// Steps to the next entry if that starts below `limit`. Else `None`, and the cursor stays.
    #[inline]
    pub fn next_below(&mut self, limit: u64) -> Option<(Range<u64>, &'m T)> {
        self.place.next::<S, K>(self.tree, Some(limit))
    }

    /// Steps to the entry before. `None` if there is none; the cursor stays.
    #[inline]
    pub fn prev(&mut self) -> Option<(Range<u64>, &'m T)> {
        self.place.prev::<S, K>(self.tree)
    }

    /// The entry here, or else the next, if it starts below `limit`. The cursor stands on it; or stays.
    #[inline]
    pub fn find(&mut self, limit: u64) -> Option<(Range<u64>, &'m T)> {
        let here = if K::CONCURRENT {
            self.place.settle();
            self.place.entry()
        } else {
            match self.place.look() {
                Slot::Entry(item) => Some(item),
                Slot::Gap(gap) if gap.end >= limit => return None,
                Slot::Gap(_) => None,
            }
        };
        match here {
            Some(item) if item.start < limit => item.found(),
            Some(_) => None,
            None => self.next_below(limit),
        }
    }
}

impl<'t, 'm, T, S: NodeSource, K: Quiet<'m, T, S>> TreeCursor<'t, 'm, T, S, K> {
    /// Calls `visit` for the values of the entries behind the slot here that start below `limit`, in ascending order, for
    /// one or some at once, until it breaks. The cursor then stands on the last that was visited; if there was none it stays.
    /// Cheaper than steps.
    #[inline(always)]
    pub fn visit_below<B>(
        &mut self,
        limit: u64,
        visit: impl FnMut(&[&'m T]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.place.visit_below(self.tree, limit, visit)
    }

    /// As [`entry`](Self::entry), cheaper where the cursor has just been sent.
    #[inline]
    pub fn here(&mut self) -> Option<&'m T> {
        match self.place.look() {
            Slot::Entry(item) => item.entry,
            Slot::Gap(_) => None,
        }
    }

    /// The entry here, if there is one, and the bounds of the gap here or right behind it.
    #[inline]
    pub fn here_and_free(&mut self) -> (Option<&'m T>, Range<u64>) {
        match self.place.look() {
            Slot::Entry(item) => (item.entry, item.end..self.place.ceiling()),
            Slot::Gap(gap) => (None, gap),
        }
    }

    /// Bounds of the gap here, in pages: where the entry below ends and the one above starts. `None` on an entry.
    #[inline]
    pub fn gap(&mut self) -> Option<Range<u64>> {
        match self.place.look() {
            Slot::Entry(_) => None,
            Slot::Gap(gap) => Some(gap),
        }
    }

    /// The values below and above the slot here; the cursor stays.
    #[inline]
    pub fn beside(&mut self) -> [Option<&'m T>; 2] {
        self.place.settle();
        if let Some(both) = self.place.beside() {
            return both.map(Some);
        }
        let (mut below, mut above) = (self.place, self.place);
        [below.prev::<S, K>(self.tree), above.next::<S, K>(self.tree, None)]
            .map(|found| found.map(|(_, value)| value))
    }

    /// Goes to the slot that covers `page` (below [`LIMIT`]), inside the leaf at hand if that holds it.
    #[inline]
    pub fn seek(&mut self, page: u64) {
        self.place.seek(self.tree, page);
    }

    /// Goes back to the slot that covers `page`: inside the leaf at hand straight there, else by way of the leaves between. Gives
    /// how many leaves it went back. (From a leaf below `page` it walks from the root.)
    #[inline]
    pub fn walk_back(&mut self, page: u64) -> u64 {
        self.place.walk_back(self.tree, page)
    }

    /// This place, detached from the token: for [`Tree::resume`], for instance after a downgrade of the lock.
    #[inline]
    pub fn position(&self) -> Position<'t, 'm, T, S> {
        self.position_at(self.range().start)
    }

    /// As [`position`](Self::position), for who knows a `page` of the slot here.
    #[inline]
    pub fn position_at(&self, page: u64) -> Position<'t, 'm, T, S> {
        debug_assert!(self.range().contains(&page));
        Position { tree: self.tree, version: self.tree.version(), page, place: self.place }
    }
}

/// A place in a tree at a version of the tree.
pub struct Position<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    version: u64,
    /// A page of the slot: where it began, or what was sought.
    page: u64,
    /// Good only while the tree has that version.
    place: Place<'m, T>,
}

impl<T, S: NodeSource> Clone for Position<'_, '_, T, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, S: NodeSource> Copy for Position<'_, '_, T, S> {}

impl<'t, 'm, T, S: NodeSource> Position<'t, 'm, T, S> {
    /// A place in `tree` as it is now, in the slot that covers `page`.
    #[inline]
    pub(crate) fn new(tree: &'t Tree<'m, T, S>, page: u64, place: Place<'m, T>) -> Self {
        Position { tree, version: tree.version(), page, place }
    }

    /// The place, for a holder of `tree`'s token.
    #[inline]
    pub(crate) fn place_in(&self, tree: &Tree<'m, T, S>) -> Place<'m, T> {
        match self.place_if_of(tree) {
            Some(place) => *place,
            None => Place::walk::<S, Token<'m, T, S>>(tree, self.page),
        }
    }

    /// The place, if nothing was stored in `tree` since.
    #[inline]
    pub(crate) fn place_if_of(&self, tree: &Tree<'m, T, S>) -> Option<&Place<'m, T>> {
        (core::ptr::eq(self.tree, tree) && self.version == tree.version()).then_some(&self.place)
    }
}
