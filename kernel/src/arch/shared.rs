//! Memory that several owners share, and boxes, made fallibly: those of `alloc` end the kernel when memory is short.

use alloc::boxed::Box;
use core::alloc::Layout;
use core::fmt;
use core::ops::Deref;
use core::ptr::{self, NonNull};
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
    /// Owners; the value lives while there is one.
    owners: AtomicUsize,
    /// Watchers, and one for all owners together; the memory lives while there is one.
    watchers: AtomicUsize,
    /// `None` when the last owner has gone; changed by that one only.
    value: Option<T>,
}

/// A value with several owners, dropped with the last one.
pub(crate) struct Shared<T>(NonNull<Inner<T>>);

/// Knows a value of others, as long as they have it.
pub(crate) struct Watch<T>(NonNull<Inner<T>>);

// SAFETY: owners on any CPU have `&T` (`T: Sync`), and the last one drops the value wherever it is (`T: Send`).
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; `&Shared` gives `&T` and more owners.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}
// SAFETY: as above; a watch can become an owner.
unsafe impl<T: Send + Sync> Send for Watch<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Watch<T> {}

impl<T> Shared<T> {
    /// Takes `value`; drops it when memory is short.
    #[inline(always)] // so that the value is moved once
    pub(crate) fn new(value: T) -> Result<Self, NoMemory> {
        Shared::new_with(|| value)
    }

    /// Takes what `make` makes, which is not called when memory is short.
    #[inline(always)] // so that a large value is made where it stays
    pub(crate) fn new_with(make: impl FnOnce() -> T) -> Result<Self, NoMemory> {
        // SAFETY: the counts make that the size is not zero.
        let memory = unsafe { alloc::alloc::alloc(Layout::new::<Inner<T>>()) }.cast::<Inner<T>>();
        let memory = NonNull::new(memory).ok_or(NoMemory)?;
        // SAFETY: new memory of the layout of an `Inner`, whose fields these are.
        unsafe {
            (&raw mut (*memory.as_ptr()).owners).write(AtomicUsize::new(1));
            (&raw mut (*memory.as_ptr()).watchers).write(AtomicUsize::new(1));
            (&raw mut (*memory.as_ptr()).value).write(Some(make()));
        }
        Ok(Shared(memory))
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

    /// Watches the value.
    pub(crate) fn watch(&self) -> Watch<T> {
        let watchers = self.inner().watchers.fetch_add(1, Ordering::Relaxed);
        assert!(watchers < usize::MAX / 2, "too many watchers");
        Watch(self.0)
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: this is an owner, so the value is alive.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Watch<T> {
    /// Whether the value has owners now.
    pub(crate) fn is_alive(&self) -> bool {
        // SAFETY: a watcher keeps the memory; the count is looked at only.
        let owners = unsafe { &*ptr::addr_of!((*self.0.as_ptr()).owners) };
        owners.load(Ordering::Acquire) != 0
    }

    /// The value, if it has owners.
    pub(crate) fn get(&self) -> Option<Shared<T>> {
        // SAFETY: a watcher keeps the memory; only the counts are looked at until there is an owner.
        let owners = unsafe { &*ptr::addr_of!((*self.0.as_ptr()).owners) };
        let more = |count: usize| if count == 0 { None } else { Some(count + 1) };
        owners.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).ok()?;
        Some(Shared(self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: only the last owner takes the value out, and this is one.
        unsafe { self.inner().value.as_ref().unwrap_unchecked() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
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
            // SAFETY: this was the last owner, and no watcher makes new ones.
            unsafe { (*self.0.as_ptr()).value = None };
            drop(Watch(self.0));
        }
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        // SAFETY: a watcher keeps the memory.
        let watchers = unsafe { &*ptr::addr_of!((*self.0.as_ptr()).watchers) };
        if watchers.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: made in `new`, with the layout of the box; the value is dropped, and nobody knows the memory any more.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}
