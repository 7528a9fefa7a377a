//! Letting another thread act exactly between two steps of an operation.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mm::trace::Step;

use super::{Machine, lock};

/// How long an operation waits for a thread that waits for it.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the operation under way has to do at a step.
pub(super) struct Rendezvous {
    /// Whether this is the step.
    at: fn(&Step) -> bool,
    arrived: Sender<()>,
    go_on: Receiver<()>,
}

/// The other side of a rendezvous.
pub(crate) struct Meeting {
    arrived: Receiver<()>,
    go_on: Sender<()>,
}

impl Meeting {
    /// Waits until the operation has arrived, acts, and lets it go on. `None` if it ended without arriving.
    pub(crate) fn act<T>(self, act: impl FnOnce() -> T) -> Option<T> {
        self.arrived.recv().ok()?;
        let result = act();
        // An operation that panicked meanwhile does not wait any more.
        let _ = self.go_on.send(());
        Some(result)
    }
}

impl Machine {
    /// The next operation stops after the first step for which `at` holds, until the meeting lets it go on.
    pub(crate) fn arrange(&self, at: fn(&Step) -> bool) -> Meeting {
        let (arrived, arrival) = channel();
        let (go_on, permission) = channel();
        *lock(&self.rendezvous) = Some(Rendezvous { at, arrived, go_on: permission });
        Meeting { arrived: arrival, go_on }
    }

    /// Whoever still waits for the operation waits in vain.
    pub(crate) fn call_off(&self) {
        *lock(&self.rendezvous) = None;
    }

    pub(super) fn meet(&self, step: &Step) {
        let rendezvous = lock(&self.rendezvous).take_if(|rendezvous| (rendezvous.at)(step));
        if let Some(rendezvous) = rendezvous
            && rendezvous.arrived.send(()).is_ok()
        {
            // The other thread may have panicked, or be waiting for a lock that only the operation can release. Either
            // way the operation goes on; a test must accept what comes of the other thread acting later.
            let _ = rendezvous.go_on.recv_timeout(PATIENCE);
        }
    }
}
