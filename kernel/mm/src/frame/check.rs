//! Derives everything that the allocator knows once more, from the metadata alone.

use super::allocator::sum_of_counts;
use super::cache::{FrameStore, Frames};
use super::lists::{Lists, MAX_ORDER, NONE};
use super::meta::KINDS;
use super::{Content, Frame, FrameAllocator, FrameKind};
use crate::sync::atomic::Ordering;

impl<S: FrameStore> FrameAllocator<S> {
    /// Checks lists, metadata and counters against each other; time proportional to the memory. For tests.
    ///
    /// # Panics
    /// If anything is wrong.
    #[cold]
    pub fn check(&self) {
        let caches = self.lock_caches();
        let lists = self.lists.lock();
        let listed = self.check_lists(&lists);
        let cached = caches.iter().map(|cache| self.check_cache(cache)).sum::<u64>();
        let mut free = 0;
        let mut free_heads = 0;
        let mut allocated = [0; KINDS];
        let mut block_end = 0;
        for (index, meta) in self.store.iter().enumerate() {
            let state = meta.state();
            let (kind, references, order) = (state.kind(), state.references(), state.order());
            if kind == FrameKind::Unusable {
                assert!(references == 0, "frame {index:#x} is no block and has {references} references");
                continue;
            }
            assert!(index >= block_end, "frame {index:#x} begins a block inside of another one");
            let is_cached = Content::ALL.iter().any(|content| content.mark() == order);
            let frames = if is_cached { 1 } else { 1 << order };
            assert!(is_cached || u32::from(order) <= MAX_ORDER, "frame {index:#x} has order {order}");
            assert!(index % frames == 0, "frame {index:#x} begins a block of {frames} frames");
            block_end = index + frames;
            assert!(block_end <= self.store.len(), "the block at frame {index:#x} ends beyond the metadata");
            if kind == FrameKind::Free {
                assert!(references == 0, "free frame {index:#x} has {references} references");
                free += frames as u64;
                free_heads += 1;
            } else {
                assert!(references != 0, "frame {index:#x} ({kind:?}) has no references");
                assert!(!is_cached, "frame {index:#x} ({kind:?}) is marked as cached");
                allocated[kind as usize] += frames as u64;
            }
        }
        assert!(
            free_heads == listed + cached,
            "{free_heads} free blocks, {listed} listed and {cached} cached"
        );
        let counted = sum_of_counts(&caches);
        assert!(allocated == counted, "allocated {allocated:?}, counted {counted:?}");
        let sum = free + allocated.iter().sum::<u64>();
        assert!(sum == lists.total, "{sum} frames are free or allocated, {} were added", lists.total);
    }

    /// Number of blocks in the lists.
    fn check_lists(&self, lists: &Lists) -> u64 {
        let mut listed = 0;
        for order in 0..=MAX_ORDER {
            let (mut blocks, mut previous, mut index) = (0, NONE, lists.heads[order as usize]);
            while index != NONE {
                let meta = &self.store[index as usize];
                assert!(
                    self.kind(Frame::new(index)) == FrameKind::Free,
                    "listed frame {index:#x} is not free"
                );
                assert!(u32::from(meta.state().order()) == order, "frame {index:#x} is in list {order}");
                assert!(meta.previous.load(Ordering::Relaxed) == previous, "back link of frame {index:#x}");
                self.check_not_merged(index, order);
                blocks += 1;
                assert!(blocks <= lists.blocks[order as usize], "more blocks than counted in list {order}");
                previous = index;
                index = meta.next.load(Ordering::Relaxed);
            }
            assert!(blocks == lists.blocks[order as usize], "{blocks} blocks in list {order}");
            assert!((lists.nonempty >> order & 1 != 0) == (blocks != 0), "mask of list {order}");
            listed += u64::from(blocks);
        }
        listed
    }

    /// A free block whose buddy is free would have been merged with it.
    fn check_not_merged(&self, index: u32, order: u32) {
        let buddy = index ^ (1 << order);
        if let Some(meta) = self.store.get(buddy as usize)
            && order < MAX_ORDER
        {
            let same = meta.kind() == FrameKind::Free && u32::from(meta.state().order()) == order;
            assert!(!same, "frames {index:#x} and {buddy:#x} are free buddies of order {order}");
        }
    }

    /// Number of frames in a cache.
    fn check_cache(&self, cache: &Frames) -> u64 {
        let mut cached = 0;
        for content in Content::ALL {
            let mut index = cache.first[content as usize];
            while index != NONE {
                let meta = &self.store[index as usize];
                assert!(
                    self.kind(Frame::new(index)) == FrameKind::Free,
                    "cached frame {index:#x} is not free"
                );
                assert!(
                    meta.state().order() == content.mark(),
                    "cached frame {index:#x} is not marked {content:?}"
                );
                cached += 1;
                assert!(cached <= cache.len, "more frames than counted in a cache");
                index = meta.next.load(Ordering::Relaxed);
            }
        }
        assert!(cached == cache.len, "{cached} frames in a cache, {} counted", cache.len);
        u64::from(cached)
    }
}
