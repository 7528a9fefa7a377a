//! What a process does about each signal.

use alloc::vec::Vec;

use abi::signal::{NSIG, SIG_DFL, SIG_IGN};
use abi::{Errno, Signal};
use spin::Mutex;

use super::{Number, Set, UNBLOCKABLE, bit};
use crate::arch::shared::Shared;

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

/// The actions of a process, by signal. Most share them with no other.
pub(crate) enum Actions {
    /// Its own.
    Own(List),
    /// Also those of others (`CLONE_SIGHAND`). Innermost.
    Shared(Shared<Mutex<List>>),
}

impl Actions {
    /// Default actions.
    pub(crate) const fn new() -> Actions {
        Actions::Own(List::new())
    }

    /// The same actions, for another process. Errors: `ENOMEM`.
    pub(crate) fn try_clone(&self) -> Result<Actions, Errno> {
        self.look(List::try_clone).map(Actions::Own)
    }

    /// The same actions, for another process, which shares them from now on. Errors: `ENOMEM`.
    pub(crate) fn share(&mut self) -> Result<Actions, Errno> {
        if let Actions::Own(list) = self {
            let shared = Shared::new(Mutex::new(List::new()))?;
            core::mem::swap(&mut *shared.lock(), list);
            *self = Actions::Shared(shared);
        }
        match self {
            Actions::Own(_) => Err(Errno::ENOMEM), // it is shared by now
            Actions::Shared(shared) => Ok(Actions::Shared(shared.clone())),
        }
    }

    /// Shares them no more. Errors: `ENOMEM`.
    pub(crate) fn unshare(&mut self) -> Result<(), Errno> {
        if let Actions::Shared(_) = self {
            *self = self.try_clone()?;
        }
        Ok(())
    }

    fn look<R>(&self, look: impl FnOnce(&List) -> R) -> R {
        match self {
            Actions::Own(list) => look(list),
            Actions::Shared(shared) => look(&shared.lock()),
        }
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut List) -> R) -> R {
        match self {
            Actions::Own(list) => change(list),
            Actions::Shared(shared) => change(&mut shared.lock()),
        }
    }

    /// The action for a signal.
    pub(crate) fn get(&self, number: Number) -> Action {
        self.look(|list| list.get(number))
    }

    /// Sets an action; `EINVAL` for SIGKILL and SIGSTOP, `ENOMEM`.
    pub(crate) fn set(&mut self, number: Number, action: Action) -> Result<(), Errno> {
        self.change(|list| list.set(number, action))
    }

    /// Makes it the default action again.
    pub(crate) fn reset(&mut self, number: Number) {
        self.change(|list| list.reset(number));
    }

    /// A new program knows no handlers; what is ignored stays so.
    pub(crate) fn exec(&mut self) {
        self.change(List::exec);
    }

    /// What becomes of a signal. Those that stop a process do nothing: nobody could continue it.
    pub(crate) fn disposition(&self, number: Number) -> Disposition {
        self.look(|list| list.disposition(number))
    }
}

/// Actions by signal. Most programs set few.
#[derive(Debug)]
pub(crate) struct List {
    /// Signals whose actions were set; the others have the default action.
    set: Set,
    /// Their actions, in the order of their numbers.
    list: Vec<Action>,
}

const DEFAULT: Action = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };

impl List {
    const fn new() -> List {
        List { set: 0, list: Vec::new() }
    }

    fn try_clone(&self) -> Result<List, Errno> {
        let mut list = Vec::new();
        list.try_reserve_exact(self.list.len()).map_err(|_| Errno::ENOMEM)?;
        list.extend_from_slice(&self.list);
        Ok(List { set: self.set, list })
    }

    /// Where in the list the action for a signal is, or would be.
    fn place(&self, number: Number) -> usize {
        (self.set & (bit(number) - 1)).count_ones() as usize
    }

    fn has(&self, number: Number) -> bool {
        self.set & bit(number) != 0
    }

    fn get(&self, number: Number) -> Action {
        if self.has(number) { self.list[self.place(number)] } else { DEFAULT }
    }

    fn set(&mut self, number: Number, action: Action) -> Result<(), Errno> {
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

    fn reset(&mut self, number: Number) {
        if self.has(number) {
            let place = self.place(number);
            self.list[place].handler = SIG_DFL;
        }
    }

    fn exec(&mut self) {
        let signals = (1..=NSIG).filter(|&number| self.get(number).handler == SIG_IGN);
        let ignored = signals.fold(0, |set, number| set | bit(number));
        self.list.retain(|action| action.handler == SIG_IGN);
        self.list.fill(Action { handler: SIG_IGN, ..DEFAULT });
        self.set = ignored;
    }

    fn disposition(&self, number: Number) -> Disposition {
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
