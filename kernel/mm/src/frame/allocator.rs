//! The buddy allocator.

use core::array;
use core::fmt;

use super::cache::{CACHES, Cache, FrameStore, Frames};
use super::lists::{Lists, MAX_ORDER, NONE, ORDERS};
use super::meta::KINDS;
use super::{Frame, FrameBatch, FrameKind, FrameMeta};
use crate::range::PageSize;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{Rank, SpinGuard, SpinLock};

/// Hands out physical frames. `S` is where the metadata lives, indexed by frame number.
pub struct FrameAllocator<S> {
    pub(super) store: S,
    /// By CPU. Taken outside of `lists`.
    pub(super) caches: [Cache; CACHES],
    pub(super) lists: SpinLock<Lists>,
}

/// How many frames there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameStatistics {
    /// Frames of usable memory.
    pub total: u64,
    /// Of these free.
    pub free: u64,
    /// Of these free single frames that are not merged with their buddies yet.
    pub cached: u64,
    /// Free blocks of each order, without the cached frames.
    pub blocks: [u32; ORDERS],
    /// How often a single frame was asked for, and there was none.
    pub shortages: u64,
    allocated: [u64; KINDS],
}

impl FrameStatistics {
    /// Frames allocated for `kind`; 0 for `Free` and `Unusable`.
    pub fn allocated(&self, kind: FrameKind) -> u64 {
        self.allocated[kind as usize]
    }
}

impl<S: FrameStore> FrameAllocator<S> {
    /// An allocator for the frames whose metadata `store` holds; all of it zeroed, so all frames are unusable
    /// until they are [added](Self::add_range).
    pub const fn new(store: S) -> Self {
        FrameAllocator {
            store,
            caches: [const { Cache::new() }; CACHES],
            lists: SpinLock::new(Rank::FrameAllocator, Lists::new()),
        }
    }

    /// Adds the usable memory of the frames `[start, end)`, which was not added before. Takes time for blocks,
    /// not for frames. Frames that the metadata does not cover are left out.
    pub fn add_range(&self, start: Frame, end: Frame) {
        let store: &[FrameMeta] = &self.store;
        let mut index = start.number();
        let end = end.number().min(u32::try_from(store.len()).unwrap_or(NONE));
        let mut lists = self.lists.lock();
        while index < end {
            let order = index.trailing_zeros().min((end - index).ilog2()).min(MAX_ORDER);
            debug_assert!(self.kind(Frame::new(index)) == FrameKind::Unusable, "memory was added twice");
            lists.total += 1 << order;
            lists.insert_merged(store, index, order);
            index += 1 << order;
        }
    }

    /// A block of 2^`order` frames, aligned to its size, with one reference, of a kind other than `Free` and
    /// `Unusable`; the block is known by its first frame from then on. The content is undefined. `None` when
    /// there is no such block, or `order` exceeds [`MAX_ORDER`].
    pub fn alloc(&self, order: u32, kind: FrameKind) -> Option<Frame> {
        debug_assert!(
            !matches!(kind, FrameKind::Free | FrameKind::Unusable),
            "{kind:?} is not for allocation"
        );
        if order > MAX_ORDER {
            return None;
        }
        let store: &[FrameMeta] = &self.store;
        let split_off = || self.lists.lock().split_off(store, order);
        let Some(index) = split_off().or_else(|| {
            self.drain_caches();
            split_off()
        }) else {
            self.lists.lock().shortages += u64::from(order == 0);
            return None;
        };
        self.cache().hand_out(&store[index as usize], order, kind);
        Some(Frame::new(index))
    }

    /// The cache of this CPU.
    #[inline]
    pub(super) fn cache(&self) -> SpinGuard<'_, Frames> {
        self.caches[self.store.cpu() % CACHES].0.lock()
    }

    /// Gives all frames in caches back to the lists.
    #[cold]
    fn drain_caches(&self) {
        self.caches.iter().for_each(|cache| cache.0.lock().drain(&self.store, &self.lists, 0));
    }

    /// One frame with one reference; otherwise as [`alloc`](Self::alloc).
    #[inline]
    pub fn alloc_frame(&self, kind: FrameKind) -> Option<Frame> {
        debug_assert!(
            !matches!(kind, FrameKind::Free | FrameKind::Unusable),
            "{kind:?} is not for allocation"
        );
        // The slice once and for all: else it is loaded anew after every store to the metadata.
        let store: &[FrameMeta] = &self.store;
        let mut cache = self.cache();
        let index = match cache.pop(store) {
            Some(index) => index,
            None => match cache.refill(store, &self.lists) {
                Some(index) => index,
                None => {
                    drop(cache);
                    return self.alloc(0, kind);
                }
            },
        };
        cache.hand_out(&store[index as usize], 0, kind);
        Some(Frame::new(index))
    }

    /// Frees the block at `index`, with the metadata `meta` and of kind `kind`, that nobody owns any more: a
    /// single frame into the cache. Inlined, because it is a part of the loop over all that a munmap frees.
    #[inline(always)]
    pub(super) fn free(&self, cache: &mut Frames, meta: &FrameMeta, index: u32, kind: FrameKind) {
        let order = cache.take_back(meta, kind);
        if order != 0 {
            return self.free_block(index, order);
        }
        cache.push(meta, index);
        if cache.is_full() {
            cache.drain_half(&self.store, &self.lists);
        }
    }

    #[cold]
    fn free_block(&self, index: u32, order: u32) {
        self.lists.lock().insert_merged(&self.store, index, order);
    }

    /// One more reference to `frame`. The caller holds one already, or the page-table lock under which the frame
    /// is mapped. Frames of kind `Zero` are not counted.
    #[inline]
    pub fn get(&self, frame: Frame) {
        let meta = self.meta(frame);
        assert_allocated(meta, frame, "get");
        if meta.kind() != FrameKind::Zero {
            meta.references.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One reference less; the last one frees the frame, or the block that begins with it. The caller owns the
    /// reference, and no TLB may still translate to the frame through it: what was mapped goes through a
    /// [`Gather`](crate::tlb::Gather).
    #[inline]
    pub fn put(&self, frame: Frame) {
        let store: &[FrameMeta] = &self.store;
        let meta = &store[frame.number() as usize];
        if let Some(kind) = release(meta, frame) {
            self.free(&mut self.cache(), meta, frame.number(), kind);
        }
    }

    /// As [`put`](Self::put), with the cache of this CPU.
    #[inline(never)]
    pub(super) fn put_into(&self, cache: &mut Frames, frame: Frame) {
        let meta = self.meta(frame);
        if let Some(kind) = release(meta, frame) {
            self.free(cache, meta, frame.number(), kind);
        }
    }

    /// [`put`](Self::put), unless the caller's reference is the only one: then it stays, and the answer is `false`.
    #[inline]
    pub fn put_unless_last(&self, frame: Frame) -> bool {
        let meta = self.meta(frame);
        assert_allocated(meta, frame, "put");
        meta.release_unless_last()
    }

    /// Moves the caller's reference to `frame` into `batch`, which has room, to be put with the others.
    #[inline]
    pub fn collect(&self, frame: Frame, batch: &mut FrameBatch) {
        let meta = self.meta(frame);
        assert_allocated(meta, frame, "put");
        batch.push(meta, frame);
    }

    /// [`put`](Self::put) for all of `batch`, which is empty afterwards; a lock is taken once.
    pub fn put_batch(&self, batch: &mut FrameBatch) {
        let store: &[FrameMeta] = &self.store;
        let mut cache = self.cache();
        if batch.has_shared() {
            self.put_shared(&mut cache, batch);
        }
        let mut index = batch.take_chain();
        while index != NONE {
            let meta = &store[index as usize];
            let next = meta.next.load(Ordering::Relaxed);
            let kind = meta.kind();
            self.free(&mut cache, meta, index, kind);
            index = next;
        }
    }

    /// The part of [`put_batch`](Self::put_batch) that concerns frames with several references.
    #[inline(never)]
    fn put_shared(&self, cache: &mut Frames, batch: &mut FrameBatch) {
        let (shared, blocks) = batch.take_shared();
        for (index, &frame) in shared.iter().enumerate() {
            if blocks >> index & 1 != 0 {
                self.put_huge_into(cache, frame);
            } else {
                self.put_into(cache, frame);
            }
        }
    }

    /// Number of references to `frame`; 0 for one that is not allocated. Exact only while nobody else can
    /// change it; 1 is exact for the one who holds the reference.
    #[inline]
    pub fn reference_count(&self, frame: Frame) -> u32 {
        self.meta(frame).references.load(Ordering::Acquire)
    }

    /// Whether the leaf of `size` through which the caller knows the private memory at `frame` is all that maps it. A huge leaf of
    /// a block that is broken cannot tell.
    #[inline]
    pub fn is_exclusive(&self, frame: Frame, size: PageSize) -> bool {
        let kind = match size {
            PageSize::Small => FrameKind::Anonymous,
            PageSize::Huge => FrameKind::Huge,
        };
        self.kind(frame) == kind && self.reference_count(frame) == 1
    }

    /// What `frame` is used for. The caller holds a reference, or wants to know for a check.
    #[inline]
    pub fn kind(&self, frame: Frame) -> FrameKind {
        self.meta(frame).kind()
    }

    /// How many frames there are.
    pub fn statistics(&self) -> FrameStatistics {
        // All at once, so that no frame is counted twice, or not at all.
        let caches = self.lock_caches();
        let lists = self.lists.lock();
        let allocated = sum_of_counts(&caches);
        FrameStatistics {
            total: lists.total,
            free: lists.total - allocated.iter().sum::<u64>(),
            cached: caches.iter().map(|cache| u64::from(cache.len)).sum(),
            blocks: lists.blocks,
            shortages: lists.shortages,
            allocated,
        }
    }

    /// All caches, in their order.
    pub(super) fn lock_caches(&self) -> [SpinGuard<'_, Frames>; CACHES] {
        array::from_fn(|number| self.caches[number].0.lock())
    }

    /// Metadata of `frame`. A number beyond the metadata can only come from corrupt memory: panics.
    #[inline]
    pub(super) fn meta(&self, frame: Frame) -> &FrameMeta {
        &self.store[frame.number() as usize]
    }
}

/// Allocated frames by kind.
pub(super) fn sum_of_counts(caches: &[SpinGuard<'_, Frames>; CACHES]) -> [u64; KINDS] {
    array::from_fn(|kind| caches.iter().fold(0, |sum: u64, cache| sum.wrapping_add(cache.allocated[kind])))
}

/// Takes away one reference; the kind if it was the last one and the frame is to be freed.
#[inline]
fn release(meta: &FrameMeta, frame: Frame) -> Option<FrameKind> {
    assert_allocated(meta, frame, "put");
    let kind = meta.kind();
    if meta.references.load(Ordering::Acquire) == 1 {
        // The only reference is the caller's, so nobody can make another one meanwhile.
        return if kind == FrameKind::Zero { None } else { Some(kind) };
    }
    if meta.references.fetch_sub(1, Ordering::Release) == 1 {
        fence(Ordering::Acquire);
        return Some(kind);
    }
    None
}

/// In debug builds, panics if `frame` is not the first frame of an allocated block.
#[inline]
fn assert_allocated(meta: &FrameMeta, frame: Frame, verb: &str) {
    if cfg!(debug_assertions) {
        match meta.kind() {
            FrameKind::Free => panic!("{verb} of {frame:?}, which is free"),
            FrameKind::Unusable => panic!("{verb} of {frame:?}, which is unusable or inside a block"),
            kind => {
                let references = meta.references.load(Ordering::Relaxed);
                assert!(references != 0, "{verb} of {frame:?} ({kind:?}) with no references");
            }
        }
    }
}

impl<S: FrameStore> fmt::Debug for FrameAllocator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameStatistics { total, free, .. } = self.statistics();
        write!(f, "FrameAllocator({free} of {total} frames free)")
    }
}
