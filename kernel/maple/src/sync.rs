//! The only file that chooses between the real atomics and loom's.

pub(crate) use core::sync::atomic::Ordering;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

/// An atomic of a node.
pub(crate) trait Copied {
    /// A new one with the same value; for the writer, beside readers only.
    fn copied(&self) -> Self;
}

macro_rules! copied {
    ($($atomic:ident $(<$t:ident>)?),*) => {$(
        impl$(<$t>)? Copied for $atomic$(<$t>)? {
            #[inline(always)]
            fn copied(&self) -> Self {
                Self::new(self.load(Ordering::Relaxed))
            }
        }
    )*};
}
copied!(AtomicPtr<T>, AtomicU32, AtomicU64);

/// Copies `N` neighbouring atomics for the writer, beside readers only.
///
/// # Safety
/// `from` is in use and written by the caller only, `to` is memory of the caller's.
#[inline(always)]
pub(crate) unsafe fn copy<A: Copied, const N: usize>(from: *const A, to: *mut A) {
    // SAFETY: by the caller's promise. A read that is not atomic races with other reads only.
    unsafe {
        if cfg!(loom) {
            (0..N).for_each(|at| to.add(at).write((*from.add(at)).copied()));
        } else {
            from.copy_to_nonoverlapping(to, N);
        }
    }
}

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
