//! What the code under test calls.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::fiber::{Order, Slot, Stop};
use crate::unwind;

/// The name of a point in the code under test, for traces: what the thread does next.
pub trait Label: Copy + fmt::Display {}

impl<L: Copy + fmt::Display> Label for L {}

/// The scheduler as the code under test sees it.
///
/// It may be shared between threads of the machine: all but the threads of a run are told that they are alone.
pub struct Engine<L> {
    pub(crate) slot: Slot<L>,
    /// Legal values: `true` while a run uses this engine.
    claimed: AtomicBool,
}

impl<L> Engine<L> {
    /// An engine that is in no run.
    pub const fn new() -> Self {
        Engine { slot: Slot::new(), claimed: AtomicBool::new(false) }
    }

    /// The thread of a run that calls this, or `None` outside of a run (setup, checks, other threads of the machine).
    pub fn current(&self) -> Option<usize> {
        self.slot.thread()
    }

    /// Another thread may run here, before what `label` names. Does nothing outside of a run and in a panic.
    pub fn pause(&self, label: L) {
        if !unwind::unwinding() && self.slot.stop(Stop::Pause(label)) == Some(Order::End) {
            unwind::cut();
        }
    }

    /// The caller cannot go on until another thread has done something. To be called in each round of a wait loop, after
    /// the round has found nothing; the caller tests its condition again when this returns.
    ///
    /// `round` is 0 in the first round of the loop, and more in later ones. A round that is not the first has changed
    /// nothing that another thread waits for: it does not wake other waiters. If all rounds change something, all are 0.
    ///
    /// # Errors
    /// When nothing will ever change, because the caller is in no run.
    pub fn wait(&self, label: L, round: u32) -> Result<(), WaitsForever> {
        let unwinding = unwind::unwinding();
        let stop = if unwinding { Stop::Stuck } else { Stop::Wait(label, round) };
        match self.slot.stop(stop) {
            Some(Order::Go) => Ok(()),
            // The scheduler has ended another thread meanwhile, whose drops may have ended the wait.
            Some(Order::End) if unwinding => Ok(()),
            Some(Order::End) => unwind::cut(),
            Some(Order::Hopeless) | None => Err(WaitsForever),
        }
    }

    /// Takes the engine for a run.
    ///
    /// # Panics
    /// If another run has it.
    pub(crate) fn claim(&self) -> Claim<'_, L> {
        assert!(!self.claimed.swap(true, Ordering::Acquire), "the engine is in a run already");
        Claim(self)
    }
}

impl<L> Default for Engine<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> fmt::Debug for Engine<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("claimed", &self.claimed).finish_non_exhaustive()
    }
}

/// Proof that this run, and no other, uses the engine.
pub(crate) struct Claim<'e, L>(&'e Engine<L>);

impl<L> Drop for Claim<'_, L> {
    fn drop(&mut self) {
        self.0.slot.clear();
        self.0.claimed.store(false, Ordering::Release);
    }
}

/// [`Engine::wait`] would never return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitsForever;

impl fmt::Display for WaitsForever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a wait outside of a run, for what nobody else can do")
    }
}

impl core::error::Error for WaitsForever {}
