//! Threads in line for a lock, first come first served.
//!
//! A waiter lies on the stack of its thread and stays there until it is taken out, by that thread and under the lock of the queue.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::schedule::{Place, Wait};

/// A thread that waits.
pub(super) struct Waiter {
    /// What for.
    pub(super) wait: Wait,
    /// Whether it has been woken and has not looked since. Used under the lock of the queue.
    woken: Cell<bool>,
    /// The one behind it. Used under the lock of the queue.
    next: Cell<Option<NonNull<Waiter>>>,
}

impl Waiter {
    pub(super) const fn new(wait: Wait) -> Self {
        Waiter { wait, woken: Cell::new(false), next: Cell::new(None) }
    }

    /// Where it is woken.
    pub(super) fn place(&self) -> Place {
        Place(ptr::from_ref(self).addr())
    }

    fn is(&self, other: &Waiter) -> bool {
        ptr::eq(self, other)
    }
}

/// The line.
pub(super) struct Queue(Option<NonNull<Waiter>>);

// SAFETY: whoever has the queue, under its lock, is the only one to look at `woken` and `next` of the waiters in it, on whichever
// CPU that is; `wait` does not change.
unsafe impl Send for Queue {}

impl Queue {
    pub(super) const fn new() -> Self {
        Queue(None)
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        // SAFETY: a waiter that is in the queue is alive (see `push`), and is taken out with `&mut self` only.
        let waiter = |pointer: NonNull<Waiter>| unsafe { pointer.as_ref() };
        core::iter::successors(self.0.map(waiter), move |last| last.next.get().map(waiter))
    }

    /// Adds a waiter at the end.
    ///
    /// # Safety
    /// It stays where it is, and alive, until [`remove`](Self::remove).
    pub(super) unsafe fn push(&mut self, waiter: &Waiter) {
        waiter.next.set(None);
        let new = Some(NonNull::from(waiter));
        match self.iter().last() {
            Some(last) => last.next.set(new),
            None => self.0 = new,
        }
    }

    /// Takes a waiter out; false if it was out already.
    pub(super) fn remove(&mut self, waiter: &Waiter) -> bool {
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
    pub(super) fn is_first(&self, waiter: &Waiter) -> bool {
        self.first().is_some_and(|first| first.is(waiter))
    }

    /// Whether nobody is in line but at most `waiter`.
    pub(super) fn is_empty_but(&self, waiter: &Waiter) -> bool {
        self.iter().all(|other| other.is(waiter))
    }

    fn first(&self) -> Option<&Waiter> {
        self.iter().next()
    }

    /// Where the first in line is to be woken, if it waits for something that `may` be had and has not been woken yet.
    pub(super) fn wake_first(&mut self, may: impl FnOnce(Wait) -> bool) -> Option<Place> {
        let first = self.first()?;
        (may(first.wait) && !first.woken.replace(true)).then(|| first.place())
    }

    /// Whether `waiter`, which is in line, has been woken and not looked since.
    pub(super) fn is_woken(&self, waiter: &Waiter) -> bool {
        waiter.woken.get()
    }

    /// The same; and it looks now.
    pub(super) fn take_woken(&mut self, waiter: &Waiter) -> bool {
        waiter.woken.replace(false)
    }
}
