//! What a process does about each signal.

use abi::signal::{NSIG, SIG_DFL, SIG_IGN};
use abi::{Errno, Signal};

use super::{Number, Set, UNBLOCKABLE, bit};

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
    pub(crate) mask: Set,
}

/// What becomes of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Disposition {
    /// Nothing.
    Ignored,
    /// It ends the process.
    Fatal,
    /// A handler of the program's runs.
    Handled,
}

/// The actions of a process, by signal.
#[derive(Clone, Debug)]
pub(crate) struct Actions([Action; NSIG as usize]);

impl Actions {
    /// Default actions.
    pub(crate) const fn new() -> Actions {
        Actions([Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 }; NSIG as usize])
    }

    /// The action for a signal.
    pub(crate) fn get(&self, number: Number) -> Action {
        self.0[usize::from(number) - 1]
    }

    /// Sets an action; `EINVAL` for SIGKILL and SIGSTOP.
    pub(crate) fn set(&mut self, number: Number, action: Action) -> Result<(), Errno> {
        if bit(number) & UNBLOCKABLE != 0 {
            return Err(Errno::EINVAL);
        }
        self.0[usize::from(number) - 1] = Action { mask: action.mask & !UNBLOCKABLE, ..action };
        Ok(())
    }

    /// Makes it the default action again.
    pub(crate) fn reset(&mut self, number: Number) {
        self.0[usize::from(number) - 1].handler = SIG_DFL;
    }

    /// A new program knows no handlers; what is ignored stays so.
    pub(crate) fn exec(&mut self) {
        for action in &mut self.0 {
            let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
            *action = Action { handler, ..Action::default() };
        }
    }

    /// What becomes of a signal. Those that stop a process do nothing: nobody could continue it.
    pub(crate) fn disposition(&self, number: Number) -> Disposition {
        use Signal::{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
        match self.get(number).handler {
            SIG_IGN => Disposition::Ignored,
            SIG_DFL => match Signal::from_number(number) {
                Some(SIGCHLD | SIGCONT | SIGURG | SIGWINCH | SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU) => {
                    Disposition::Ignored
                }
                _ => Disposition::Fatal,
            },
            _ => Disposition::Handled,
        }
    }
}
