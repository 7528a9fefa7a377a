//! Frames on their way out, in a list that needs no memory of its own.

use core::mem::MaybeUninit;

use super::lists::NONE;
use super::meta::State;
use super::{Frame, FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;

/// References to frames, to be put all at once. A frame that nobody else has is linked through its metadata, so there
/// may be any number of these; of anonymous frames and
/// contents of files with several references, there is room for [`SHARED`](Self::SHARED).
/// References to shared anonymous frames go at once, because the object keeps the frame until whatever fills the batch is
/// done (see [`crate::object`]); of an address space that no TLB can know any more, all others go at once as well. A batch
/// is small, as it lies on kernel stacks and is moved.
pub struct FrameBatch {
    /// First frame of the chain of frames with one reference, which is the batch's.
    head: Front,
    /// Frames in all.
    len: u64,
    /// Frames that others have as well; the first `shared_len` are initialised.
    shared: [MaybeUninit<Frame>; Self::SHARED],
    shared_len: usize,
    /// Bit n: number n of these is a block, and the reference that of a huge leaf.
    blocks: u32,
    /// Whether somebody may still use the frames until the batch is put.
    waits: bool,
}

/// The first frame of a batch's chain of frames with one reference: by value, so that a loop has it in a register.
pub(crate) struct Front(u32);

impl Front {
    /// Puts `frame`, with the metadata `meta`, in front. The only reference is ours, so nobody can make another one, and the link
    /// is ours as well.
    #[inline(always)]
    pub(super) fn push(&mut self, meta: &FrameMeta, frame: Frame) {
        meta.next.store(self.0, Ordering::Relaxed);
        self.0 = frame.number();
    }
}

impl FrameBatch {
    /// Room for frames with several references; a bit of a word each.
    pub const SHARED: usize = u32::BITS as usize;

    /// An empty batch.
    #[inline]
    pub const fn new() -> Self {
        // An array of places, for a place of an array would be cleared.
        FrameBatch {
            head: Front(NONE),
            len: 0,
            shared: [const { MaybeUninit::uninit() }; _],
            shared_len: 0,
            blocks: 0,
            waits: true,
        }
    }

    /// An empty batch for frames that nobody can use through the references which it takes over.
    #[inline]
    pub const fn at_once() -> Self {
        FrameBatch { waits: false, ..FrameBatch::new() }
    }

    /// Number of frames that references are to, once they are counted.
    #[inline]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there are frames with several references.
    #[inline]
    pub(super) const fn has_shared(&self) -> bool {
        self.shared_len != 0
    }

    /// Whether there may be no room for the next frame.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.shared_len == Self::SHARED
    }

    /// Takes over the caller's reference to `frame`, with the metadata `meta`, but does not [count](Self::count) it. There is
    /// room; whether there is none any more. Inlined, because it is a part of the loop over all that a munmap unhooks.
    #[inline(always)]
    pub(super) fn push(&mut self, meta: &FrameMeta, frame: Frame) -> bool {
        let state = meta.state();
        if state == State::EXCLUSIVE {
            self.push_last(meta, frame);
            return false;
        }
        self.push_other(meta, state, frame);
        self.is_full()
    }

    /// Puts a frame with one reference, which is ours, into the chain.
    #[inline(always)]
    pub(super) fn push_last(&mut self, meta: &FrameMeta, frame: Frame) {
        self.head.push(meta, frame);
    }

    /// The front of the chain, to be [set](Self::set_front) when frames were put in front.
    #[inline(always)]
    pub(crate) fn front(&self) -> Front {
        Front(self.head.0)
    }

    /// Sets the front of the chain.
    #[inline(always)]
    pub(crate) fn set_front(&mut self, front: Front) {
        self.head = front;
    }

    /// As [`push`](Self::push), for a frame that is shared or no private memory.
    #[inline(never)]
    fn push_other(&mut self, meta: &FrameMeta, state: State, frame: Frame) {
        if state.is(FrameKind::Zero) {
            return;
        }
        if state.references() == 1 {
            self.push_last(meta, frame);
        } else if self.waits && !state.is(FrameKind::Shared) {
            self.add_shared(frame);
        } else if !meta.release_unless_last() {
            self.push_last(meta, frame);
        }
    }

    /// As for shared frames: a block that other huge leaves map, or that is broken.
    #[cold]
    pub(super) fn push_shared_huge(&mut self, block: Frame) {
        self.blocks |= 1 << self.shared_len;
        self.add_shared(block);
    }

    /// `frames` frames more are referred to.
    #[inline]
    pub(crate) fn count(&mut self, frames: u64) {
        self.len += frames;
    }

    fn add_shared(&mut self, frame: Frame) {
        assert!(!self.is_full(), "a full batch takes no more");
        // SAFETY: `shared_len` is below SHARED, so the element lies inside of the array, which `&mut self` owns.
        unsafe { self.shared.as_mut_ptr().cast::<Frame>().add(self.shared_len).write(frame) };
        self.shared_len += 1;
    }

    /// Takes all frames with several references out, and which of them are blocks: bit n is number n. The chain is to follow.
    pub(super) fn take_shared(&mut self) -> (&[Frame], u32) {
        let len = core::mem::take(&mut self.shared_len);
        let blocks = core::mem::take(&mut self.blocks);
        // SAFETY: `add_shared` has initialised the first `shared_len`, which never exceeds SHARED.
        let shared = unsafe { core::slice::from_raw_parts(self.shared.as_ptr().cast(), len) };
        (shared, blocks)
    }

    /// Takes the chain out, by its first frame, or [`NONE`], and with that all that is left.
    pub(super) fn take_chain(&mut self) -> u32 {
        self.len = 0;
        core::mem::replace(&mut self.head, Front(NONE)).0
    }
}

impl Default for FrameBatch {
    fn default() -> Self {
        Self::new()
    }
}
