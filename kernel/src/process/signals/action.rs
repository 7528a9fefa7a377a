//! What a process does about each signal.

use alloc::vec::Vec;

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

/// The actions of a process, by signal. Most programs set few.
#[derive(Debug)]
pub(crate) struct Actions {
    /// Signals whose actions were set; the others have the default action.
    set: Set,
    /// Their actions, in the order of their numbers.
    list: Vec<Action>,
}

const DEFAULT: Action = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };

impl Actions {
    /// Default actions.
    pub(crate) const fn new() -> Actions {
        Actions { set: 0, list: Vec::new() }
    }

    /// The same actions, for another process. Errors: `ENOMEM`.
    pub(crate) fn try_clone(&self) -> Result<Actions, Errno> {
        let mut list = Vec::new();
        list.try_reserve_exact(self.list.len()).map_err(|_| Errno::ENOMEM)?;
        list.extend_from_slice(&self.list);
        Ok(Actions { set: self.set, list })
    }

    /// Where in the list the action for a signal is, or would be.
    fn place(&self, number: Number) -> usize {
        (self.set & (bit(number) - 1)).count_ones() as usize
    }

    fn has(&self, number: Number) -> bool {
        self.set & bit(number) != 0
    }

    /// The action for a signal.
    pub(crate) fn get(&self, number: Number) -> Action {
        if self.has(number) { self.list[self.place(number)] } else { DEFAULT }
    }

    /// Sets an action; `EINVAL` for SIGKILL and SIGSTOP, `ENOMEM`.
    pub(crate) fn set(&mut self, number: Number, action: Action) -> Result<(), Errno> {
        if bit(number) & UNBLOCKABLE != 0 {
            return Err(Errno::EINVAL);
        }
        let place = self.place(number);
        if !self.has(number) {
            self.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.list.insert(place, DEFAULT);
            self.set |= bit(number);
        }
        self.list[place] = Action { mask: action.mask & !UNBLOCKABLE, ..action };
        Ok(())
    }

    /// Makes it the default action again.
    pub(crate) fn reset(&mut self, number: Number) {
        if self.has(number) {
            let place = self.place(number);
            self.list[place].handler = SIG_DFL;
        }
    }

    /// A new program knows no handlers; what is ignored stays so.
    pub(crate) fn exec(&mut self) {
        let signals = (1..=NSIG).filter(|&number| self.get(number).handler == SIG_IGN);
        let ignored = signals.fold(0, |set, number| set | bit(number));
        self.list.retain(|action| action.handler == SIG_IGN);
        self.list.fill(Action { handler: SIG_IGN, ..DEFAULT });
        self.set = ignored;
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
