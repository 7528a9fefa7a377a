//! The VMA tree: non-overlapping ranges of page numbers, each with a reference to its VMA.
//!
//! A *slot* is an entry or a gap between entries; every page belongs to exactly one slot. A
//! [`CursorMut`] stands on a slot. All memory that a store can need is [reserved](CursorMut::reserve)
//! before anything visible changes; after that the store cannot fail.
//!
//! This is the stand-in of the first slice: a sorted array behind the interface of the real tree.

use alloc::vec::Vec;
use core::ops::Range;

/// Keys are below this number.
const KEY_END: u64 = u64::MAX;

/// No memory for what a store may need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

struct Entry<'m, T> {
    range: Range<u64>,
    value: &'m T,
}

/// The tree. Its guard is the mmap lock: `&Tree` under the read lock, `&mut Tree` under the write lock.
pub struct Tree<'m, T> {
    /// Ascending, disjoint.
    entries: Vec<Entry<'m, T>>,
}

/// A slot: its bounds and its value, `None` for a gap.
struct Slot<'m, T> {
    range: Range<u64>,
    value: Option<&'m T>,
}

impl<'m, T> Tree<'m, T> {
    /// An empty tree.
    pub const fn new() -> Self {
        Tree { entries: Vec::new() }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry that contains `page`.
    pub fn get(&self, page: u64) -> Option<(Range<u64>, &'m T)> {
        let slot = self.slot(page);
        slot.value.map(|value| (slot.range, value))
    }

    /// A cursor on the slot that contains `page`.
    pub fn cursor(&self, page: u64) -> Cursor<'_, 'm, T> {
        Cursor { tree: self, slot: self.slot(page) }
    }

    /// A writing cursor on the slot that contains `page`.
    pub fn cursor_mut(&mut self, page: u64) -> CursorMut<'_, 'm, T> {
        let slot = self.slot(page);
        CursorMut { tree: self, slot }
    }

    /// Goes on where a cursor stood before. The tree has not changed since, or it walks anew.
    pub fn resume(&self, position: Position) -> Cursor<'_, 'm, T> {
        self.cursor(position.page)
    }

    /// The highest gap of `pages` pages inside `window`: its first page.
    pub fn find_area_rev(&self, window: Range<u64>, pages: u64) -> Option<u64> {
        let mut end = window.end;
        loop {
            let slot = self.slot(end.checked_sub(1)?);
            let top = slot.range.end.min(end);
            let bottom = slot.range.start.max(window.start);
            if slot.value.is_none() && top.checked_sub(bottom)? >= pages {
                return Some(top - pages);
            }
            end = slot.range.start;
            if end <= window.start {
                return None;
            }
        }
    }

    /// The lowest gap of `pages` pages inside `window`: its first page.
    pub fn find_area(&self, window: Range<u64>, pages: u64) -> Option<u64> {
        let mut start = window.start;
        while start < window.end {
            let slot = self.slot(start);
            let top = slot.range.end.min(window.end);
            if slot.value.is_none() && top - start >= pages {
                return Some(start);
            }
            start = slot.range.end;
        }
        None
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.entries = Vec::new();
    }

    fn slot(&self, page: u64) -> Slot<'m, T> {
        let index = self.entries.partition_point(|entry| entry.range.end <= page);
        match self.entries.get(index) {
            Some(entry) if entry.range.contains(&page) => {
                Slot { range: entry.range.clone(), value: Some(entry.value) }
            }
            above => {
                let start = index.checked_sub(1).map_or(0, |below| self.entries[below].range.end);
                Slot { range: start..above.map_or(KEY_END, |entry| entry.range.start), value: None }
            }
        }
    }
}

impl<T> Default for Tree<'_, T> {
    fn default() -> Self {
        Tree::new()
    }
}

/// Where a cursor stood, without a borrow of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    page: u64,
}

/// Methods that reading and writing cursors share.
macro_rules! reading {
    ($cursor:ident) => {
        impl<'m, T> $cursor<'_, 'm, T> {
            /// Bounds of the slot.
            pub fn range(&self) -> Range<u64> {
                self.slot.range.clone()
            }

            /// The entry, `None` on a gap.
            pub fn entry(&self) -> Option<&'m T> {
                self.slot.value
            }

            /// Walks from the root to the slot that contains `page`.
            pub fn walk(&mut self, page: u64) {
                self.slot = self.tree.slot(page);
            }

            /// Steps to the next slot; `false` at the end of the tree.
            pub fn next_range(&mut self) -> bool {
                let more = self.slot.range.end < KEY_END;
                if more {
                    self.walk(self.slot.range.end);
                }
                more
            }

            /// Steps to the previous slot; `false` at the start of the tree.
            pub fn prev_range(&mut self) -> bool {
                let more = self.slot.range.start > 0;
                if more {
                    self.walk(self.slot.range.start - 1);
                }
                more
            }

            /// Steps to the next entry that starts below `limit`, passing at most one gap. The cursor may stay on
            /// a gap when there is none.
            pub fn next(&mut self, limit: u64) -> Option<&'m T> {
                if self.slot.range.end >= limit || !self.next_range() {
                    return None;
                }
                self.find(limit)
            }

            /// The entry here, or the next one that starts below `limit`.
            pub fn find(&mut self, limit: u64) -> Option<&'m T> {
                if self.entry().is_none() && (self.slot.range.end >= limit || !self.next_range()) {
                    return None;
                }
                self.entry()
            }

            /// Steps to the previous entry, passing at most one gap.
            pub fn prev(&mut self) -> Option<&'m T> {
                if !self.prev_range() || (self.entry().is_none() && !self.prev_range()) {
                    return None;
                }
                self.entry()
            }

            /// Whether the node at hand holds `page`, so that it can be reached without a walk.
            pub fn holds(&self, page: u64) -> bool {
                page < KEY_END
            }

            /// The place, for [`Tree::resume`].
            pub fn position(&self) -> Position {
                Position { page: self.slot.range.start }
            }
        }
    };
}

/// A cursor for reading.
pub struct Cursor<'t, 'm, T> {
    tree: &'t Tree<'m, T>,
    slot: Slot<'m, T>,
}

/// A cursor for writing.
pub struct CursorMut<'t, 'm, T> {
    tree: &'t mut Tree<'m, T>,
    slot: Slot<'m, T>,
}

reading!(Cursor);
reading!(CursorMut);

/// Memory for one store. Dropping it gives the memory back.
#[derive(Debug)]
#[must_use]
pub struct Reservation(());

impl<'m, T> CursorMut<'_, 'm, T> {
    /// Takes the memory that one [`store`](Self::store) over `range` can need, whatever its value.
    /// The tree is unchanged, whatever the result.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn reserve(&mut self, range: Range<u64>) -> Result<Reservation, NoMemory> {
        debug_assert!(range.start < range.end && range.end < KEY_END);
        // A store in the middle of an entry leaves it on both sides: two more entries at most.
        self.tree.entries.try_reserve(2).map_err(|_| NoMemory)?;
        Ok(Reservation(()))
    }

    /// Lets `range` have `value`, in one step for readers; `None` erases. What was there before keeps what
    /// lies outside of `range`. The cursor stands on the slot that contains the start of `range` then.
    pub fn store(&mut self, reservation: Reservation, range: Range<u64>, value: Option<&'m T>) {
        let Reservation(()) = reservation;
        let entries = &mut self.tree.entries;
        let first = entries.partition_point(|entry| entry.range.end <= range.start);
        let last = entries.partition_point(|entry| entry.range.start < range.end);
        let below = entries.get(first).filter(|entry| entry.range.start < range.start);
        let below = below.map(|entry| Entry { range: entry.range.start..range.start, value: entry.value });
        let above = last.checked_sub(1).and_then(|last| entries.get(last));
        let above = above.filter(|entry| entry.range.end > range.end);
        let above = above.map(|entry| Entry { range: range.end..entry.range.end, value: entry.value });
        let stored = value.map(|value| Entry { range: range.clone(), value });
        entries.splice(first..last.max(first), below.into_iter().chain(stored).chain(above));
        self.walk(range.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(tree: &Tree<'_, u8>) -> Vec<(Range<u64>, u8)> {
        tree.entries.iter().map(|entry| (entry.range.clone(), *entry.value)).collect()
    }

    fn store<'m>(tree: &mut Tree<'m, u8>, range: Range<u64>, value: Option<&'m u8>) {
        let mut cursor = tree.cursor_mut(range.start);
        let reservation = cursor.reserve(range.clone()).unwrap();
        cursor.store(reservation, range, value);
    }

    #[test]
    fn a_store_in_the_middle_leaves_the_old_entry_on_both_sides() {
        let mut tree = Tree::new();
        store(&mut tree, 10..20, Some(&1));
        store(&mut tree, 13..15, Some(&2));
        assert_eq!(ranges(&tree), [(10..13, 1), (13..15, 2), (15..20, 1)]);
        store(&mut tree, 12..16, None);
        assert_eq!(ranges(&tree), [(10..12, 1), (16..20, 1)]);
    }

    #[test]
    fn a_cursor_steps_over_entries_and_gaps_in_both_directions() {
        let mut tree = Tree::new();
        store(&mut tree, 10..20, Some(&1));
        store(&mut tree, 30..40, Some(&2));
        let mut cursor = tree.cursor(15);
        assert_eq!((cursor.next(100).copied(), cursor.range()), (Some(2), 30..40));
        assert!(cursor.prev_range());
        assert_eq!((cursor.entry(), cursor.range()), (None, 20..30));
        assert_eq!(cursor.prev().copied(), Some(1));
        assert_eq!((cursor.prev(), cursor.range()), (None, 0..10));
        assert_eq!(cursor.find(10), None);
        assert_eq!(cursor.find(11).copied(), Some(1));
    }

    #[test]
    fn areas_are_found_from_both_ends_of_the_window() {
        let mut tree = Tree::new();
        store(&mut tree, 10..20, Some(&1));
        store(&mut tree, 24..40, Some(&2));
        assert_eq!(tree.find_area_rev(0..40, 4), Some(20));
        assert_eq!(tree.find_area_rev(0..40, 5), Some(5));
        assert_eq!(tree.find_area_rev(12..40, 5), None);
        assert_eq!(tree.find_area(5..100, 5), Some(5));
        assert_eq!(tree.find_area(6..100, 5), Some(40));
        assert_eq!(tree.find_area(6..44, 5), None);
    }
}
