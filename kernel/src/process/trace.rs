//! The munmap trace that `/proc/sugarbush/trace` shows: a ring of the latest steps.
//!
//! [`record`] is called from `Platform::trace` with memory-manager locks held, so the ring's lock is a leaf
//! and nothing is allocated under it. While nobody holds the file open, a step costs one relaxed load.

use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;
use mm::trace::Step;
use spin::Mutex;

use crate::fs::text::Text;

/// Steps that the ring holds; the oldest goes first.
const CAPACITY: usize = 4096;
/// Steps that one read takes out.
const BATCH: usize = 64;

/// Whether steps are recorded. A hint for speed; `RING` is the truth.
static ENABLED: AtomicBool = AtomicBool::new(false);
static RING: Mutex<Ring> =
    Mutex::new(Ring { steps: [None; CAPACITY], first: 0, len: 0, lost: 0, holders: 0 });

/// Guarded by the mutex around it. The steps are at `first..first + len`, wrapping around.
struct Ring {
    steps: [Option<Step>; CAPACITY],
    first: usize,
    len: usize,
    /// Steps overwritten since the last read.
    lost: u64,
    /// Open files that want steps.
    holders: u32,
}

impl Ring {
    fn push(&mut self, step: Step) {
        if self.len == CAPACITY {
            self.pop();
            self.lost += 1;
        }
        self.steps[(self.first + self.len) % CAPACITY] = Some(step);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Step> {
        if self.len == 0 {
            return None;
        }
        let step = self.steps[self.first].take();
        self.first = (self.first + 1) % CAPACITY;
        self.len -= 1;
        step
    }
}

/// Adds a step if somebody wants them.
#[inline]
pub(crate) fn record(step: Step) {
    if ENABLED.load(Ordering::Relaxed) {
        RING.lock().push(step);
    }
}

/// One more open file wants steps; the first one finds an empty ring.
pub(crate) fn start() {
    let mut ring = RING.lock();
    if ring.holders == 0 {
        while ring.pop().is_some() {}
        ring.lost = 0;
    }
    ring.holders += 1;
    ENABLED.store(true, Ordering::Relaxed);
}

/// One open file less.
pub(crate) fn stop() {
    let mut ring = RING.lock();
    ring.holders = ring.holders.saturating_sub(1);
    ENABLED.store(ring.holders > 0, Ordering::Relaxed);
}

/// Takes the next steps out, a line each; empty if there are none. If steps were overwritten, the first line
/// says how many. Errors: `ENOMEM`.
pub(crate) fn take() -> Result<Vec<u8>, Errno> {
    let mut text = Text::default();
    let (steps, lost) = take_batch();
    if lost > 0 {
        writeln!(text, "{lost} steps lost").map_err(|_| Errno::ENOMEM)?;
    }
    for step in steps.into_iter().flatten() {
        writeln!(text, "{step}").map_err(|_| Errno::ENOMEM)?;
    }
    Ok(text.into_bytes())
}

fn take_batch() -> ([Option<Step>; BATCH], u64) {
    let mut ring = RING.lock();
    let lost = core::mem::take(&mut ring.lost);
    let mut steps = [None; BATCH];
    for step in &mut steps {
        *step = ring.pop();
    }
    (steps, lost)
}
