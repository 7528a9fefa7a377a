//! What a thread does about its signals before it returns to ring 3.

use abi::Signal;

use super::action::{Action, Disposition};
use super::info::SigInfo;
use super::{Set, UNBLOCKABLE, bit, frame};
use crate::process::{Ending, Restart, Thread, oom, table};
use crate::sched::{self, Attention};

/// The handler runs with its signal unblocked.
const SA_NODEFER: u64 = 0x4000_0000;
/// The action is the default again once the handler runs.
const SA_RESETHAND: u64 = 0x8000_0000;
/// Interrupted calls are made again.
const SA_RESTART: u64 = 0x1000_0000;

/// Whether a thread goes back to ring 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Next {
    /// It does.
    Return,
    /// It ends.
    End,
}

impl Thread {
    /// Handles signals, until there are none that are not blocked, and sees to an interrupted call.
    #[inline]
    pub(crate) fn before_return(&mut self) -> Next {
        loop {
            match self.handle.attention() {
                Attention::None => break,
                Attention::Killed => return Next::End,
                Attention::Signal => self.deliver(),
            }
        }
        if self.restart != Restart::No {
            self.make_call_again();
        }
        Next::Return
    }

    /// Handles one signal.
    fn deliver(&mut self) {
        let Some(info) = self.take_signal(None) else { return };
        let mut signals = self.process.signals.lock();
        let action = signals.actions.get(info.number);
        match signals.actions.disposition(info.number) {
            Disposition::Ignored => {}
            Disposition::Fatal => {
                drop(signals);
                self.end(Ending::Killed(info.number));
            }
            Disposition::Handled => {
                if action.flags & SA_RESETHAND != 0 {
                    signals.actions.reset(info.number);
                }
                drop(signals);
                self.run_handler(&info, &action);
            }
        }
    }

    /// Takes a signal: one of `wanted`, or one that is not blocked; if there is none of those, attention is no longer needed.
    pub(crate) fn take_signal(&self, wanted: Option<Set>) -> Option<SigInfo> {
        let mut process = self.process.signals.lock();
        let mut own = self.handle.signals.lock();
        let set = wanted.unwrap_or(!own.mask);
        let taken = own.pending.take(set).or_else(|| process.pending.take(set));
        let left = (own.pending.set() | process.pending.set()) & !own.mask;
        let attention = if left != 0 || (taken.is_some() && wanted.is_none()) {
            Attention::Signal
        } else {
            Attention::None
        };
        if let Some(task) = self.handle.task() {
            task.set_attention(attention);
        }
        taken
    }

    /// All signals that wait for this thread.
    pub(crate) fn pending(&self) -> Set {
        let process = self.process.signals.lock();
        let own = self.handle.signals.lock();
        own.pending.set() | process.pending.set()
    }

    /// Sets the blocked signals.
    pub(crate) fn set_mask(&self, mask: Set) {
        let process = self.process.signals.lock();
        let mut own = self.handle.signals.lock();
        let old = core::mem::replace(&mut own.mask, mask & !UNBLOCKABLE);
        let deliverable = (own.pending.set() | process.pending.set()) & !own.mask != 0;
        let for_others = process.pending.set() & own.mask & !old != 0;
        if deliverable && let Some(task) = self.handle.task() {
            task.set_attention(Attention::Signal);
        }
        drop(own);
        drop(process);
        if for_others {
            table::with_entry(self.pid(), |entry| {
                entry.threads.iter().for_each(|thread| thread.alert(Attention::Signal));
            });
        }
    }

    /// Sets up the frame for a handler; what cannot have one ends the process.
    fn run_handler(&mut self, info: &SigInfo, action: &Action) {
        match (self.restart, action.flags & SA_RESTART != 0) {
            (Restart::UnlessHandled, true) => self.make_call_again(),
            _ => {
                // The call has its result.
                self.restart = Restart::No;
                self.resumed_deadline = None;
            }
        }
        let mask = self.mask();
        let saved = self.saved_mask.take().unwrap_or(mask);
        if oom::patiently(|| frame::push(self, info, action, saved)).is_err() {
            if self.handle.attention() == Attention::Killed {
                return;
            }
            log::warn!("SIGSEGV: no stack for the handler of signal {}", info.number);
            let segv = SigInfo::kernel(Signal::SIGSEGV);
            if info.number == segv.number {
                self.process.signals.lock().actions.reset(segv.number);
            }
            return self.force(segv);
        }
        let own = if action.flags & SA_NODEFER != 0 { 0 } else { bit(info.number) };
        self.set_mask(mask | action.mask | own);
    }

    /// Rewinds to the system call that was interrupted, if it is to be made again.
    fn make_call_again(&mut self) {
        if core::mem::replace(&mut self.restart, Restart::No) != Restart::No {
            const SYSCALL: u64 = 2; // length of the instruction
            self.context.rax = self.call;
            self.context.set_rip(self.context.rip() - SYSCALL);
            if let Some(mask) = self.saved_mask.take() {
                self.set_mask(mask);
            }
        }
    }

    /// Whether a signal that an instruction causes would end the process.
    pub(crate) fn is_fatal(&self, signal: Signal) -> bool {
        let blocked = self.mask() & bit(signal.number()) != 0;
        blocked || self.process.signals.lock().actions.disposition(signal.number()) != Disposition::Handled
    }

    /// Sends the thread a signal that an instruction of its own caused: without a handler, or blocked, it ends the process.
    pub(crate) fn force(&mut self, info: SigInfo) {
        let mut signals = self.process.signals.lock();
        let mut own = self.handle.signals.lock();
        let blocked = own.mask & bit(info.number) != 0;
        if blocked || signals.actions.disposition(info.number) != Disposition::Handled {
            signals.actions.reset(info.number);
            drop(own);
            drop(signals);
            return self.end(Ending::Killed(info.number));
        }
        own.pending.add(info);
        sched::current().set_attention(Attention::Signal);
    }
}
