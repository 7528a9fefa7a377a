//! Signals: actions, masks, stacks for handlers, returning from handlers, waiting.

use abi::Errno;
use abi::signal::{NSIG, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use abi::time::Timespec;

use super::Arguments;
use super::time::duration;
use super::user::{UserSlice, user_struct};
use crate::process::signals::action::{Action, Disposition};
use crate::process::signals::frame::{self, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use crate::process::signals::{Number, UNBLOCKABLE, bit};
use crate::process::{AlternateStack, Restart, Thread, table};
use crate::sched::Stopped;
use crate::sched::wait::wait_alone;
use crate::time;

/// Size in bytes of a signal set.
const SET_SIZE: u64 = 8;

user_struct!(Action { handler, flags, restorer, mask });

/// `rt_sigaction(2)`.
pub(super) fn rt_sigaction(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let number = signal_number(arguments.i32(0))?;
    check_size(arguments.u64(3))?;
    let new = arguments.optional::<Action>(1).map(|pointer| pointer.read()).transpose()?;
    let old = thread.process.signals.lock().actions.get(number);
    if let Some(new) = new {
        set_action(thread, number, new)?;
    }
    if let Some(pointer) = arguments.optional(2) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// Sets an action. Signals that wait and are ignored now are forgotten.
fn set_action(thread: &Thread, number: Number, action: Action) -> Result<(), Errno> {
    let set = |entry: &mut table::Entry| {
        let mut signals = entry.process.signals.lock();
        signals.actions.set(number, action)?;
        if signals.actions.disposition(number) == Disposition::Ignored {
            signals.pending.forget(bit(number));
            entry.threads.iter().for_each(|thread| thread.signals.lock().pending.forget(bit(number)));
        }
        Ok(())
    };
    table::with_entry(thread.pid(), set).unwrap_or(Ok(()))
}

fn check_size(size: u64) -> Result<(), Errno> {
    if size == SET_SIZE { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `rt_sigprocmask(2)`.
pub(super) fn rt_sigprocmask(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check_size(arguments.u64(3))?;
    let old = thread.mask();
    if let Some(pointer) = arguments.optional::<u64>(1) {
        let set = pointer.read()?;
        thread.set_mask(match arguments.u32(0) {
            SIG_BLOCK => old | set,
            SIG_UNBLOCK => old & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
    }
    if let Some(pointer) = arguments.optional(2) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// `rt_sigpending(2)`.
pub(super) fn rt_sigpending(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let size = arguments.u64(1);
    if size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let set = thread.pending() & thread.mask();
    UserSlice::new(arguments.u64(0), size)?.write(&set.to_le_bytes()[..size as usize])?;
    Ok(0)
}

/// `rt_sigsuspend(2)`: `EINTR` after a handler has run.
pub(super) fn rt_sigsuspend(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check_size(arguments.u64(1))?;
    let mask = arguments.pointer::<u64>(0).read()?;
    thread.saved_mask = Some(thread.mask());
    thread.set_mask(mask);
    wait_for_signal(thread)
}

/// `pause(2)`: `EINTR` after a handler has run.
pub(super) fn pause(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    wait_for_signal(thread)
}

fn wait_for_signal(thread: &mut Thread) -> Result<u64, Errno> {
    // It ends in one way only.
    let _interrupted = wait_alone(None, || false);
    Err(thread.interrupted(Restart::WithoutHandler))
}

/// `rt_sigtimedwait(2)`: the signal. Errors: `EAGAIN` when the time is over, `EINTR`, `EINVAL`, `EFAULT`.
pub(super) fn rt_sigtimedwait(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    check_size(arguments.u64(3))?;
    let wanted = arguments.pointer::<u64>(0).read()? & !UNBLOCKABLE;
    let timeout = arguments.optional::<Timespec>(2).map(|pointer| duration(pointer.read()?)).transpose()?;
    let deadline = timeout.map(|timeout| time::since_boot().saturating_add(timeout));
    thread.handle.signals.lock().awaited = wanted;
    let waited = wait_alone(deadline, || thread.pending() & wanted != 0);
    thread.handle.signals.lock().awaited = 0;
    match (thread.take_signal(Some(wanted)), waited) {
        (Some(info), _) => {
            if let Some(pointer) = arguments.optional(1) {
                pointer.write(&info.encode())?;
            }
            Ok(info.number.into())
        }
        (None, Err(Stopped::Interrupted)) => Err(Errno::EINTR),
        (None, _) => Err(Errno::EAGAIN),
    }
}

/// `struct sigaltstack`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct SigAltStack {
    address: u64,
    flags: u32,
    padding: u32,
    size: u64,
}

user_struct!(SigAltStack { address, flags, padding, size });

/// `sigaltstack(2)`. Errors: `EFAULT`, `EINVAL`, `ENOMEM` for one that is too small, `EPERM` while the thread is on it.
pub(super) fn sigaltstack(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const LEAST: u64 = 2048;
    let new = arguments.optional::<SigAltStack>(0).map(|pointer| pointer.read()).transpose()?;
    let pointer = thread.context.rsp;
    let old = thread.alternate_stack;
    if let Some(new) = new {
        if old.contains(pointer) {
            return Err(Errno::EPERM);
        }
        let flags = new.flags & SS_AUTODISARM;
        thread.alternate_stack = match new.flags & !SS_AUTODISARM {
            SS_DISABLE => AlternateStack { address: 0, flags, size: 0 },
            0 | SS_ONSTACK if new.size < LEAST => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => AlternateStack { address: new.address, flags, size: new.size },
            _ => return Err(Errno::EINVAL),
        };
    }
    if let Some(to) = arguments.optional(1) {
        let flags = old.flags_at(pointer);
        to.write(&SigAltStack { address: old.address, flags, padding: 0, size: old.size })?;
    }
    Ok(0)
}

/// `rt_sigreturn(2)`: not a call, but the end of a handler. A frame that cannot be read is SIGSEGV.
pub(super) fn rt_sigreturn(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    thread.restart = Restart::No;
    if frame::pop(thread).is_err() {
        thread.force(crate::process::signals::info::SigInfo::kernel(abi::Signal::SIGSEGV));
    }
    Ok(thread.context.rax)
}

/// The number of a signal; `EINVAL`.
pub(super) fn signal_number(number: i32) -> Result<Number, Errno> {
    u8::try_from(number).ok().filter(|&number| (1..=NSIG).contains(&number)).ok_or(Errno::EINVAL)
}
