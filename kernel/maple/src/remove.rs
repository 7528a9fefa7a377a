//! Entries that go where they are.

use crate::{
    cursor::CursorMut,
    node::{Leaf, One, Two},
    reserve::rises_to,
    source::NodeSource,
    writer::settle_leaf_gap,
};

impl<'m, T, S: NodeSource> CursorMut<'_, '_, 'm, T, S> {
    /// Takes the entry here out, if that can be done in place, as it can for most: then it takes no memory, and the cursor stands in
    /// the gap. It becomes visible at once. What was reserved before is good no more.
    ///
    /// `false`: nothing has changed. [`reserve`](Self::reserve) and [`store`](Self::store) can do it.
    #[inline]
    pub fn remove(&mut self) -> bool {
        self.place.settle();
        let place = &self.place;
        let (Some(leaf), 1) = (place.leaf, place.slot % 2) else { return false };
        let (index, bounds) = (place.slot as usize / 2, place.bounds());
        let spot = if Leaf::is_twin(leaf) {
            leaf.spot_at::<Two>(index, &bounds)
        } else if leaf.is_narrow() {
            leaf.spot_at::<One>(index, &bounds)
        } else {
            return false;
        };
        if !spot.can_go(place.parent.is_none()) || !spot.can_be_vacated() {
            return false;
        }
        let tree = self.tree;
        self.witness.plan.serial += 1;
        let count = leaf.vacate(index);
        (self.place.slot, self.place.count) = (2 * spot.above as u32, count as u32);
        tree.rcu().poll_at(tree.changed(tree.len() - 1));
        if let Some((parent, index)) = self.place.parent()
            && let Some(gap) = rises_to(spot.free(), parent.gap(index).into())
        {
            self.find_path_here(bounds.start);
            settle_leaf_gap(tree, &self.witness.plan.path, gap);
        }
        true
    }
}
