//! Memory that several owners share, and boxes, made fallibly: those of `alloc` end the kernel when memory is short.

use alloc::boxed::Box;
use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// The kernel heap is exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory;

impl From<NoMemory> for abi::Errno {
    fn from(_: NoMemory) -> Self {
        abi::Errno::ENOMEM
    }
}

/// A box around `value`; drops it when memory is short.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, NoMemory> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value)); // allocates nothing
    }
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc::alloc::alloc(layout) }.cast::<T>();
    if memory.is_null() {
        return Err(NoMemory);
    }
    // SAFETY: new memory of the layout of `T`, from the global allocator, as a box has it.
    unsafe {
        memory.write(value);
        Ok(Box::from_raw(memory))
    }
}

struct Inner<T> {
    /// Owners; above 0 while there is one.
    owners: AtomicUsize,
    value: T,
}

/// A value with several owners, dropped with the last one.
pub(crate) struct Shared<T>(NonNull<Inner<T>>);

// SAFETY: owners on any CPU have `&T` (`T: Sync`), and the last one drops the value wherever it is (`T: Send`).
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; `&Shared` gives `&T` and more owners.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Takes `value`; drops it when memory is short.
    pub(crate) fn new(value: T) -> Result<Self, NoMemory> {
        let inner = try_box(Inner { owners: AtomicUsize::new(1), value })?;
        Ok(Shared(NonNull::from(Box::leak(inner))))
    }

    /// Whether both own the same value.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// A number that no other living value has.
    pub(crate) fn id(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// How many owners there are now.
    pub(crate) fn owners(&self) -> usize {
        self.inner().owners.load(Ordering::Acquire)
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: this is an owner, so the value is alive.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        let owners = self.inner().owners.fetch_add(1, Ordering::Relaxed);
        assert!(owners < usize::MAX / 2, "too many owners");
        Shared(self.0)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.inner().owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: made by `Box::leak` in `new`, and this was the last owner.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}
