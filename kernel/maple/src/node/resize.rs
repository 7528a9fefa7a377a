//! Entries of packed leaves that become longer or shorter in place.

use core::ops::Range;

use super::{
    Leaf,
    leaf::Packed,
    origin::{END, One, Origin, Two},
};
use crate::sync::Ordering;

/// What an entry's new range does to the free pages beside it.
pub(crate) enum Resized {
    /// There were so many, and now there are less.
    Less(u64),
    /// There are so many now.
    More(u64),
}

impl<'m, T> Leaf<'m, T> {
    /// Gives entry `index`, which has a value, the range `new` in place, in a leaf of these `bounds`: it keeps its start or its
    /// end, and gets free pages or gives some back behind it. The store becomes visible here. `None`: it cannot, and nothing
    /// has changed.
    #[inline]
    pub(crate) fn resize(self, index: usize, new: &Range<u64>, bounds: &Range<u64>) -> Option<Resized> {
        if self.is_narrow() {
            self.body::<One>().resize::<One>(index, new, bounds)
        } else if self.is_twin() {
            self.body::<Two>().resize::<Two>(index, new, bounds)
        } else {
            None
        }
    }
}

impl<T> Packed<'_, T> {
    /// As [`Leaf::resize`]. One word is written, so a reader finds the old bounds or the new ones. One that has searched with old
    /// starts may read new ends: then it finds the entry longer, or shorter, but never one that starts behind its page. That is
    /// why an entry does not give back pages in front.
    #[inline(always)]
    fn resize<O: Origin>(&self, index: usize, new: &Range<u64>, bounds: &Range<u64>) -> Option<Resized> {
        let (count, vacant) = self.head.count_and_vacant();
        let origin = O::of(self.base);
        let (start, end) = origin.near(new)?;
        let old = self.bounds(index);
        let (old_start, old_end) = (old >> 32, old & END);
        if end == old_end && start < old_start {
            let before = if index > 0 { origin.page(self.bounds(index - 1) & END) } else { bounds.start };
            if before > new.start {
                return None;
            }
            self.bounds[index].store(start << 32 | end, Ordering::Release);
            return Some(Resized::Less(origin.page(old_start) - before));
        }
        if start != old_start || end == old_end {
            return None;
        }
        let mut above = index + 1;
        while vacant > 0 && above < count && self.is_vacant(above) {
            above += 1;
        }
        let after = if above < count { origin.page(self.bounds(above) >> 32) } else { bounds.end };
        if after < new.end {
            return None;
        }
        // A page of the entry must not lie behind the start of a vacant one.
        let move_vacant = || (index + 1..above).for_each(|vacant| self.empty(vacant, end));
        if end > old_end {
            move_vacant();
        }
        self.bounds[index].store(start << 32 | end, Ordering::Release);
        if end > old_end {
            return Some(Resized::Less(after - origin.page(old_end)));
        }
        move_vacant();
        Some(Resized::More(after - new.end))
    }
}
