//! Frames on their way out, in a list that needs no memory of its own.

use core::mem::MaybeUninit;

use super::lists::NONE;
use super::{Frame, FrameKind, FrameMeta};
use crate::sync::atomic::Ordering;

/// References to frames, to be put all at once. A frame that nobody else has is linked through its metadata, so there
/// may be any number of these; of anonymous frames and
/// contents of files with several references, there is room for [`SHARED`](Self::SHARED).
/// References to shared anonymous frames go at once, because the object keeps the frame until whatever fills the batch is
/// done (see [`crate::object`]). A batch is small, as it lies on kernel stacks and is moved.
pub struct FrameBatch {
    /// First frame of the chain of frames with one reference, which is the batch's.
    head: u32,
    /// Frames in all.
    len: u64,
    /// Frames that others have as well; the first `shared_len` are initialised.
    shared: [MaybeUninit<Frame>; Self::SHARED],
    shared_len: usize,
}

impl FrameBatch {
    /// Room for frames with several references.
    pub const SHARED: usize = 32;

    /// An empty batch.
    #[inline]
    pub const fn new() -> Self {
        // An array of places, for a place of an array would be cleared.
        FrameBatch { head: NONE, len: 0, shared: [const { MaybeUninit::uninit() }; _], shared_len: 0 }
    }

    /// Number of references.
    #[inline]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there may be no room for the next frame.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.shared_len == Self::SHARED
    }

    /// Takes over the caller's reference to `frame`, with the metadata `meta`. There is room.
    #[inline]
    pub(super) fn push(&mut self, meta: &FrameMeta, frame: Frame) {
        self.len += 1;
        if meta.references.load(Ordering::Acquire) != 1 {
            self.push_shared(meta, frame);
        } else if meta.kind() != FrameKind::Zero {
            self.push_last(meta, frame);
        }
    }

    /// The only reference is ours, so nobody can make another one, and the link is ours as well.
    #[inline]
    fn push_last(&mut self, meta: &FrameMeta, frame: Frame) {
        meta.next.store(self.head, Ordering::Relaxed);
        self.head = frame.number();
    }

    #[inline(never)]
    fn push_shared(&mut self, meta: &FrameMeta, frame: Frame) {
        if meta.kind() == FrameKind::Shared {
            if !meta.release_unless_last() {
                self.push_last(meta, frame);
            }
            return;
        }
        assert!(!self.is_full(), "a full batch takes no more");
        // SAFETY: `shared_len` is below SHARED, so the element lies inside of the array, which `&mut self` owns.
        unsafe { self.shared.as_mut_ptr().cast::<Frame>().add(self.shared_len).write(frame) };
        self.shared_len += 1;
    }

    /// Takes all frames with several references out.
    pub(super) fn take_shared(&mut self) -> &[Frame] {
        let len = core::mem::take(&mut self.shared_len);
        self.len -= len as u64;
        // SAFETY: `push_shared` has initialised the first `shared_len`, which never exceeds SHARED.
        unsafe { core::slice::from_raw_parts(self.shared.as_ptr().cast(), len) }
    }

    /// Takes the chain out, by its first frame, or [`NONE`], and with that all that is left.
    pub(super) fn take_chain(&mut self) -> u32 {
        self.len = 0;
        core::mem::replace(&mut self.head, NONE)
    }
}

impl Default for FrameBatch {
    fn default() -> Self {
        Self::new()
    }
}
