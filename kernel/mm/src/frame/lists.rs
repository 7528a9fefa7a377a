//! The lists of free blocks.

use super::cache::CACHED;
use super::meta::State;
use super::{FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;

/// Largest order: blocks of 2^10 frames (4 MiB).
pub const MAX_ORDER: u32 = 10;
pub(super) const ORDERS: usize = MAX_ORDER as usize + 1;
/// No frame: ends lists.
pub(super) const NONE: u32 = u32::MAX;
/// What the lock guards, with kind, order and links of all metadata.
pub(super) struct Lists {
    /// First block of each order.
    pub(super) heads: [u32; ORDERS],
    /// Number of blocks of each order.
    pub(super) blocks: [u32; ORDERS],
    /// Bit n: the list of order n is not empty.
    pub(super) nonempty: u32,
    /// Frames that were added.
    pub(super) total: u64,
    /// How often a single frame was asked for, and there was none.
    pub(super) shortages: u64,
}

impl Lists {
    pub(super) const fn new() -> Self {
        Lists { heads: [NONE; ORDERS], blocks: [0; ORDERS], nonempty: 0, total: 0, shortages: 0 }
    }

    /// Takes a block of `order` out of the lists, split off a larger one if need be. It is marked as cached, so that no buddy
    /// takes it for a block in a list until it is handed out.
    #[inline]
    pub(super) fn split_off(&mut self, store: &[FrameMeta], order: u32) -> Option<u32> {
        let fitting = self.nonempty >> order;
        if fitting == 0 {
            return None;
        }
        let mut have = order + fitting.trailing_zeros();
        let index = self.heads[have as usize];
        self.remove(store, index, have);
        while have > order {
            have -= 1;
            self.insert(store, index + (1 << have), have);
        }
        store[index as usize].set(State::new(FrameKind::Free, CACHED, 0));
        Some(index)
    }

    /// Puts a free block into the lists, merged with its buddies as far as they are free.
    pub(super) fn insert_merged(&mut self, store: &[FrameMeta], mut index: u32, mut order: u32) {
        while order < MAX_ORDER {
            let buddy = index ^ (1 << order);
            let free = State::new(FrameKind::Free, order as u8, 0);
            if !store.get(buddy as usize).is_some_and(|meta| meta.state() == free) {
                break;
            }
            self.remove(store, buddy, order);
            store[buddy.max(index) as usize].set(State::new(FrameKind::Unusable, 0, 0));
            index = index.min(buddy);
            order += 1;
        }
        self.insert(store, index, order);
    }

    /// Links a block in front of the list of its order.
    #[inline]
    fn insert(&mut self, store: &[FrameMeta], index: u32, order: u32) {
        let next = self.heads[order as usize];
        let meta = &store[index as usize];
        meta.set(State::new(FrameKind::Free, order as u8, 0));
        meta.next.store(next, Ordering::Relaxed);
        meta.previous.store(NONE, Ordering::Relaxed);
        if next != NONE {
            store[next as usize].previous.store(index, Ordering::Relaxed);
        }
        self.heads[order as usize] = index;
        self.blocks[order as usize] += 1;
        self.nonempty |= 1 << order;
    }

    /// Unlinks a block from the list of its order.
    #[inline]
    fn remove(&mut self, store: &[FrameMeta], index: u32, order: u32) {
        let meta = &store[index as usize];
        let next = meta.next.load(Ordering::Relaxed);
        let previous = meta.previous.load(Ordering::Relaxed);
        if next != NONE {
            store[next as usize].previous.store(previous, Ordering::Relaxed);
        }
        if previous != NONE {
            store[previous as usize].next.store(next, Ordering::Relaxed);
        } else {
            self.heads[order as usize] = next;
            if next == NONE {
                self.nonempty &= !(1 << order);
            }
        }
        self.blocks[order as usize] -= 1;
    }
}
