//! Threads in line for a lock or an event, first come first served.
//!
//! A waiter lies on the stack of its thread and stays there until it is taken out, by that thread and under the lock of the queue.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::schedule::Place;

/// A thread that waits.
pub(super) struct Waiter<T> {
    /// What for.
    pub(super) what: T,
    /// Whether it has been woken and has not looked since. Used under the lock of the queue.
    woken: Cell<bool>,
    /// The one behind it. Used under the lock of the queue.
    next: Cell<Option<NonNull<Waiter<T>>>>,
}

impl<T> Waiter<T> {
    pub(super) const fn new(what: T) -> Self {
        Waiter { what, woken: Cell::new(false), next: Cell::new(None) }
    }

    /// Where it is woken.
    pub(super) fn place(&self) -> Place {
        Place(ptr::from_ref(self).addr())
    }

    fn is(&self, other: &Waiter<T>) -> bool {
        ptr::eq(self, other)
    }
}

/// The line.
pub(super) struct Queue<T>(Option<NonNull<Waiter<T>>>);

// SAFETY: whoever has the queue, under its lock, is the only one to look at `woken` and `next` of the waiters in it, on whichever
// CPU that is. So it is with what changes in `what`.
unsafe impl<T: Send> Send for Queue<T> {}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Queue(None)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter<T>> {
        // SAFETY: a waiter that is in the queue is alive (see `push`), and is taken out with `&mut self` only.
        let waiter = |pointer: NonNull<Waiter<T>>| unsafe { pointer.as_ref() };
        core::iter::successors(self.0.map(waiter), move |last| last.next.get().map(waiter))
    }

    /// Adds a waiter at the end.
    ///
    /// # Safety
    /// It stays where it is, and alive, until [`remove`](Self::remove).
    pub(super) unsafe fn push(&mut self, waiter: &Waiter<T>) {
        waiter.next.set(None);
        let new = Some(NonNull::from(waiter));
        match self.iter().last() {
            Some(last) => last.next.set(new),
            None => self.0 = new,
        }
    }

    /// Takes a waiter out; false if it was out already.
    pub(super) fn remove(&mut self, waiter: &Waiter<T>) -> bool {
        if self.is_first(waiter) {
            self.0 = waiter.next.take();
            return true;
        }
        let own = Some(NonNull::from(waiter));
        let before = self.iter().find(|other| other.next.get() == own);
        before.is_some_and(|before| {
            before.next.set(waiter.next.take());
            true
        })
    }

    /// Whether nobody is in line before it.
    pub(super) fn is_first(&self, waiter: &Waiter<T>) -> bool {
        self.first().is_some_and(|first| first.is(waiter))
    }

    /// Whether nobody is in line but at most `waiter`.
    pub(super) fn is_empty_but(&self, waiter: &Waiter<T>) -> bool {
        self.iter().all(|other| other.is(waiter))
    }

    fn first(&self) -> Option<&Waiter<T>> {
        self.iter().next()
    }

    /// Where the first in line is to be woken, if it waits for something that `may` be had and has not been woken yet.
    pub(super) fn wake_first(&mut self, may: impl FnOnce(&T) -> bool) -> Option<Place> {
        let first = self.first()?;
        (may(&first.what) && !first.woken.replace(true)).then(|| first.place())
    }

    /// Wakes the first one that is `wanted` and has not been woken yet: where it is to be woken.
    pub(super) fn wake(&mut self, wanted: impl Fn(&T) -> bool) -> Option<Place> {
        let waiter = self.iter().find(|waiter| !waiter.woken.get() && wanted(&waiter.what))?;
        waiter.woken.set(true);
        Some(waiter.place())
    }

    /// Whether `waiter`, which is in line, has been woken and not looked since.
    pub(super) fn is_woken(&self, waiter: &Waiter<T>) -> bool {
        waiter.woken.get()
    }

    /// The same; and it looks now.
    pub(super) fn take_woken(&mut self, waiter: &Waiter<T>) -> bool {
        waiter.woken.replace(false)
    }
}
