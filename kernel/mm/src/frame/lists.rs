//! The lists of free blocks, and the cache of free frames.

use super::meta::KINDS;
use super::{FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;

/// Largest order: blocks of 2^10 frames (4 MiB).
pub const MAX_ORDER: u32 = 10;
pub(super) const ORDERS: usize = MAX_ORDER as usize + 1;
/// No frame: ends lists.
pub(super) const NONE: u32 = u32::MAX;
/// Stands in `FrameMeta::order` of a free frame in the cache.
pub(super) const CACHED: u8 = u8::MAX;
/// Frames in the cache above which half of it goes back to the lists.
const CACHE_LIMIT: u32 = 1024;

/// What the lock guards, with kind, order and links of all metadata.
pub(super) struct Lists {
    /// First block of each order.
    pub(super) heads: [u32; ORDERS],
    /// Number of blocks of each order.
    pub(super) blocks: [u32; ORDERS],
    /// Bit n: the list of order n is not empty.
    pub(super) nonempty: u32,
    /// First frame of the cache.
    pub(super) cache: u32,
    /// Number of frames in the cache.
    pub(super) cached: u32,
    /// Frames that were added.
    pub(super) total: u64,
    /// Allocated frames of each kind.
    pub(super) allocated: [u64; KINDS],
}

impl Lists {
    pub(super) const fn new() -> Self {
        Lists {
            heads: [NONE; ORDERS],
            blocks: [0; ORDERS],
            nonempty: 0,
            cache: NONE,
            cached: 0,
            total: 0,
            allocated: [0; KINDS],
        }
    }

    /// Makes the block at `meta`, which is in no list, one of `kind` with one reference.
    #[inline]
    pub(super) fn hand_out(&mut self, meta: &FrameMeta, order: u32, kind: FrameKind) {
        self.allocated[kind as usize] += 1 << order;
        meta.order.store(order as u8, Ordering::Relaxed);
        meta.kind.store(kind as u8, Ordering::Relaxed);
        meta.references.store(1, Ordering::Relaxed);
    }

    /// Frees the block at `index`, with the metadata `meta` and of the kind with number `kind`, that nobody owns
    /// any more: a single frame into the cache.
    #[inline]
    pub(super) fn free(&mut self, store: &[FrameMeta], meta: &FrameMeta, index: u32, kind: u8) {
        meta.references.store(0, Ordering::Relaxed);
        let order = u32::from(meta.order.load(Ordering::Relaxed));
        if order != 0 {
            return self.free_block(store, index, order, kind);
        }
        self.allocated[kind as usize % KINDS] -= 1;
        meta.kind.store(FrameKind::Free as u8, Ordering::Relaxed);
        meta.order.store(CACHED, Ordering::Relaxed);
        meta.next.store(self.cache, Ordering::Relaxed);
        self.cache = index;
        self.cached += 1;
        if self.cached > CACHE_LIMIT {
            self.drain_cache(store, CACHE_LIMIT / 2);
        }
    }

    #[cold]
    fn free_block(&mut self, store: &[FrameMeta], index: u32, order: u32, kind: u8) {
        self.allocated[kind as usize % KINDS] -= 1 << order;
        self.insert_merged(store, index, order);
    }

    /// Takes a frame out of the cache.
    #[inline]
    pub(super) fn pop_cache(&mut self, store: &[FrameMeta]) -> Option<u32> {
        let index = self.cache;
        if index == NONE {
            return None;
        }
        self.cache = store[index as usize].next.load(Ordering::Relaxed);
        self.cached -= 1;
        Some(index)
    }

    /// [`split_off`](Self::split_off) of one frame, out of line.
    #[inline(never)]
    pub(super) fn split_off_frame(&mut self, store: &[FrameMeta]) -> Option<u32> {
        self.split_off(store, 0)
    }
    /// Takes a block of `order` out of the lists, split off a larger one if need be.
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
        Some(index)
    }

    /// Puts a free block into the lists, merged with its buddies as far as they are free.
    pub(super) fn insert_merged(&mut self, store: &[FrameMeta], mut index: u32, mut order: u32) {
        while order < MAX_ORDER {
            let buddy = index ^ (1 << order);
            let free = store.get(buddy as usize).is_some_and(|meta| {
                meta.kind.load(Ordering::Relaxed) == FrameKind::Free as u8
                    && u32::from(meta.order.load(Ordering::Relaxed)) == order
            });
            if !free {
                break;
            }
            self.remove(store, buddy, order);
            store[buddy.max(index) as usize].kind.store(FrameKind::Unusable as u8, Ordering::Relaxed);
            index = index.min(buddy);
            order += 1;
        }
        self.insert(store, index, order);
    }

    /// Merges cached frames with their buddies until `keep` are left in the cache.
    #[cold]
    pub(super) fn drain_cache(&mut self, store: &[FrameMeta], keep: u32) {
        while self.cached > keep {
            let index = self.cache;
            self.cache = store[index as usize].next.load(Ordering::Relaxed);
            self.cached -= 1;
            self.insert_merged(store, index, 0);
        }
    }

    /// Links a block in front of the list of its order.
    #[inline]
    fn insert(&mut self, store: &[FrameMeta], index: u32, order: u32) {
        let next = self.heads[order as usize];
        let meta = &store[index as usize];
        meta.kind.store(FrameKind::Free as u8, Ordering::Relaxed);
        meta.order.store(order as u8, Ordering::Relaxed);
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
