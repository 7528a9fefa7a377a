//! The single frames that a CPU keeps for itself, and what it has counted.

use core::ops::Deref;

use super::lists::{Lists, NONE};
use super::meta::{KINDS, State};
use super::{FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;
use crate::sync::{Rank, SpinLock};

/// Stands for the order of a free frame in a cache; a lower number where its content is known, see [`Content::mark`].
pub(super) const CACHED: u8 = u8::MAX;
/// Caches; CPUs beyond share them.
pub(super) const CACHES: usize = 16;
/// Frames in a cache above which half of it goes back to the lists.
const LIMIT: u32 = 1024;
/// Order of the block that an empty cache takes from the lists, if there is one.
const REFILL: u32 = 5;

/// What is known of the content of a frame in a cache. Tables that go are empty, so the next one need not be filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Content {
    /// Nothing.
    Any,
    /// Zeroes only: a table without entries.
    Zeroes,
    /// A root table with the kernel half and no other entries.
    Root,
}

impl Content {
    /// All of them, the most useful last.
    pub(super) const ALL: [Content; 3] = [Content::Any, Content::Zeroes, Content::Root];

    /// What stands for the order of a cached frame with such content.
    pub(super) const fn mark(self) -> u8 {
        CACHED - self as u8
    }
}

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
        let frames = Frames { first: [NONE; Content::ALL.len()], len: 0, allocated: [0; KINDS] };
        Cache(SpinLock::new(Rank::FrameCache, frames))
    }
}

/// What the lock of a cache guards, with kind, order and links of the frames in it.
pub(super) struct Frames {
    /// By [`Content`]: first frame.
    pub(super) first: [u32; Content::ALL.len()],
    /// Number of frames.
    pub(super) len: u32,
    /// By kind: frames allocated on this CPU less frames freed here, modulo 2^64. The sum over all CPUs counts.
    pub(super) allocated: [u64; KINDS],
}

impl Frames {
    /// Makes the block at `meta`, which is in no list, one of `kind` with one reference. Inlined, for what `kind` decides.
    #[inline(always)]
    pub(super) fn hand_out(&mut self, meta: &FrameMeta, order: u32, kind: FrameKind) {
        let count = &mut self.allocated[kind as usize];
        *count = count.wrapping_add(1 << order);
        meta.set(State::new(kind, order as u8, kind.first_references()));
    }

    /// Counts the block of `state`, which nobody owns any more, as free; its order.
    #[inline]
    pub(super) fn take_back(&mut self, state: State) -> u32 {
        let order = u32::from(state.order());
        self.count_free(state.kind(), 1 << order);
        order
    }

    /// `frames` frames that were of `kind` are free.
    #[inline]
    pub(super) fn count_free(&mut self, kind: FrameKind, frames: u64) {
        let count = &mut self.allocated[kind as usize];
        *count = count.wrapping_sub(frames);
    }

    /// `frames` frames that were of kind `from` are of kind `to`.
    pub(super) fn recount(&mut self, from: FrameKind, to: FrameKind, frames: u64) {
        for (kind, change) in [(from, frames.wrapping_neg()), (to, frames)] {
            let count = &mut self.allocated[kind as usize];
            *count = count.wrapping_add(change);
        }
    }

    /// Adds a frame with such content.
    #[inline]
    pub(super) fn push(&mut self, meta: &FrameMeta, index: u32, content: Content) {
        meta.set(State::new(FrameKind::Free, content.mark(), 0));
        self.splice(meta, index, 1, content);
    }

    /// Adds `frames` frames, which are marked and linked: `first` and all up to the one at `last`.
    #[inline]
    pub(super) fn splice(&mut self, last: &FrameMeta, first: u32, frames: u32, content: Content) {
        let head = &mut self.first[content as usize];
        last.next.store(*head, Ordering::Relaxed);
        *head = first;
        self.len += frames;
    }

    /// Takes a frame with such content out.
    #[inline(always)]
    pub(super) fn pop<'s>(
        &mut self,
        store: &'s [FrameMeta],
        content: Content,
    ) -> Option<(&'s FrameMeta, u32)> {
        let head = &mut self.first[content as usize];
        let index = *head;
        if index == NONE {
            return None;
        }
        let meta = &store[index as usize];
        *head = meta.next.load(Ordering::Relaxed);
        self.len -= 1;
        Some((meta, index))
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
            self.push(&store[index as usize], index, Content::Any);
        }
        Some(first)
    }

    /// Gives half of a full cache back to the lists.
    #[cold]
    pub(super) fn drain_half(&mut self, store: &[FrameMeta], lists: &SpinLock<Lists>) {
        self.drain(store, lists, LIMIT / 2);
    }

    /// Gives frames back to the lists, merged with their buddies, until `keep` are left; those of known content last.
    #[cold]
    pub(super) fn drain(&mut self, store: &[FrameMeta], lists: &SpinLock<Lists>, keep: u32) {
        let mut next = || {
            let over = self.len > keep;
            over.then(|| Content::ALL.iter().find_map(|&content| self.pop(store, content))).flatten()
        };
        let mut rest = next();
        while rest.is_some() {
            // Not for long at a time: others wait for the lists.
            let mut lists = lists.lock();
            for _ in 0..LIMIT {
                let Some((_, index)) = rest else { break };
                lists.insert_merged(store, index, 0);
                rest = next();
            }
        }
    }
}
