//! Signals: actions and masks are remembered, default actions are taken. Handlers are not run yet: a signal
//! that has one cannot be sent (`ENOSYS`), and a fault kills whether or not its signal has one.

use abi::signal::{NSIG, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use abi::{Errno, Signal};

use super::Arguments;
use super::user::user_struct;
use crate::process::{Action, PID, Process};

/// Size in bytes of a signal set.
const SET_SIZE: u64 = 8;

user_struct!(Action { handler, flags, restorer, mask });

/// `rt_sigaction(2)`.
pub(super) fn rt_sigaction(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let number = signal_number(arguments.i32(0))?;
    if arguments.u64(3) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let new = arguments.optional::<Action>(1).map(|pointer| pointer.read()).transpose()?;
    let old = process.signals.action(number);
    if let Some(new) = new {
        process.signals.set_action(number, new)?;
    }
    if let Some(pointer) = arguments.optional(2) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// `rt_sigprocmask(2)`.
pub(super) fn rt_sigprocmask(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    if arguments.u64(3) != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let old = process.signals.mask();
    if let Some(pointer) = arguments.optional::<u64>(1) {
        let set = pointer.read()?;
        process.signals.set_mask(match arguments.u32(0) {
            SIG_BLOCK => old | set,
            SIG_UNBLOCK => old & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
        process.deliver_signals();
    }
    if let Some(pointer) = arguments.optional(2) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// `struct sigaltstack`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct AlternateStack {
    address: u64,
    flags: u32,
    padding: u32,
    size: u64,
}

user_struct!(AlternateStack { address, flags, padding, size });

/// `sigaltstack(2)`: checked and remembered.
pub(super) fn sigaltstack(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    const DISABLE: u32 = 2;
    const AUTODISARM: u32 = 1 << 31;
    const LEAST: u64 = 2048;
    let new = arguments.optional::<AlternateStack>(0).map(|pointer| pointer.read()).transpose()?;
    let (address, size) = process.signals.stack;
    let flags = if size == 0 { DISABLE } else { 0 };
    if let Some(new) = new {
        if new.flags & !(DISABLE | AUTODISARM) != 0 {
            return Err(Errno::EINVAL);
        }
        if new.flags & DISABLE == 0 && new.size < LEAST {
            return Err(Errno::ENOMEM);
        }
        process.signals.stack = if new.flags & DISABLE != 0 { (0, 0) } else { (new.address, new.size) };
    }
    if let Some(pointer) = arguments.optional(1) {
        pointer.write(&AlternateStack { address, flags, padding: 0, size })?;
    }
    Ok(0)
}

/// `kill(2)` of the process itself or of its group. `-1`, all others, is nobody.
pub(super) fn kill(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    match arguments.i32(0) {
        0 | PID => send(process, arguments.i32(1)),
        _ => Err(Errno::ESRCH),
    }
}

/// `tkill(2)`.
pub(super) fn tkill(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    match arguments.i32(0) {
        PID => send(process, arguments.i32(1)),
        ..=0 => Err(Errno::EINVAL),
        _ => Err(Errno::ESRCH),
    }
}

/// `tgkill(2)`.
pub(super) fn tgkill(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    match (arguments.i32(0), arguments.i32(1)) {
        (PID, PID) => send(process, arguments.i32(2)),
        (..=0, _) | (_, ..=0) => Err(Errno::EINVAL),
        _ => Err(Errno::ESRCH),
    }
}

fn send(process: &mut Process, signal: i32) -> Result<u64, Errno> {
    if signal == 0 {
        return Ok(0);
    }
    let signal = Signal::from_number(signal_number(signal)?).ok_or(Errno::ENOSYS)?; // real-time signals
    if process.signals.has_handler(signal) {
        log::warn!("{signal} has a handler, which cannot be run yet: it is not sent");
        return Err(Errno::ENOSYS);
    }
    process.raise(signal);
    Ok(0)
}

fn signal_number(number: i32) -> Result<u8, Errno> {
    u8::try_from(number).ok().filter(|&number| (1..=NSIG).contains(&number)).ok_or(Errno::EINVAL)
}
