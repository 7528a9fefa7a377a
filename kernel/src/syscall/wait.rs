//! Waiting for children: wait4, waitid.

use abi::{Errno, Signal};

use super::Arguments;
use super::user::UserPtr;
use crate::process::table::{self, After, Child, Patience, Which, wait_for_child};
use crate::process::usage::Usage;
use crate::process::{Ending, Thread, oom};
use crate::sched::wait::wait_alone;

const WNOHANG: u32 = 1;
const WSTOPPED: u32 = 2;
const WEXITED: u32 = 4;
const WCONTINUED: u32 = 8;
const WNOWAIT: u32 = 0x100_0000;
/// Which kinds of children: none are told apart here.
const WKINDS: u32 = 0xe000_0000;

/// `wait4(2)`: the number of the child, 0 if none has ended yet.
pub(super) fn wait4(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let options = arguments.u32(2);
    if options & !(WNOHANG | WSTOPPED | WCONTINUED | WKINDS) != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match arguments.i32(0) {
        -1 => Which::Any,
        0 => own_group(thread)?,
        pid @ 1.. => Which::Process(pid),
        i32::MIN => return Err(Errno::ESRCH),
        group => Which::Group(-group),
    };
    let Some(child) = wait(thread, which, options)? else { return Ok(0) };
    if let Some(pointer) = arguments.optional(1) {
        // The child is gone: nobody could be told again.
        oom::patiently(|| pointer.write(&child.ending.wait_status()))?;
    }
    put_usage(arguments.u64(3), &child.usage)?;
    Ok(child.pid as u64)
}

/// `waitid(2)`.
pub(super) fn waitid(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (id, options) = (arguments.i32(1), arguments.u32(3));
    let known = WNOHANG | WSTOPPED | WEXITED | WCONTINUED | WNOWAIT | WKINDS;
    if options & !known != 0 || options & (WSTOPPED | WEXITED | WCONTINUED) == 0 {
        return Err(Errno::EINVAL);
    }
    let which = match (arguments.u32(0), id) {
        (0, _) => Which::Any,
        (1, 1..) => Which::Process(id),
        (2, 0) => own_group(thread)?,
        (2, 1..) => Which::Group(id),
        _ => return Err(Errno::EINVAL),
    };
    if options & WEXITED == 0 && options & WNOHANG == 0 {
        // Nothing ever stops or continues.
        let waited = wait_alone(None, || false).map_err(|_| Errno::EINTR);
        return thread.restartable(waited).map(|()| 0);
    }
    let child = if options & WEXITED == 0 { None } else { wait(thread, which, options)? };
    if arguments.u64(2) != 0 {
        oom::patiently(|| put_info(arguments.u64(2), child))?;
    }
    put_usage(arguments.u64(4), &child.map_or(Usage::default(), |child| child.usage))?;
    Ok(0)
}

fn own_group(thread: &Thread) -> Result<Which, Errno> {
    table::group_and_session(thread.pid()).map(|(group, _)| Which::Group(group)).ok_or(Errno::ECHILD)
}

fn wait(thread: &mut Thread, which: Which, options: u32) -> Result<Option<Child>, Errno> {
    let after = if options & WNOWAIT != 0 { After::Keep } else { After::Reap };
    let patience = if options & WNOHANG != 0 { Patience::None } else { Patience::Wait };
    let result = wait_for_child(&thread.process, which, after, patience);
    thread.restartable(result)
}

/// The fields of `siginfo_t` that `waitid` fills.
fn put_info(address: u64, child: Option<Child>) -> Result<(), Errno> {
    const EXITED: i32 = 1;
    const KILLED: i32 = 2;
    let [signal, code, pid, status] = match child {
        None => [0; 4],
        Some(Child { pid, ending, .. }) => {
            let (code, status) = match ending {
                Ending::Exited(status) => (EXITED, i32::from(status)),
                _ => (KILLED, ending.wait_status().cast_signed()),
            };
            [Signal::SIGCHLD.number().into(), code, pid, status]
        }
    };
    UserPtr::<[i32; 3]>::new(address).write(&[signal, 0, code])?;
    let rest = address.checked_add(16).ok_or(Errno::EFAULT)?;
    UserPtr::<[i32; 3]>::new(rest).write(&[pid, 0, status])
}

fn put_usage(address: u64, usage: &Usage) -> Result<(), Errno> {
    match UserPtr::<[u64; 18]>::optional(address) {
        Some(pointer) => oom::patiently(|| pointer.write(&usage.as_rusage())),
        None => Ok(()),
    }
}
