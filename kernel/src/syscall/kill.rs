//! Sending signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.

use abi::Errno;

use super::Arguments;
use super::signal::signal_number;
use crate::process::signals::info::{INFO_SIZE, SigInfo};
use crate::process::signals::post::post;
use crate::process::{Thread, table};

/// A signal to send; `None` only asks whether that is possible. Errors: `EINVAL`.
fn wanted(number: i32, info: impl FnOnce(u8) -> SigInfo) -> Result<Option<SigInfo>, Errno> {
    if number == 0 { Ok(None) } else { Ok(Some(info(signal_number(number)?))) }
}

/// `kill(2)`.
pub(super) fn kill(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (target, own) = (arguments.i32(0), thread.pid());
    let info = wanted(arguments.i32(1), |number| SigInfo::user(number, own))?;
    match target {
        1.. => to_process(target, info),
        -1 => send(|pid, _| pid != table::INIT && pid != own, info),
        i32::MIN => Err(Errno::ESRCH),
        _ => {
            let (own_group, _) = table::group_and_session(own).ok_or(Errno::ESRCH)?;
            let group = if target == 0 { own_group } else { -target };
            send(|_, of| of == group, info)
        }
    }
}

fn to_process(pid: i32, info: Option<SigInfo>) -> Result<u64, Errno> {
    match send(|other, _| other == pid, info) {
        // One that has ended is there until somebody has waited for it.
        Err(Errno::ESRCH) if table::group_and_session(pid).is_some() => Ok(0),
        result => result,
    }
}

fn send(chosen: impl Fn(i32, i32) -> bool, info: Option<SigInfo>) -> Result<u64, Errno> {
    let count = table::for_each(chosen, |entry| {
        if let Some(info) = info {
            post(entry, None, info);
        }
    });
    if count == 0 { Err(Errno::ESRCH) } else { Ok(0) }
}

/// `tkill(2)`.
pub(super) fn tkill(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    to_thread(
        None,
        arguments.i32(0),
        wanted(arguments.i32(1), |number| SigInfo::thread(number, thread.pid())),
    )
}

/// `tgkill(2)`.
pub(super) fn tgkill(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let info = wanted(arguments.i32(2), |number| SigInfo::thread(number, thread.pid()));
    to_thread(Some(arguments.i32(0)), arguments.i32(1), info)
}

fn to_thread(pid: Option<i32>, tid: i32, info: Result<Option<SigInfo>, Errno>) -> Result<u64, Errno> {
    if tid <= 0 || pid.is_some_and(|pid| pid <= 0) {
        return Err(Errno::EINVAL);
    }
    let info = info?;
    let sent = table::with_thread(tid, |entry, thread| {
        if pid.is_some_and(|pid| pid != entry.process.pid) {
            return false;
        }
        if let Some(info) = info {
            post(entry, Some(thread), info);
        }
        true
    });
    if sent == Some(true) { Ok(0) } else { Err(Errno::ESRCH) }
}

/// What a program says about a signal that it sends. Errors: `EFAULT`, `EINVAL`; `EPERM` for what only the kernel says, of
/// others.
fn told(thread: &Thread, arguments: &Arguments, index: usize, pid: i32) -> Result<Option<SigInfo>, Errno> {
    const SI_TKILL: i32 = -6;
    let bytes = arguments.pointer::<[u8; INFO_SIZE]>(index + 1).read()?;
    let info = wanted(arguments.i32(index), |number| SigInfo::decode(number, &bytes))?;
    let forged = info.is_some_and(|info| info.code >= 0 || info.code == SI_TKILL);
    if forged && pid != thread.pid() { Err(Errno::EPERM) } else { Ok(info) }
}

/// `rt_sigqueueinfo(2)`.
pub(super) fn rt_sigqueueinfo(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let pid = arguments.i32(0);
    to_process(pid, told(thread, arguments, 1, pid)?)
}

/// `rt_tgsigqueueinfo(2)`.
pub(super) fn rt_tgsigqueueinfo(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let pid = arguments.i32(0);
    to_thread(Some(pid), arguments.i32(1), told(thread, arguments, 2, pid))
}
