//! Sending signals.

use abi::Signal;
use abi::signal::SIG_IGN;

use super::action::Disposition;
use super::info::SigInfo;
use super::{UNBLOCKABLE, bit};
use crate::arch::shared::Shared;
use crate::process::table::{self, Entry};
use crate::process::{Ending, Handle, Process};
use crate::sched::Attention;

/// Do not make zombies of children.
const SA_NOCLDWAIT: u64 = 2;

/// Whether a thread takes a signal now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Readiness {
    Blocks,
    /// It waits for it in `rt_sigtimedwait`.
    Awaits,
    Takes,
}

fn readiness(thread: &Handle, set: u64) -> Readiness {
    let signals = thread.signals.lock();
    if signals.awaited & set != 0 {
        Readiness::Awaits
    } else if signals.mask & set & !UNBLOCKABLE != 0 {
        Readiness::Blocks
    } else {
        Readiness::Takes
    }
}

/// Sends a signal to a process, or to `only` one of its threads. One that ends the process does so at once; one that is ignored
/// by who would take it is gone.
pub(crate) fn post(entry: &mut Entry, only: Option<&Shared<Handle>>, info: SigInfo) {
    let set = bit(info.number);
    let process = entry.process.clone();
    let mut signals = process.signals.lock();
    let candidates = || entry.threads.iter().filter(|thread| only.is_none_or(|only| only.is(thread)));
    let ready = |wanted| candidates().find(|thread| readiness(thread, set) == wanted).cloned();
    let (awaits, takes) = (ready(Readiness::Awaits), ready(Readiness::Takes));
    if awaits.is_none() && takes.is_some() {
        match signals.actions.disposition(info.number) {
            Disposition::Ignored => return,
            Disposition::Fatal => {
                drop(signals);
                return entry.end(Ending::Killed(info.number));
            }
            Disposition::Handled => {}
        }
    }
    match only {
        Some(thread) => thread.signals.lock().pending.add(info),
        None => signals.pending.add(info),
    }
    if let Some(thread) = awaits.or(takes) {
        thread.alert(Attention::Signal);
    }
}

/// Sends a signal to a process.
pub(crate) fn to_process(process: &Process, info: SigInfo) {
    table::with_entry(process.pid, |entry| post(entry, None, info));
}

/// Sends a signal to a thread of a process.
pub(crate) fn to_thread(process: &Process, thread: &Shared<Handle>, info: SigInfo) {
    table::with_entry(process.pid, |entry| post(entry, Some(thread), info));
}

/// Whether a process wants to be told of its children's ends by waiting for them.
pub(crate) fn cares_for_children(entry: &Entry) -> bool {
    let action = entry.process.signals.lock().actions.get(Signal::SIGCHLD.number());
    action.handler != SIG_IGN && action.flags & SA_NOCLDWAIT == 0
}
