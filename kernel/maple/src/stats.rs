//! Counts of visited nodes and touched cache lines, compiled only with the feature `stats`.
//!
//! The counters are global to the program: a benchmark that reads them runs one thread.

#[cfg(feature = "stats")]
pub use counting::{Counts, start, stop};

/// A node is about to be read.
#[cfg(not(feature = "stats"))]
#[inline(always)]
pub(crate) fn visit() {}

/// `field` of a node is read.
#[cfg(not(feature = "stats"))]
#[inline(always)]
pub(crate) fn touch<F: ?Sized>(_field: &F) {}

#[cfg(feature = "stats")]
pub(crate) use counting::{touch, visit};

#[cfg(feature = "stats")]
mod counting {
    use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

    const LINE: usize = 64;
    const TABLE: usize = 1 << 17;

    static COUNTING: AtomicBool = AtomicBool::new(false);
    static NODES: AtomicUsize = AtomicUsize::new(0);
    static LINES: AtomicUsize = AtomicUsize::new(0);
    /// Open-addressed set of the lines seen since `start`; 0 is a free place.
    static SEEN: [AtomicUsize; TABLE] = [const { AtomicUsize::new(0) }; TABLE];

    /// What was visited between [`start`] and [`stop`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Counts {
        /// Visits of nodes: a node that a cursor enters twice counts twice.
        pub nodes: usize,
        /// Distinct cache lines of nodes that were read.
        pub lines: usize,
    }

    /// Begins a count at zero.
    pub fn start() {
        for place in &SEEN {
            place.store(0, Relaxed);
        }
        NODES.store(0, Relaxed);
        LINES.store(0, Relaxed);
        COUNTING.store(true, Relaxed);
    }

    /// Ends the count.
    pub fn stop() -> Counts {
        COUNTING.store(false, Relaxed);
        Counts { nodes: NODES.load(Relaxed), lines: LINES.load(Relaxed) }
    }

    pub(crate) fn visit() {
        if COUNTING.load(Relaxed) {
            NODES.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn touch<F: ?Sized>(field: &F) {
        if !COUNTING.load(Relaxed) {
            return;
        }
        let line = core::ptr::from_ref(field).addr() / LINE;
        let mut at = line.wrapping_mul(0x9e37_79b9) % TABLE;
        for _ in 0..TABLE {
            let seen = SEEN[at].load(Relaxed);
            if seen == line {
                return;
            }
            if seen == 0 {
                SEEN[at].store(line, Relaxed);
                LINES.fetch_add(1, Relaxed);
                return;
            }
            at = (at + 1) % TABLE;
        }
    }
}
