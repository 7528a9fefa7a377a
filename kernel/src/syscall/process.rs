//! The process itself: its end, its identity, its limits, the registers and addresses a C library registers.

use core::sync::atomic::Ordering;

use abi::Errno;
use abi::arch::{ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS};
use abi::reboot::{
    LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_RESTART2, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
    LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C,
};
use abi::rlimit::Rlimit;

use mm::HugePages;

use super::Arguments;
use crate::arch::user::strncpy_from_user;
use crate::process::{Ending, NAME_SIZE, Thread, table};

/// `exit(2)`: ends the thread.
pub(super) fn exit(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.exit(arguments.u32(0) as u8);
    Ok(0)
}

/// `exit_group(2)`: ends the process.
pub(super) fn exit_group(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.end(Ending::Exited(arguments.u32(0) as u8));
    Ok(0)
}

/// `getpid(2)`.
pub(super) fn getpid(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(thread.pid() as u64)
}

/// `gettid(2)`.
pub(super) fn gettid(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(thread.tid() as u64)
}

/// `getppid(2)`.
pub(super) fn getppid(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(table::parent(thread.pid()) as u64)
}

/// `getpgrp(2)`.
pub(super) fn getpgrp(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(relations(thread, 0)?.0 as u64)
}

/// `getpgid(2)`.
pub(super) fn getpgid(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    Ok(relations(thread, arguments.i32(0))?.0 as u64)
}

/// `getsid(2)`.
pub(super) fn getsid(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    Ok(relations(thread, arguments.i32(0))?.1 as u64)
}

/// Group and session of a process, 0 for the own one.
fn relations(thread: &Thread, pid: i32) -> Result<(i32, i32), Errno> {
    let pid = if pid == 0 { thread.pid() } else { pid };
    table::group_and_session(pid).ok_or(Errno::ESRCH)
}

/// `setpgid(2)`.
pub(super) fn setpgid(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (pid, group) = (arguments.i32(0), arguments.i32(1));
    let pid = if pid == 0 { thread.pid() } else { pid };
    let group = if group == 0 { pid } else { group };
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    table::set_group(thread.pid(), pid, group)?;
    Ok(0)
}

/// `setsid(2)`: the number of the session.
pub(super) fn setsid(thread: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    table::begin_session(thread.pid())?;
    Ok(thread.pid() as u64)
}

/// `set_tid_address(2)`: where the thread's end is told.
pub(super) fn set_tid_address(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    thread.clear_tid = arguments.u64(0);
    Ok(thread.tid() as u64)
}

/// The user and group ids: every process is root.
pub(super) fn zero(_: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(0)
}

fn is_own(thread: &Thread, pid: i32) -> bool {
    pid == 0 || pid == thread.pid()
}

/// Size of the head of a list of robust futexes.
const ROBUST_HEAD: u64 = 24;

/// `set_robust_list(2)`.
pub(super) fn set_robust_list(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if arguments.u64(1) != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    *thread.handle.robust_list.lock() = arguments.u64(0);
    Ok(0)
}

/// `get_robust_list(2)`.
pub(super) fn get_robust_list(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let list = match arguments.i32(0) {
        0 => *thread.handle.robust_list.lock(),
        tid => table::with_thread(tid, |_, other| *other.robust_list.lock()).ok_or(Errno::ESRCH)?,
    };
    arguments.pointer(2).write(&ROBUST_HEAD)?;
    arguments.pointer(1).write(&list)?;
    Ok(0)
}

/// `rseq(2)`: the C libraries try it at every start and do without, so that this is no news for the log.
pub(super) fn rseq(_: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Err(Errno::ENOSYS)
}

/// `prctl(2)`: the name of the thread, whether it may gain privileges (there are none to gain, but that is kept), and whether the
/// process gets huge pages.
pub(super) fn prctl(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const SET_NAME: u32 = 15;
    const GET_NAME: u32 = 16;
    const SET_NO_NEW_PRIVS: u32 = 38;
    const GET_NO_NEW_PRIVS: u32 = 39;
    const SET_THP_DISABLE: u32 = 41;
    const GET_THP_DISABLE: u32 = 42;
    /// But where it is advised (`PR_THP_DISABLE_EXCEPT_ADVISED`).
    const EXCEPT_ADVISED: u64 = 1 << 1;
    let no_new_privileges = &thread.handle.no_new_privileges;
    let operands = [1, 2, 3, 4].map(|index| arguments.u64(index));
    match arguments.u32(0) {
        SET_NO_NEW_PRIVS if operands != [1, 0, 0, 0] => return Err(Errno::EINVAL),
        SET_NO_NEW_PRIVS => no_new_privileges.store(true, Ordering::Relaxed),
        GET_NO_NEW_PRIVS | GET_THP_DISABLE if operands != [0; 4] => return Err(Errno::EINVAL),
        GET_NO_NEW_PRIVS => return Ok(no_new_privileges.load(Ordering::Relaxed).into()),
        SET_NAME => {
            let mut name = [0; NAME_SIZE];
            // Cut to 15 bytes, as on Linux.
            strncpy_from_user(&mut name, arguments.u64(1))?;
            name[NAME_SIZE - 1] = 0;
            thread.rename(name);
        }
        GET_NAME => arguments.pointer(1).write(&thread.name)?,
        SET_THP_DISABLE => {
            let (disable, flags) = (arguments.u64(1) != 0, arguments.u64(2));
            let rest = arguments.u64(3) | arguments.u64(4);
            thread.space.limit_huge_pages(match (disable, flags) {
                _ if rest != 0 => return Err(Errno::EINVAL),
                (false, 0) => HugePages::Always,
                (true, 0) => HugePages::Never,
                (true, EXCEPT_ADVISED) => HugePages::Advised,
                _ => return Err(Errno::EINVAL),
            });
        }
        GET_THP_DISABLE => {
            return Ok(match thread.space.huge_pages() {
                HugePages::Always => 0,
                HugePages::Advised => 1 | EXCEPT_ADVISED,
                HugePages::Never => 1,
            });
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `arch_prctl(2)`: the FS and GS bases.
pub(super) fn arch_prctl(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let (code, address) = (u64::from(arguments.u32(0)), arguments.u64(1));
    let context = &mut thread.context;
    match code {
        ARCH_SET_FS => context.set_fs_base(address).map_err(|_| Errno::EPERM)?,
        ARCH_SET_GS => context.set_gs_base(address).map_err(|_| Errno::EPERM)?,
        ARCH_GET_FS => arguments.pointer(1).write(&context.fs_base())?,
        ARCH_GET_GS => arguments.pointer(1).write(&context.gs_base())?,
        ARCH_GET_CPUID => return Ok(1),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `prlimit64(2)` of the process itself.
pub(super) fn prlimit64(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if !is_own(thread, arguments.i32(0)) {
        return Err(Errno::ESRCH);
    }
    let resource = arguments.u32(1);
    let old = thread.process.limits.lock().get(resource)?;
    let new = arguments.optional::<Rlimit>(2).map(|pointer| pointer.read()).transpose()?;
    if let Some(new) = new {
        thread.set_limit(resource, new)?;
    }
    if let Some(pointer) = arguments.optional(3) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// `getrlimit(2)`.
pub(super) fn getrlimit(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let limit = thread.process.limits.lock().get(arguments.u32(0))?;
    arguments.pointer(1).write(&limit)?;
    Ok(0)
}

/// `setrlimit(2)`.
pub(super) fn setrlimit(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let new = arguments.pointer::<Rlimit>(1).read()?;
    thread.set_limit(arguments.u32(0), new)?;
    Ok(0)
}

/// `reboot(2)`: ends the machine.
pub(super) fn reboot(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let second = arguments.u32(1);
    let known = [LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C];
    if arguments.u32(0) != LINUX_REBOOT_MAGIC1 || !known.contains(&second) {
        return Err(Errno::EINVAL);
    }
    match arguments.u32(2) {
        LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF => {} // there is no keyboard
        LINUX_REBOOT_CMD_RESTART | LINUX_REBOOT_CMD_RESTART2 => table::end_machine(Ending::Restart),
        LINUX_REBOOT_CMD_HALT => table::end_machine(Ending::Halt),
        LINUX_REBOOT_CMD_POWER_OFF => table::end_machine(Ending::PowerOff),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
