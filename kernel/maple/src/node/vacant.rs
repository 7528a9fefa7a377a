//! Entries that become vacant in place.

use super::{COUNT, Leaf, ONE_VACANT, VACANT, origin::END};
use crate::sync::Ordering;

impl<'m, T> Leaf<'m, T> {
    /// Makes an entry of a packed leaf vacant, which is not its first: the store becomes visible here. `spot` says where, and
    /// that the leaf can have one more vacant entry. Gives the number of entries, also the vacant ones.
    #[inline(always)]
    pub(crate) fn vacate(self, index: usize) -> usize {
        debug_assert!(index > 0 && index < self.count());
        let body = self.packed();
        let below = body.bounds(index - 1) & END;
        // SAFETY: the count is at most NARROW.
        unsafe { body.entries.get_unchecked(index) }.store(core::ptr::null_mut(), Ordering::Relaxed);
        // Who finds these bounds finds no value.
        body.empty(index, below);
        let meta = body.head.meta.load(Ordering::Relaxed);
        body.head.meta.store(meta.map_addr(|a| a + ONE_VACANT), Ordering::Relaxed);
        let count = meta.addr() & COUNT;
        if meta.addr() & VACANT != 0 {
            // Those right above follow.
            for index in (index + 1..count).take_while(|index| body.is_vacant(*index)) {
                body.empty(index, below);
            }
        }
        count
    }
}
