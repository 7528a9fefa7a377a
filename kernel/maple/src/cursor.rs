//! Cursors, detached positions, reservations.

use core::{
    marker::PhantomData,
    ops::{ControlFlow, Deref, DerefMut, Range},
};

use crate::{
    geometry::{LEVELS, LIMIT},
    node::{Chain, Inner, Item, Kind, saturate},
    path::{Change, Path},
    place::Place,
    reserve::{NoMemory, Store, prepare},
    source::NodeSource,
    tree::{Token, Tree, Witness},
};

/// A place in the tree: one slot, an entry or a gap between entries. Holds its witness: `'k` is the borrow of a
/// [`Token`] or a [`ReadGuard`](crate::ReadGuard).
///
/// Under a guard each step sees every store that ended before the step began, and for each page either the old or the new
/// entry of a store at work.
pub struct Cursor<'t, 'k, 'm, T, S: NodeSource, W> {
    tree: &'t Tree<'m, T, S>,
    place: Place<'m, T>,
    witness: PhantomData<&'k W>,
}

fn outward<'m, T>(item: Item<'m, T>) -> Option<(Range<u64>, &'m T)> {
    Some((item.start..item.end, item.entry?))
}

impl<'t, 'm, T, S: NodeSource, W: Witness<'m, T, S>> Cursor<'t, '_, 'm, T, S, W> {
    #[inline]
    pub(crate) fn new(tree: &'t Tree<'m, T, S>, place: Place<'m, T>) -> Self {
        Self { tree, place, witness: PhantomData }
    }

    #[inline]
    pub(crate) fn at(tree: &'t Tree<'m, T, S>, page: u64) -> Self {
        Self::new(tree, Place::walk::<S, W>(tree, page))
    }

    /// Bounds of the slot here, in pages.
    #[inline]
    pub fn range(&self) -> Range<u64> {
        self.place.range()
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
        self.place = Place::walk::<S, W>(self.tree, page);
    }

    /// Goes to the slot that covers `page` (below [`LIMIT`]), inside the leaf at hand if that holds it.
    #[inline]
    pub fn seek(&mut self, page: u64) {
        if !W::CONCURRENT
            && self.place.holds(page)
            && let Some(leaf) = self.place.leaf()
        {
            self.place.land(leaf, page);
        } else {
            self.walk(page);
        }
    }

    /// Steps to the next slot, entry or gap, and gives its bounds. `None` at the tree's end; the cursor stays.
    #[inline]
    pub fn next_range(&mut self) -> Option<Range<u64>> {
        self.place.next_range::<S, W>(self.tree)
    }

    /// Steps to the slot before, entry or gap, and gives its bounds. `None` at page 0; the cursor stays.
    #[inline]
    pub fn prev_range(&mut self) -> Option<Range<u64>> {
        self.place.prev_range::<S, W>(self.tree)
    }

    /// Steps to the next entry. `None` if there is none; the cursor stays.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a cursor also goes back; it is no iterator")]
    pub fn next(&mut self) -> Option<(Range<u64>, &'m T)> {
        self.next_below(LIMIT)
    }

    /// Steps to the next entry if that starts below `limit`. Else `None`, and the cursor stays.
    #[inline]
    pub fn next_below(&mut self, limit: u64) -> Option<(Range<u64>, &'m T)> {
        outward(self.place.next_below::<S, W>(self.tree, limit)?)
    }

    /// Steps to the entry before. `None` if there is none; the cursor stays.
    #[inline]
    pub fn prev(&mut self) -> Option<(Range<u64>, &'m T)> {
        outward(self.place.prev::<S, W>(self.tree)?)
    }

    /// The entry here, or else the next, if it starts below `limit`. The cursor stands on it; or stays.
    #[inline]
    pub fn find(&mut self, limit: u64) -> Option<(Range<u64>, &'m T)> {
        self.place.settle();
        match self.place.entry() {
            Some(item) if item.start < limit => outward(item),
            Some(_) => None,
            None => self.next_below(limit),
        }
    }
}

impl<'t, 'm, T, S: NodeSource> Cursor<'t, '_, 'm, T, S, Token<'m, T, S>> {
    /// Calls `visit` for each entry from here on that starts below `limit` (an entry here included), in ascending order,
    /// until it breaks. Then the cursor stands on the entry where it broke, or on the last visited; if there was none it stays.
    /// Cheaper than steps: the whole leaf is visited in one loop.
    #[inline]
    pub fn visit_below(
        &mut self,
        limit: u64,
        visit: impl FnMut(Range<u64>, &'m T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.place.visit_below(self.tree, limit, visit)
    }

    /// This place, detached from the token: for [`Tree::resume`], for instance after a downgrade of the lock.
    #[inline]
    pub fn position(&self) -> Position<'t, 'm, T, S> {
        let (page, version) = (self.range().start, self.tree.version());
        Position { tree: self.tree, version, page, place: self.place }
    }
}

/// A place in a tree at a version of the tree.
pub struct Position<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    version: u64,
    /// Where the slot began.
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

impl<'m, T, S: NodeSource> Position<'_, 'm, T, S> {
    /// The place, for a holder of `tree`'s token.
    #[inline]
    pub(crate) fn place_in(&self, tree: &Tree<'m, T, S>) -> Place<'m, T> {
        let unchanged = core::ptr::eq(self.tree, tree) && self.version == tree.version();
        if unchanged { self.place } else { Place::walk::<S, Token<'m, T, S>>(tree, self.page) }
    }
}

/// All the memory that one store needs, and the new nodes in it. Dropped unused, it gives the memory back.
#[must_use = "a reservation is for the store that follows it"]
pub struct Reservation<'t, 'm, T, S: NodeSource> {
    tree: &'t Tree<'m, T, S>,
    prepared: Chain,
    /// Number under which the token's plan has the rest.
    serial: u64,
}

impl<T, S: NodeSource> Drop for Reservation<'_, '_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if !self.prepared.is_empty() {
            self.tree.rcu().give_back(self.prepared.take());
        }
    }
}

/// A cursor that can store. Reads like a [`Cursor`] under the token.
pub struct CursorMut<'t, 'k, 'm, T, S: NodeSource> {
    cursor: Cursor<'t, 'k, 'm, T, S, Token<'m, T, S>>,
    token: &'k mut Token<'m, T, S>,
}

impl<'t, 'k, 'm, T, S: NodeSource> Deref for CursorMut<'t, 'k, 'm, T, S> {
    type Target = Cursor<'t, 'k, 'm, T, S, Token<'m, T, S>>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.cursor
    }
}

impl<T, S: NodeSource> DerefMut for CursorMut<'_, '_, '_, T, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.cursor
    }
}

impl<'t, 'k, 'm, T, S: NodeSource> CursorMut<'t, 'k, 'm, T, S> {
    #[inline]
    pub(crate) fn new(tree: &'t Tree<'m, T, S>, token: &'k mut Token<'m, T, S>, page: u64) -> Self {
        let place = walk_path(tree, token, page);
        Self { cursor: Cursor::new(tree, place), token }
    }

    /// Walks to `page`, noting the path.
    #[inline]
    fn walk_path(&mut self, page: u64) {
        self.cursor.place = walk_path(self.cursor.tree, self.token, page);
    }

    /// Takes all memory that a store of `what` over `range` needs, and prepares the store. The tree does not change.
    ///
    /// Good for one [`store`](Self::store), before anything else is stored or reserved.
    ///
    /// # Errors
    /// [`NoMemory`] if the source has none; nothing is kept.
    ///
    /// # Panics
    /// If `range` is empty or ends above [`LIMIT`].
    #[inline]
    pub fn reserve(&mut self, range: Range<u64>, what: Store) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        match what {
            Store::Entry => self.reserve_entry(range),
            Store::Erase => self.reserve_erase(range),
        }
    }

    #[inline(never)]
    fn reserve_entry(&mut self, range: Range<u64>) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        self.reserve_for(range, Store::Entry)
    }

    #[inline(never)]
    fn reserve_erase(&mut self, range: Range<u64>) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        self.reserve_for(range, Store::Erase)
    }

    /// Compiled once for each kind of store.
    #[inline(always)]
    fn reserve_for(&mut self, range: Range<u64>, what: Store) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        assert!(range.start < range.end && range.end <= LIMIT, "a store needs a range of the tree");
        let tree = self.cursor.tree;
        assert!(self.token.names(tree), "the cursor's token belongs to another tree");
        let place = &self.cursor.place;
        let known = self.token.plan.version == tree.version()
            && self.token.plan.path.leaf == place.leaf()
            && place.holds(range.start);
        if !known {
            self.find_path_to(range.start);
        }
        let bounds = self.cursor.place.bounds();
        let plan = &mut self.token.plan;
        plan.serial += 1;
        let serial = plan.serial;
        (plan.page, plan.what) = (range.start, what);
        let prepared = prepare(tree, plan, bounds, &range, what)?;
        Ok(Reservation { tree, prepared, serial })
    }

    /// Makes the noted path lead to the leaf that holds `page`: if it is a sibling of the noted one, without a walk.
    #[inline(never)]
    fn find_path_to(&mut self, page: u64) {
        let place = &self.cursor.place;
        let plan = &mut self.token.plan;
        if plan.version == self.cursor.tree.version()
            && place.holds(page)
            && plan.path.height > 0
            && let Some((parent, index)) = place.parent()
            && plan.path.node(1) == parent
        {
            plan.path.set_index(1, index);
            plan.path.leaf = place.leaf();
        } else {
            self.walk_path(page);
        }
    }

    /// Stores `value` over the reserved range: what was there before, also in part, is replaced by one visible step; parts of
    /// entries outside the range stay. Cannot fail. The cursor then stands on the stored range (or the gap around it).
    ///
    /// # Panics
    /// If the reservation is not the last one made here, if something was stored since, or if it was made for another
    /// kind of store than `value` is.
    #[inline]
    pub fn store(&mut self, reservation: Reservation<'t, 'm, T, S>, value: Option<&'m T>) {
        let tree = self.cursor.tree;
        assert!(self.token.names(tree), "the cursor's token belongs to another tree");
        let plan = &mut self.token.plan;
        assert!(
            core::ptr::eq(reservation.tree, tree)
                && reservation.serial == plan.serial
                && plan.version == tree.version(),
            "a reservation is good for the next store only"
        );
        assert!(value.is_some() == (plan.what == Store::Entry), "reserved for the other kind of store");
        let page = plan.page;
        // The prepared nodes become the tree's.
        core::mem::forget(reservation);
        let Change::Leaf { new, old, place, gap, raise, len } = plan.change else {
            return self.store_elsewhere(page, value);
        };
        if let Some(value) = value {
            new.fill(place, value);
        }
        let path = &plan.path;
        if path.height == 0 {
            tree.publish_root(Some(new.link()), 0);
        } else {
            let (parent, index) = (path.node(1), path.index(1));
            parent.set_child(index, new.link());
            if raise > 0 {
                raise_front(tree, path, raise);
            }
            let known = parent.gap(index);
            if known != gap {
                let larger_above = path.height > 1 && {
                    let above = path.node(2).gap(path.index(2));
                    above > known && above >= gap
                };
                if larger_above {
                    parent.set_gap(index, gap);
                } else {
                    path.settle_gap(tree.rcu().source(), 1, index, gap);
                }
            }
        }
        tree.changed(len);
        tree.rcu().retire_one(old.link());
        if raise > 0 {
            // The gap around the erased range went to the leaf before.
            return self.walk_path(page);
        }
        // The path to the replaced leaf stays good.
        plan.version = tree.version();
        plan.path.leaf = Some(new);
        self.cursor.place.land(new, page);
    }

    /// The stores that a [`rebuild`](crate::rebuild) has prepared.
    #[inline(never)]
    fn store_elsewhere(&mut self, page: u64, value: Option<&'m T>) {
        let tree = self.cursor.tree;
        let plan = &mut self.token.plan;
        let Change::Replace { new, level, height, gap, fill, len, ref mut doomed } = plan.change else {
            return self.cursor.seek(page);
        };
        if let (Some((leaf, index)), Some(value)) = (fill, value) {
            leaf.fill(index, value);
        }
        let path = &plan.path;
        if level == path.height {
            tree.publish_root(new, height);
        } else if let Some(new) = new {
            let (parent, index) = (path.node(level + 1), path.index(level + 1));
            parent.set_child(index, new);
            path.settle_gap(tree.rcu().source(), level + 1, index, gap);
        }
        tree.changed(len);
        tree.rcu().retire(doomed.take());
        self.walk_path(page);
    }
}

/// Walks to `page`, noting the path in the token.
#[inline]
fn walk_path<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    token: &mut Token<'m, T, S>,
    page: u64,
) -> Place<'m, T> {
    assert!(page < LIMIT, "page beyond the tree's limit");
    let plan = &mut token.plan;
    plan.version = tree.version();
    plan.path.walk(tree, page)
}

/// The leaf of `path` begins at `start` from now on: the free space before it now belongs to the leaf before, which exists.
#[inline(never)]
fn raise_front<'m, T, S: NodeSource>(tree: &Tree<'m, T, S>, path: &Path<'m, T>, start: u64) {
    let Some(level) = (1..=path.height).find(|level| path.index(*level) > 0) else { return };
    let (node, before) = (path.node(level), path.index(level) - 1);
    // From the leaf up, so that a reader which finds a raised key finds the ends below it raised.
    let mut below: [Option<Inner<'m, T>>; LEVELS] = [None; LEVELS];
    let (mut link, mut depth) = (node.child(before), 0);
    let end = loop {
        match link.kind() {
            Kind::Inner(inner) => {
                below[depth] = Some(inner);
                depth += 1;
                link = inner.child(inner.count() - 1);
            }
            Kind::Leaf(leaf) => break leaf.range(leaf.count() - 1).end,
        }
    };
    let gap = saturate(start - end);
    for inner in below[..depth].iter().rev().flatten() {
        let last = inner.count() - 1;
        inner.set_gap(last, inner.gap(last).max(gap));
        inner.raise_key(last + 1, start);
    }
    node.raise_key(before + 1, start);
    (1..level).for_each(|level| path.node(level).raise_key(0, start));
    path.settle_gap(tree.rcu().source(), level, before, node.gap(before).max(gap));
}
