//! Entries that become longer or shorter where they are.

use core::ops::Range;

use crate::{cursor::CursorMut, node::Resized, source::NodeSource, writer::settle_leaf_gap};

impl<'m, T, S: NodeSource> CursorMut<'_, '_, 'm, T, S> {
    /// Gives the entry here the new `range`, if that can be done in place: for one that grows into free pages at one end, or gives
    /// back pages at its end. It becomes visible at once and takes no memory. What was reserved before is good no more.
    ///
    /// `false`: nothing has changed. [`reserve`](Self::reserve) and [`store`](Self::store) can do it if the pages are free.
    ///
    /// # Panics
    /// If `range` is empty.
    pub fn resize(&mut self, range: Range<u64>) -> bool {
        assert!(range.start < range.end, "an entry has a range");
        self.place.settle();
        let place = &self.place;
        let (Some(leaf), 1) = (place.leaf, place.slot % 2) else { return false };
        let bounds = place.bounds();
        let Some(resized) = leaf.resize(place.slot as usize / 2, &range, &bounds) else { return false };
        let (tree, plan) = (self.tree, &mut self.witness.plan);
        plan.serial += 1;
        let parent = self.place.parent();
        tree.rcu().poll_at(tree.changed(tree.len()));
        let Some((parent, index)) = parent else { return true };
        let known = u64::from(parent.gap(index));
        let gap = match resized {
            // What shrinks was not the largest.
            Resized::Less(had) if had < known => return true,
            Resized::More(has) if has <= known => return true,
            Resized::Less(_) | Resized::More(_) => leaf.gap(bounds.start, bounds.end),
        };
        self.find_path_here(range.start);
        settle_leaf_gap(tree, &self.witness.plan.path, gap);
        true
    }
}
