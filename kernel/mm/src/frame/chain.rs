//! Frames that go later, any number of them, in a list that needs no memory of its own.

use super::cache::FrameStore;
use super::lists::NONE;
use super::{Frame, FrameAllocator};
use crate::sync::atomic::Ordering;

/// References to frames that others may have as well, linked through the frames' metadata: a link belongs to whoever has the only
/// reference, and while the chain has one, nobody else does. A chain that is dropped with frames in it leaks them.
pub struct FrameChain {
    /// First frame, or [`NONE`].
    head: u32,
}

impl FrameChain {
    /// No frames.
    pub const fn new() -> Self {
        FrameChain { head: NONE }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

impl Default for FrameChain {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: FrameStore> FrameAllocator<S> {
    /// Moves the caller's reference to `frame`, which is in no other chain and whose other references all belong to page-table
    /// entries or their gathers, into `chain`.
    pub fn chain(&self, frame: Frame, chain: &mut FrameChain) {
        self.store[frame.number() as usize].next.store(chain.head, Ordering::Relaxed);
        chain.head = frame.number();
    }

    /// Takes a frame out of `chain`, with its reference.
    pub fn unchain(&self, chain: &mut FrameChain) -> Option<Frame> {
        if chain.is_empty() {
            return None;
        }
        let frame = Frame::new(chain.head);
        chain.head = self.store[frame.number() as usize].next.load(Ordering::Relaxed);
        Some(frame)
    }

    /// [`put`](Self::put) for all of `chain`, which is empty afterwards.
    pub fn put_chain(&self, chain: &mut FrameChain) {
        while let Some(frame) = self.unchain(chain) {
            self.put(frame);
        }
    }
}
