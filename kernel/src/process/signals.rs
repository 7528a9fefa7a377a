//! Signal actions, the mask, and signals that wait (`signal(7)`).
//!
//! Handlers are remembered and not run yet. Until they are: `kill` of a signal with a handler is refused with
//! `ENOSYS`, a SIGPIPE with a handler leaves it at `EPIPE`, and a fault kills whatever its signal's action
//! is.

use abi::signal::{NSIG, SIG_DFL, SIG_IGN};
use abi::{Errno, Signal};

/// `struct sigaction` as the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Action {
    /// `SIG_DFL`, `SIG_IGN` or the address of a handler.
    pub(crate) handler: u64,
    /// `SA_` flags.
    pub(crate) flags: u64,
    /// What the handler returns to.
    pub(crate) restorer: u64,
    /// Signals blocked while the handler runs.
    pub(crate) mask: u64,
}

/// The signal state of a process. In the sets, bit n - 1 stands for signal n.
#[derive(Debug)]
pub(crate) struct Signals {
    actions: [Action; NSIG as usize],
    /// Blocked signals; never SIGKILL or SIGSTOP.
    mask: u64,
    /// Signals sent and not yet delivered.
    pending: u64,
    /// The stack for handlers, address and size in bytes; size 0 for none.
    pub(crate) stack: (u64, u64),
}

const fn bit(number: u8) -> u64 {
    1 << (number - 1)
}

const UNBLOCKABLE: u64 = bit(Signal::SIGKILL.number()) | bit(Signal::SIGSTOP.number());

impl Signals {
    /// Default actions, nothing blocked.
    pub(crate) const fn new() -> Signals {
        let none = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        Signals { actions: [none; NSIG as usize], mask: 0, pending: 0, stack: (0, 0) }
    }

    /// The action for signal `number`, `1..=64`.
    pub(crate) fn action(&self, number: u8) -> Action {
        self.actions[usize::from(number) - 1]
    }

    /// Sets the action for signal `number`, `1..=64`; `EINVAL` for SIGKILL and SIGSTOP.
    pub(crate) fn set_action(&mut self, number: u8, action: Action) -> Result<(), Errno> {
        if bit(number) & UNBLOCKABLE != 0 {
            return Err(Errno::EINVAL);
        }
        self.actions[usize::from(number) - 1] = action;
        Ok(())
    }

    /// Whether a handler of the program's is set.
    pub(crate) fn has_handler(&self, signal: Signal) -> bool {
        !matches!(self.action(signal.number()).handler, SIG_DFL | SIG_IGN)
    }

    /// The blocked signals.
    pub(crate) fn mask(&self) -> u64 {
        self.mask
    }

    /// Sets the blocked signals.
    pub(crate) fn set_mask(&mut self, mask: u64) {
        self.mask = mask & !UNBLOCKABLE;
    }

    /// Notes a signal.
    pub(crate) fn post(&mut self, signal: Signal) {
        self.pending |= bit(signal.number());
    }

    /// Takes the lowest signal that waits and is not blocked.
    pub(crate) fn take_deliverable(&mut self) -> Option<Signal> {
        let deliverable = self.pending & !self.mask;
        if deliverable == 0 {
            return None;
        }
        let number = deliverable.trailing_zeros() as u8 + 1;
        self.pending &= !bit(number);
        Signal::from_number(number)
    }

    /// Whether the signal ends the process: no handler, not ignored, and its default action is to end it.
    /// Those that stop a process do nothing: nobody could continue it.
    pub(crate) fn is_fatal(&self, signal: Signal) -> bool {
        use Signal::{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
        self.action(signal.number()).handler == SIG_DFL
            && !matches!(
                signal,
                SIGCHLD | SIGCONT | SIGURG | SIGWINCH | SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU
            )
    }
}
