//! The single frames that a CPU keeps for itself, and what it has counted.

use core::ops::Deref;

use super::lists::{Lists, NONE};
use super::meta::KINDS;
use super::{FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;
use crate::sync::{Rank, SpinLock};

/// Stands in `FrameMeta::order` of a free frame in a cache.
pub(super) const CACHED: u8 = u8::MAX;
/// Caches; CPUs beyond share them.
pub(super) const CACHES: usize = 16;
/// Frames in a cache above which half of it goes back to the lists.
const LIMIT: u32 = 1024;
/// Order of the block that an empty cache takes from the lists, if there is one.
const REFILL: u32 = 5;

/// Where the metadata of all frames lives, and which CPU asks.
pub trait FrameStore: Deref<Target = [FrameMeta]> {
    /// The CPU that runs this. Which one it is decides about speed only.
    #[inline]
    fn cpu(&self) -> usize {
        0
    }
}

impl FrameStore for alloc::boxed::Box<[FrameMeta]> {}

/// A cache, in cache lines of its own.
#[repr(align(128))]
pub(super) struct Cache(pub(super) SpinLock<Frames>);

impl Cache {
    pub(super) const fn new() -> Self {
        let frames = Frames { first: NONE, len: 0, allocated: [0; KINDS] };
        Cache(SpinLock::new(Rank::FrameCache, frames))
    }
}

/// What the lock of a cache guards, with kind, order and links of the frames in it.
pub(super) struct Frames {
    /// First frame.
    pub(super) first: u32,
    /// Number of frames.
    pub(super) len: u32,
    /// By kind: frames allocated on this CPU less frames freed here, modulo 2^64. The sum over all CPUs counts.
    pub(super) allocated: [u64; KINDS],
}

impl Frames {
    /// Makes the block at `meta`, which is in no list, one of `kind` with one reference.
    #[inline]
    pub(super) fn hand_out(&mut self, meta: &FrameMeta, order: u32, kind: FrameKind) {
        let count = &mut self.allocated[kind as usize];
        *count = count.wrapping_add(1 << order);
        meta.set(kind, order as u8);
        meta.references.store(1, Ordering::Relaxed);
    }

    /// Takes the block at `meta` back, of kind `kind`, that nobody owns any more; its order.
    #[inline]
    pub(super) fn take_back(&mut self, meta: &FrameMeta, kind: FrameKind) -> u32 {
        meta.references.store(0, Ordering::Relaxed);
        let order = u32::from(meta.order());
        let count = &mut self.allocated[kind as usize];
        *count = count.wrapping_sub(1 << order);
        order
    }

    /// `frames` frames that were of kind `from` are of kind `to`.
    pub(super) fn recount(&mut self, from: FrameKind, to: FrameKind, frames: u64) {
        for (kind, change) in [(from, frames.wrapping_neg()), (to, frames)] {
            let count = &mut self.allocated[kind as usize];
            *count = count.wrapping_add(change);
        }
    }

    /// Adds a frame.
    #[inline]
    pub(super) fn push(&mut self, meta: &FrameMeta, index: u32) {
        meta.set(FrameKind::Free, CACHED);
        meta.next.store(self.first, Ordering::Relaxed);
        self.first = index;
        self.len += 1;
    }

    /// Takes a frame out.
    #[inline]
    pub(super) fn pop(&mut self, store: &[FrameMeta]) -> Option<u32> {
        let index = self.first;
        if index == NONE {
            return None;
        }
        self.first = store[index as usize].next.load(Ordering::Relaxed);
        self.len -= 1;
        Some(index)
    }

    /// Whether it has so many frames that some should go back to the lists.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len > LIMIT
    }

    /// Takes a block of the lists, as large as there is up to [`REFILL`]: its first frame, and the others into the cache.
    #[inline(never)]
    pub(super) fn refill(&mut self, store: &[FrameMeta], lists: &SpinLock<Lists>) -> Option<u32> {
        let mut lists = lists.lock();
        let (order, first) =
            (0..=REFILL).rev().find_map(|order| Some((order, lists.split_off(store, order)?)))?;
        drop(lists);
        for index in (first + 1..first + (1 << order)).rev() {
            self.push(&store[index as usize], index);
        }
        Some(first)
    }

    /// Gives half of a full cache back to the lists.
    #[cold]
    pub(super) fn drain_half(&mut self, store: &[FrameMeta], lists: &SpinLock<Lists>) {
        self.drain(store, lists, LIMIT / 2);
    }

    /// Gives frames back to the lists, merged with their buddies, until `keep` are left.
    #[cold]
    pub(super) fn drain(&mut self, store: &[FrameMeta], lists: &SpinLock<Lists>, keep: u32) {
        let mut lists = lists.lock();
        while self.len > keep
            && let Some(index) = self.pop(store)
        {
            lists.insert_merged(store, index, 0);
        }
    }
}
