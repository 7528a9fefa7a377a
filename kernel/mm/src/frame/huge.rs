//! Blocks of 2 MiB that huge leaves map, and tables that are kept for the time when such a leaf is split.
//!
//! ```text
//! whole      [Huge, n references ........................]   a reference for each huge leaf
//! broken     [Anonymous, n][Anonymous, n][Anonymous, n] ...   a huge leaf that is left has one to each frame
//! ```
//!
//! A block is broken when the first of its huge leaves is split, and never whole again: from then on each frame is freed when
//! nobody maps it any more. What is whole, and how many references it has, changes under the lock of the lists, because
//! address spaces that share a block have no other lock in common.

use core::sync::atomic::Ordering;

use super::cache::{FrameStore, Frames};
use super::lists::NONE;
use super::meta::{HUGE_ORDER, State};
use super::{Frame, FrameAllocator, FrameBatch, FrameKind, FrameMeta};

const ORDER: u32 = HUGE_ORDER as u32;

impl<S: FrameStore> FrameAllocator<S> {
    /// A block for a huge leaf, with one reference and any content; `None` when there is none.
    pub fn alloc_huge(&self) -> Option<Frame> {
        self.alloc(ORDER, FrameKind::Huge)
    }

    /// The reference of one more huge leaf to `block`. The caller holds the page-table lock under which another one maps it.
    pub fn get_huge(&self, block: Frame) {
        let lists = self.lists.lock();
        if self.is_whole(block) {
            self.meta(block).add_reference();
            return;
        }
        drop(lists);
        frames_of(block).for_each(|frame| self.get(frame));
    }

    /// The reference of a huge leaf less; the last one frees the block, or what is left of it. As [`put`](Self::put).
    pub fn put_huge(&self, block: Frame) {
        self.put_huge_into(&mut self.cache(), block);
    }

    /// As [`put_huge`](Self::put_huge), with the cache of this CPU.
    #[cold]
    #[inline(never)]
    pub(super) fn put_huge_into(&self, cache: &mut Frames, block: Frame) {
        let meta = self.meta(block);
        let lists = self.lists.lock();
        if self.is_whole(block) {
            // Others put under the lock as well; and what the last one owns, nobody else knows.
            if meta.state().references() > 1 {
                meta.remove_reference();
                return;
            }
            drop(lists);
            return self.free(cache, meta, block.number(), meta.state());
        }
        drop(lists);
        frames_of(block).for_each(|frame| self.put_into(cache, frame));
    }

    /// Makes single frames of `block`, of which the caller has the reference of a huge leaf, if it is whole: that reference is
    /// one to each frame then.
    pub fn break_huge(&self, block: Frame) {
        let mut cache = self.cache();
        let _lists = self.lists.lock();
        if !self.is_whole(block) {
            return;
        }
        let references = self.meta(block).state().references();
        for frame in frames_of(block) {
            self.meta(frame).set(State::new(FrameKind::Anonymous, 0, references));
        }
        cache.recount(FrameKind::Huge, FrameKind::Anonymous, 1 << ORDER);
    }

    /// Moves the reference of a huge leaf to `block` into `batch`, which has room, to be put with the others.
    pub fn collect_huge(&self, block: Frame, batch: &mut FrameBatch) {
        batch.push_huge(self.meta(block), block, 1 << ORDER);
    }

    /// `table`, which is new, keeps no table.
    #[inline]
    pub fn keep_none(&self, table: Frame) {
        self.meta(table).previous.store(NONE, Ordering::Relaxed);
    }

    /// Lets `table` keep `spare`, a table that is led to from nowhere; the caller owns both, and holds the page-table lock.
    pub fn keep(&self, table: Frame, spare: Frame) {
        let first = &self.meta(table).previous;
        self.meta(spare).next.store(first.load(Ordering::Relaxed), Ordering::Relaxed);
        first.store(spare.number(), Ordering::Relaxed);
    }

    /// Takes back a table that `table` keeps. The caller holds the page-table lock.
    pub fn take_kept(&self, table: Frame) -> Option<Frame> {
        let spare = self.kept(table).next()?;
        let next = self.meta(spare).next.load(Ordering::Relaxed);
        self.meta(table).previous.store(next, Ordering::Relaxed);
        Some(spare)
    }

    /// The tables that `table` keeps. The caller holds the page-table lock, or looks while nothing happens.
    pub fn kept(&self, table: Frame) -> impl Iterator<Item = Frame> {
        let link = |number: u32| (number != NONE).then_some(Frame::new(number));
        let first = link(self.meta(table).previous.load(Ordering::Relaxed));
        core::iter::successors(first, move |spare| link(self.meta(*spare).next.load(Ordering::Relaxed)))
    }

    fn is_whole(&self, block: Frame) -> bool {
        self.kind(block) == FrameKind::Huge
    }
}

impl FrameBatch {
    /// Takes over the reference of a huge leaf to `block` of `frames` frames, with the metadata `meta`. There is room.
    fn push_huge(&mut self, meta: &FrameMeta, block: Frame, frames: u64) {
        // With one reference, which is ours, nobody can break it or make another one.
        if meta.state() == State::EXCLUSIVE_BLOCK {
            self.push_last(meta, block);
        } else {
            self.push_shared_huge(block);
        }
        self.count(frames);
    }
}

/// All frames of `block`.
fn frames_of(block: Frame) -> impl Iterator<Item = Frame> {
    (block.number()..block.number() + (1 << ORDER)).map(Frame::new)
}
