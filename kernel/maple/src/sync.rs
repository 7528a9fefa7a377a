//! The only file that chooses between the real atomics and loom's.

pub(crate) use core::sync::atomic::Ordering;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

/// Tells loom who reads a node and who takes its memory back; nothing in a real build.
///
/// Loom reports a read that is not ordered before the reclaim, whatever values the read returned.
#[cfg(loom)]
pub(crate) struct Touch(loom::cell::UnsafeCell<()>);

#[cfg(loom)]
impl Touch {
    /// Whether reads and reclaims must be told.
    pub(crate) const WATCHES: bool = true;

    pub(crate) fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(()))
    }

    pub(crate) fn read(&self) {
        self.0.with(|_| ());
    }

    pub(crate) fn reclaim(&self) {
        self.0.with_mut(|_| ());
    }
}

/// See the loom variant: a real build has nothing to tell.
#[cfg(not(loom))]
pub(crate) struct Touch;

#[cfg(not(loom))]
impl Touch {
    pub(crate) const WATCHES: bool = false;

    pub(crate) fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn read(&self) {}

    #[inline(always)]
    pub(crate) fn reclaim(&self) {}
}
