//! The buddy allocator.

use core::array;
use core::fmt;

use super::batch::Front;
use super::cache::{CACHES, Cache, FrameStore, Frames};
use super::lists::{Lists, MAX_ORDER, NONE, ORDERS};
use super::meta::{KINDS, State};
use super::{Content, Frame, FrameBatch, FrameKind, FrameMeta};
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

    /// One frame with one reference; otherwise as [`alloc`](Self::alloc). Inlined, for what `kind` decides.
    #[inline(always)]
    pub fn alloc_frame(&self, kind: FrameKind) -> Option<Frame> {
        debug_assert!(
            !matches!(kind, FrameKind::Free | FrameKind::Unusable),
            "{kind:?} is not for allocation"
        );
        // The slice once and for all: else it is loaded anew after every store to the metadata.
        let store: &[FrameMeta] = &self.store;
        let mut cache = self.cache();
        let Some((meta, index)) = cache.pop(store, Content::Any) else {
            return self.alloc_beyond_cache(cache, kind);
        };
        cache.hand_out(meta, 0, kind);
        Some(Frame::new(index))
    }

    /// As [`alloc_frame`](Self::alloc_frame), when `cache`, which is this CPU's, has none.
    #[cold]
    #[inline(never)]
    fn alloc_beyond_cache(&self, mut cache: SpinGuard<'_, Frames>, kind: FrameKind) -> Option<Frame> {
        let Some(index) = cache.refill(&self.store, &self.lists) else {
            drop(cache);
            return self.alloc(0, kind);
        };
        cache.hand_out(&self.store[index as usize], 0, kind);
        Some(Frame::new(index))
    }

    /// A frame of kind `Table` with one reference, and what is in it: `content`, if this CPU has such a frame.
    #[inline]
    pub fn alloc_table(&self, content: Content) -> Option<(Frame, Content)> {
        let mut cache = self.cache();
        if let Some((meta, index)) = cache.pop(&self.store, content) {
            cache.hand_out(meta, 0, FrameKind::Table);
            return Some((Frame::new(index), content));
        }
        drop(cache);
        Some((self.alloc_frame(FrameKind::Table)?, Content::Any))
    }

    /// [`put`](Self::put) for a table with this content, of which the caller has the only reference.
    pub fn put_table(&self, table: Frame, content: Content) {
        let meta = self.meta(table);
        assert_allocated(meta, table, "put");
        let mut cache = self.cache();
        cache.count_free(FrameKind::Table, 1);
        cache.push(meta, table.number(), content);
        self.limit(&mut cache);
    }

    /// What is known to be in a free frame. For checks.
    pub fn content(&self, frame: Frame) -> Content {
        let state = self.meta(frame).state();
        let is_known = |content: &Content| state == State::new(FrameKind::Free, content.mark(), 0);
        Content::ALL.into_iter().find(is_known).unwrap_or(Content::Any)
    }

    /// Frees the block at `index`, with the metadata `meta` and in `state`, that nobody owns any more: a single frame into the
    /// cache.
    #[inline]
    pub(super) fn free(&self, cache: &mut Frames, meta: &FrameMeta, index: u32, state: State) {
        let order = cache.take_back(state);
        if order != 0 {
            return self.free_block(index, order);
        }
        cache.push(meta, index, Content::Any);
        self.limit(cache);
    }

    /// Gives frames back to the lists if `cache` has too many.
    #[inline]
    fn limit(&self, cache: &mut Frames) {
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
        self.metadata().get(frame);
    }

    /// One reference less; the last one frees the frame, or the block that begins with it. The caller owns the
    /// reference, and no TLB may still translate to the frame through it: what was mapped goes through a
    /// [`Gather`](crate::tlb::Gather).
    #[inline]
    pub fn put(&self, frame: Frame) {
        let store: &[FrameMeta] = &self.store;
        let meta = &store[frame.number() as usize];
        if let Some(state) = release(meta, frame) {
            self.free(&mut self.cache(), meta, frame.number(), state);
        }
    }

    /// As [`put`](Self::put), with the cache of this CPU.
    #[inline(never)]
    pub(super) fn put_into(&self, cache: &mut Frames, frame: Frame) {
        let meta = self.meta(frame);
        if let Some(state) = release(meta, frame) {
            self.free(cache, meta, frame.number(), state);
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
        self.metadata().collect(frame, batch);
        batch.count(1);
    }

    /// [`put`](Self::put) for all of `batch`, which is empty afterwards; a lock is taken once. Tables in it are empty.
    #[inline(always)]
    pub fn put_batch(&self, batch: &mut FrameBatch) {
        let store: &[FrameMeta] = &self.store;
        let mut cache = self.cache();
        if batch.has_shared() {
            self.put_shared(&mut cache, batch);
        }
        let mut first = batch.take_chain();
        while first != NONE {
            first = self.put_run(&mut cache, store, first);
            self.limit(&mut cache);
        }
    }

    /// Frees `first`, the first one of a chain of frames that nobody owns any more, and as many after it as are memory of users;
    /// the first one that is left.
    #[inline(always)]
    fn put_run(&self, cache: &mut Frames, store: &[FrameMeta], first: u32) -> u32 {
        let (mut index, mut last, mut len) = (first, None, 0);
        while index != NONE {
            let meta = &store[index as usize];
            if meta.state() != State::EXCLUSIVE {
                break;
            }
            meta.set(State::new(FrameKind::Free, Content::Any.mark(), 0));
            index = meta.next.load(Ordering::Relaxed);
            last = Some(meta);
            len += 1;
        }
        match last {
            Some(last) => {
                cache.count_free(FrameKind::Anonymous, len.into());
                cache.splice(last, first, len, Content::Any);
                index
            }
            None => self.put_other(cache, first),
        }
    }

    /// As [`put_run`](Self::put_run), for one frame or block of another kind.
    #[inline(never)]
    fn put_other(&self, cache: &mut Frames, first: u32) -> u32 {
        let meta = &self.store[first as usize];
        let (state, next) = (meta.state(), meta.next.load(Ordering::Relaxed));
        if state == State::new(FrameKind::Table, 0, 1) {
            cache.count_free(FrameKind::Table, 1);
            cache.push(meta, first, Content::Zeroes);
        } else {
            self.free(cache, meta, first, state);
        }
        next
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
        self.meta(frame).state().references()
    }

    /// Whether the leaf of `size` through which the caller knows the private memory at `frame` is all that maps it. A huge leaf of
    /// a block that is broken cannot tell.
    #[inline]
    pub fn is_exclusive(&self, frame: Frame, size: PageSize) -> bool {
        self.metadata().is_exclusive(frame, size)
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

    /// The metadata of all frames, for a loop over many.
    #[inline(always)]
    pub(crate) fn metadata(&self) -> Metadata<'_> {
        Metadata(&self.store)
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

/// Takes away one reference; the state if it was the last one and the frame is to be freed.
#[inline]
fn release(meta: &FrameMeta, frame: Frame) -> Option<State> {
    assert_allocated(meta, frame, "put");
    let state = meta.state();
    if state.references() == 1 {
        // The only reference is the caller's, so nobody can make another one meanwhile.
        return Some(state);
    }
    if !state.is(FrameKind::Zero) && meta.remove_reference().references() == 1 {
        fence(Ordering::Acquire);
        return Some(state);
    }
    None
}

/// The metadata of all frames: the slice once and for all, as it is loaded anew for each frame else.
#[derive(Clone, Copy)]
pub(crate) struct Metadata<'a>(&'a [FrameMeta]);

impl Metadata<'_> {
    /// As [`FrameAllocator::get`].
    #[inline(always)]
    pub(crate) fn get(self, frame: Frame) {
        let meta = self.of(frame);
        assert_allocated(meta, frame, "get");
        if !meta.state().is(FrameKind::Zero) {
            meta.add_reference();
        }
    }

    /// As [`FrameAllocator::collect`], but it is for the caller to count. Whether the batch has no room any more.
    #[inline(always)]
    pub(crate) fn collect(self, frame: Frame, batch: &mut FrameBatch) -> bool {
        let meta = self.of(frame);
        assert_allocated(meta, frame, "put");
        batch.push(meta, frame)
    }

    /// Puts `frame` in front of a batch if it is private memory and the caller's reference the only one; whether it did. It is
    /// for the caller to count.
    #[inline(always)]
    pub(crate) fn push_exclusive(self, frame: Frame, front: &mut Front) -> bool {
        let meta = self.of(frame);
        assert_allocated(meta, frame, "put");
        let is_exclusive = meta.state() == State::EXCLUSIVE;
        if is_exclusive {
            front.push(meta, frame);
        }
        is_exclusive
    }

    /// As [`FrameAllocator::is_exclusive`].
    #[inline(always)]
    pub(crate) fn is_exclusive(self, frame: Frame, size: PageSize) -> bool {
        self.of(frame).state()
            == match size {
                PageSize::Small => State::EXCLUSIVE,
                PageSize::Huge => State::EXCLUSIVE_BLOCK,
            }
    }

    /// As [`FrameAllocator::kind`].
    #[inline(always)]
    pub(crate) fn kind(self, frame: Frame) -> FrameKind {
        self.of(frame).kind()
    }

    #[inline(always)]
    fn of(&self, frame: Frame) -> &FrameMeta {
        &self.0[frame.number() as usize]
    }
}

/// In debug builds, panics if `frame` is not the first frame of an allocated block.
#[inline]
fn assert_allocated(meta: &FrameMeta, frame: Frame, verb: &str) {
    if cfg!(debug_assertions) {
        let state = meta.state();
        match state.kind() {
            FrameKind::Free => panic!("{verb} of {frame:?}, which is free"),
            FrameKind::Unusable => panic!("{verb} of {frame:?}, which is unusable or inside a block"),
            kind => assert!(state.references() != 0, "{verb} of {frame:?} ({kind:?}) with no references"),
        }
    }
}

impl<S: FrameStore> fmt::Debug for FrameAllocator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameStatistics { total, free, .. } = self.statistics();
        write!(f, "FrameAllocator({free} of {total} frames free)")
    }
}
