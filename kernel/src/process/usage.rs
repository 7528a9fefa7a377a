//! What threads, processes and their children have used (`getrusage(2)`).
//!
//! A thread counts for itself, without locks, and adds what it has used to its process when it ends. A process adds that of a child to what
//! its children have used when it has waited for it. The time is exact, its part in ring 3 is sampled at the timer ticks.

use core::ops::AddAssign;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use crate::time::TICKS_PER_SECOND;

/// What was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Usage {
    /// Time on a CPU, in nanoseconds.
    pub(crate) nanoseconds: u64,
    /// Timer ticks that came in ring 3.
    pub(crate) user_ticks: u64,
    /// Page faults of the program itself.
    pub(crate) faults: u64,
    /// How often a CPU was left to wait for something.
    pub(crate) waits: u64,
    /// How often it was left to others that were ready.
    pub(crate) yields: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.nanoseconds += other.nanoseconds;
        self.user_ticks += other.user_ticks;
        self.faults += other.faults;
        self.waits += other.waits;
        self.yields += other.yields;
    }
}

impl Usage {
    /// As `struct rusage`. What nobody counts is 0: the most that was resident, transfers, messages, signals. No fault waits for a device,
    /// so none is major.
    pub(crate) fn as_rusage(&self) -> [u64; 18] {
        const MINOR_FAULTS: usize = 8;
        const WAITS: usize = 16;
        const YIELDS: usize = 17;
        let used = Duration::from_nanos(self.nanoseconds);
        let user = Duration::from_nanos(self.user_ticks * (1_000_000_000 / TICKS_PER_SECOND)).min(used);
        let mut words = [0; 18];
        for (pair, time) in words.chunks_exact_mut(2).zip([user, used - user]) {
            pair.copy_from_slice(&[time.as_secs(), time.subsec_micros().into()]);
        }
        (words[MINOR_FAULTS], words[WAITS], words[YIELDS]) = (self.faults, self.waits, self.yields);
        words
    }
}

/// What a process has used but for the threads that it has, and what its children have that it has waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) threads: Usage,
    pub(crate) children: Usage,
}

/// Counts one more in a number that only the current thread changes.
#[inline]
pub(crate) fn count(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
