//! Reservations and stores of a writing cursor.

use core::ops::Range;

use crate::{
    cursor::CursorMut,
    geometry::{LEVELS, LIMIT},
    node::{Chain, Inner, Kind, Leaf, saturate},
    path::{Change, NOWHERE, NewGap, Path},
    reserve::{NoMemory, Store, prepare},
    source::NodeSource,
    tree::{Token, Tree},
};

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

impl<'t, 'k, 'm, T, S: NodeSource> CursorMut<'t, 'k, 'm, T, S> {
    /// Walks to `page`, noting the path. What was reserved before is good no more.
    #[inline]
    pub(crate) fn start(tree: &'t Tree<'m, T, S>, token: &'k mut Token<'m, T, S>, page: u64) -> Self {
        assert!(page < LIMIT, "page beyond the tree's limit");
        token.plan.serial += 1;
        let place = token.plan.path.walk(tree, page);
        Self::new(tree, token, place)
    }

    /// Walks to `page`, noting the path.
    #[inline(never)]
    fn walk_path(&mut self, page: u64) {
        assert!(page < LIMIT, "page beyond the tree's limit");
        self.place = self.witness.plan.path.walk(self.tree, page);
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
    #[inline(always)]
    pub fn reserve(&mut self, range: Range<u64>, what: Store) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        match what {
            Store::Entry => self.reserve_entry(range),
            Store::Erase => self.reserve_erase(range),
        }
    }

    #[inline(always)]
    fn reserve_entry(&mut self, range: Range<u64>) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        self.reserve_for(range, Store::Entry)
    }

    #[inline(always)]
    fn reserve_erase(&mut self, range: Range<u64>) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        self.reserve_for(range, Store::Erase)
    }

    /// Compiled once for each kind of store.
    #[inline(always)]
    fn reserve_for(&mut self, range: Range<u64>, what: Store) -> Result<Reservation<'t, 'm, T, S>, NoMemory> {
        assert!(range.start < range.end && range.end <= LIMIT, "a store needs a range of the tree");
        let tree = self.tree;
        let plan = &mut self.witness.plan;
        let known = Leaf::is_same(plan.path.leaf, self.place.leaf);
        if !known || range.start < self.place.low || range.start >= self.place.high {
            self.find_path_to(range.start);
        }
        let bounds = self.place.bounds();
        let plan = &mut self.witness.plan;
        plan.serial += 1;
        let serial = plan.serial;
        plan.page = range.start;
        let prepared = prepare(tree, plan, bounds, &range, what)?;
        Ok(Reservation { tree, prepared, serial })
    }

    /// Makes the noted path lead to the leaf at hand, which holds `page`.
    #[inline]
    pub(crate) fn find_path_here(&mut self, page: u64) {
        if !Leaf::is_same(self.witness.plan.path.leaf, self.place.leaf) {
            self.find_path_to(page);
        }
    }

    /// Makes the noted path lead to the leaf that holds `page`: if it is a sibling of the noted one, without a walk.
    #[inline(never)]
    fn find_path_to(&mut self, page: u64) {
        let path = &mut self.witness.plan.path;
        if self.place.holds(page)
            && path.height > 0
            && let Some((parent, index)) = self.place.parent()
            && path.node(1) == parent
        {
            path.set_index(1, index);
            path.leaf = self.place.leaf();
        } else {
            self.walk_path(page);
        }
    }

    /// Stores `value` over the reserved range: what was there before, also in part, is replaced by one visible step; parts of
    /// entries outside the range stay. Cannot fail. The cursor then stands on the stored range (or the gap around it).
    ///
    /// # Panics
    /// If the reservation is not the last one made for this tree, if another writing cursor was made since, or if it was
    /// made for another kind of store than `value` is.
    #[inline(always)]
    pub fn store(&mut self, reservation: Reservation<'t, 'm, T, S>, value: Option<&'m T>) {
        let tree = self.tree;
        let plan = &mut self.witness.plan;
        assert!(
            core::ptr::eq(reservation.tree, tree) && reservation.serial == plan.serial,
            "a reservation is good for the next store only"
        );
        // The prepared nodes become the tree's.
        core::mem::forget(reservation);
        // Since the reservation the cursor may have gone to another leaf.
        let has_moved = !Leaf::is_same(self.place.leaf, plan.path.leaf);
        match plan.change {
            Change::Vacate { leaf, index, above, gap } => {
                refuse_unless(value.is_none());
                let count = leaf.vacate(index);
                if let Some(gap) = gap.get() {
                    settle_leaf_gap(tree, &plan.path, gap);
                }
                tree.rcu().poll_at(tree.changed(tree.len() - 1));
                if !has_moved {
                    (self.place.slot, self.place.count) = (2 * above as u32, count as u32);
                    return;
                }
            }
            Change::Leaf { new, place, gap, len } => {
                refuse_unless(value.is_some() == (place != NOWHERE));
                if let Some(value) = value {
                    new.fill(place, value);
                }
                replace_leaf(tree, &mut plan.path, new, gap, len);
                if !has_moved {
                    return self.place.land::<S, Token<'m, T, S>>(new, plan.page);
                }
            }
            _ => return self.store_elsewhere(value),
        }
        self.walk_path(self.witness.plan.page);
    }

    /// The stores that are not frequent.
    #[inline(never)]
    fn store_elsewhere(&mut self, value: Option<&'m T>) {
        let tree = self.tree;
        let plan = &mut self.witness.plan;
        let page = plan.page;
        let path = &mut plan.path;
        match plan.change {
            Change::Vacate { .. } | Change::Leaf { .. } => {}
            Change::Nothing => {
                refuse_unless(value.is_none());
                return self.seek(page);
            }
            Change::Front { new, start, gap, len } => {
                refuse_unless(value.is_none());
                replace_leaf(tree, path, new, gap, len);
                raise_front(tree, path, start);
                if let Some(place) = path.step_to_sibling_before(page) {
                    self.place = place;
                    return;
                }
            }
            Change::Replace { new, level, height, gap, fill, len, ref mut doomed, place } => {
                refuse_unless(value.is_some() == fill.is_some());
                if let (Some((leaf, index)), Some(value)) = (fill, value) {
                    leaf.fill(index, value);
                }
                if level == path.height {
                    tree.publish_root(new, height);
                } else if let Some(new) = new {
                    let (parent, index) = (path.node(level + 1), path.index(level + 1));
                    parent.set_child(index, new);
                    path.settle_gap(tree.rcu().source(), level + 1, index, gap);
                }
                let doomed = doomed.take();
                path.forget();
                tree.rcu().retire(doomed, tree.changed(len));
                if let Some(place) = place {
                    self.place = place;
                    return;
                }
            }
        }
        self.walk_path(page);
    }
}

#[inline(always)]
fn refuse_unless(is_of_its_kind: bool) {
    assert!(is_of_its_kind, "reserved for the other kind of store");
}

/// Notes the largest gap of the path's leaf, which has changed.
#[inline(always)]
pub(crate) fn settle_leaf_gap<'m, T, S: NodeSource>(tree: &Tree<'m, T, S>, path: &Path<'m, T>, gap: u32) {
    let Some(parent) = path.parent() else { return };
    let index = path.index(1);
    let known = parent.gap(index);
    // Most often a larger one beside it is the one that counts above.
    if path.height > 1 && path.node(2).gap(path.index(2)) > known.max(gap) {
        parent.set_gap(index, gap);
    } else {
        path.settle_gap(tree.rcu().source(), 1, index, gap);
    }
}

/// Puts `new`, whose largest gap is `gap` now if that changes, in the place of the path's leaf: the store becomes visible here.
#[inline(always)]
fn replace_leaf<'m, T, S: NodeSource>(
    tree: &Tree<'m, T, S>,
    path: &mut Path<'m, T>,
    new: Leaf<'m, T>,
    gap: NewGap,
    len: usize,
) {
    if let Some(parent) = path.parent() {
        parent.set_child(path.index(1), new.link());
        if let Some(gap) = gap.get() {
            settle_leaf_gap(tree, path, gap);
        }
    } else {
        tree.publish_root(Some(new.link()), 0);
    }
    let version = tree.changed(len);
    if let Some(old) = path.leaf.replace(new) {
        tree.rcu().retire_one(old.link(), version);
    }
}

/// The leaf of `path` begins at `start` from now on: the free space before it now belongs to the leaf before, which exists.
#[inline(never)]
fn raise_front<'m, T, S: NodeSource>(tree: &Tree<'m, T, S>, path: &Path<'m, T>, start: u64) {
    if let Some(before) = path.index(1).checked_sub(1)
        && let Kind::Leaf(leaf) = path.node(1).child(before).kind()
    {
        // Most leaves have a sibling before them.
        let parent = path.node(1);
        parent.raise_key(before + 1, start);
        let gap = saturate(start - leaf.range(leaf.count() - 1).end);
        return path.settle_gap(tree.rcu().source(), 1, before, parent.gap(before).max(gap));
    }
    let Some(level) = (2..=path.height).find(|level| path.index(*level) > 0) else { return };
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
