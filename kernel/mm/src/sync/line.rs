//! A line of threads that wait for others to look through it and wake those they mean.

use super::queue::{Queue, Waiter};
use super::rwsem::Parker;
use super::{Rank, SpinLock};
use crate::schedule::{Sleep, Wait, Wake};

/// The line. Each thread says what it waits for; that is looked at under the lock of the line only.
pub(crate) struct Line<T>(SpinLock<Numbered<T>>);

struct Numbered<T> {
    queue: Queue<(u64, T)>,
    /// How many have lined up so far.
    last: u64,
}

impl<T> Line<T> {
    /// Nobody waits.
    pub(crate) const fn new() -> Self {
        Line(SpinLock::new(Rank::UserfaultLine, Numbered { queue: Queue::new(), last: 0 }))
    }

    /// Lines up with `what`, and stays for as long as `stay` runs.
    pub(crate) fn join<R>(&self, what: T, stay: impl FnOnce(&Turn<'_, T>) -> R) -> R {
        let mut line = self.0.lock();
        line.last += 1;
        let waiter = Waiter::new((line.last, what));
        // Takes it out in any case, as the waiter ends here.
        let turn = Turn { line: self, waiter: &waiter };
        // SAFETY: the waiter is borrowed by `turn`, which nobody can forget, and whose drop takes it out of the queue.
        unsafe { line.queue.push(&waiter) };
        drop(line);
        stay(&turn)
    }

    /// The first result of `look` for those in line, first come first served.
    pub(crate) fn find<R>(&self, mut look: impl FnMut(&T) -> Option<R>) -> Option<R> {
        self.0.lock().queue.iter().find_map(|waiter| look(&waiter.what.1))
    }

    /// Wakes all who are `wanted` and in line by now.
    pub(crate) fn wake(&self, parker: &impl Parker, wanted: impl Fn(&T) -> bool) {
        let last = self.0.lock().last;
        loop {
            let place = self.0.lock().queue.wake(|(number, what)| *number <= last && wanted(what));
            // It may be awake and gone by now; nobody else parks at its place.
            match place {
                Some(place) => parker.unpark(place),
                None => return,
            }
        }
    }
}

/// A thread in line.
pub(crate) struct Turn<'a, T> {
    line: &'a Line<T>,
    waiter: &'a Waiter<(u64, T)>,
}

impl<T> Turn<'_, T> {
    /// Sleeps until it is woken, or a signal ends a sleep of this kind: `Killed` then.
    pub(crate) fn wait(&self, parker: &impl Parker, wait: Wait, sleep: Sleep) -> Wake {
        let is_woken = || self.line.0.lock().queue.is_woken(self.waiter);
        let mut round = 0;
        while !is_woken() {
            let wake = parker.park(wait, sleep, self.waiter.place(), round, &is_woken);
            if wake == Wake::Killed && sleep != Sleep::Uninterruptible {
                return Wake::Killed;
            }
            round += 1;
        }
        Wake::Again
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.line.0.lock().queue.remove(self.waiter);
    }
}
