//! The process itself: its end, its identity, its limits, the registers and addresses a C library registers.

use abi::Errno;
use abi::arch::{ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS};
use abi::reboot::{
    LINUX_REBOOT_CMD_CAD_OFF, LINUX_REBOOT_CMD_CAD_ON, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_RESTART2, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
    LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C,
};
use abi::rlimit::Rlimit;

use super::Arguments;
use crate::arch::user::strncpy_from_user;
use crate::process::{Ending, NAME_SIZE, PID, Process};

/// `exit(2)` and `exit_group(2)`, which are the same while there is one thread.
pub(super) fn exit(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    process.end(Ending::Exited(arguments.u32(0) as u8));
    Ok(0)
}

/// `getpid(2)`, `gettid(2)`, `getpgrp(2)`.
pub(super) fn own_id(_: &mut Process, _: &Arguments) -> Result<u64, Errno> {
    Ok(PID as u64)
}

/// `set_tid_address(2)`: the address would be cleared for others who wait for the thread's end; there are
/// none.
pub(super) fn set_tid_address(_: &mut Process, _: &Arguments) -> Result<u64, Errno> {
    Ok(PID as u64)
}

/// `getppid(2)`, and the user and group ids: the process has no parent and is root.
pub(super) fn zero(_: &mut Process, _: &Arguments) -> Result<u64, Errno> {
    Ok(0)
}

/// `getpgid(2)`, `getsid(2)`.
pub(super) fn id_of(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    if is_own(arguments.i32(0)) { Ok(PID as u64) } else { Err(Errno::ESRCH) }
}

fn is_own(pid: i32) -> bool {
    pid == 0 || pid == PID
}

/// `set_robust_list(2)`: accepted; nobody else could take over a lock.
pub(super) fn set_robust_list(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    const HEAD_SIZE: u64 = 24;
    if arguments.u64(1) == HEAD_SIZE { Ok(0) } else { Err(Errno::EINVAL) }
}

/// `rseq(2)`: the C libraries try it at every start and do without, so that this is no news for the log.
pub(super) fn rseq(_: &mut Process, _: &Arguments) -> Result<u64, Errno> {
    Err(Errno::ENOSYS)
}

/// `prctl(2)`: the name of the thread.
pub(super) fn prctl(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    const SET_NAME: u32 = 15;
    const GET_NAME: u32 = 16;
    match arguments.u32(0) {
        SET_NAME => {
            let mut name = [0; NAME_SIZE];
            // Cut to 15 bytes, as on Linux.
            strncpy_from_user(&mut name, arguments.u64(1))?;
            name[NAME_SIZE - 1] = 0;
            process.name = name;
        }
        GET_NAME => arguments.pointer(1).write(&process.name)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `sched_yield(2)`.
pub(super) fn sched_yield(_: &mut Process, _: &Arguments) -> Result<u64, Errno> {
    Ok(0)
}

/// `arch_prctl(2)`: the FS and GS bases.
pub(super) fn arch_prctl(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let (code, address) = (u64::from(arguments.u32(0)), arguments.u64(1));
    let context = &mut process.context;
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
pub(super) fn prlimit64(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    if !is_own(arguments.i32(0)) {
        return Err(Errno::ESRCH);
    }
    let resource = arguments.u32(1);
    let old = process.limits.get(resource)?;
    let new = arguments.optional::<Rlimit>(2).map(|pointer| pointer.read()).transpose()?;
    if let Some(new) = new {
        process.set_limit(resource, new)?;
    }
    if let Some(pointer) = arguments.optional(3) {
        pointer.write(&old)?;
    }
    Ok(0)
}

/// `getrlimit(2)`.
pub(super) fn getrlimit(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let limit = process.limits.get(arguments.u32(0))?;
    arguments.pointer(1).write(&limit)?;
    Ok(0)
}

/// `setrlimit(2)`.
pub(super) fn setrlimit(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let new = arguments.pointer::<Rlimit>(1).read()?;
    process.set_limit(arguments.u32(0), new)?;
    Ok(0)
}

/// `reboot(2)`: ends the machine.
pub(super) fn reboot(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let second = arguments.u32(1);
    let known = [LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C];
    if arguments.u32(0) != LINUX_REBOOT_MAGIC1 || !known.contains(&second) {
        return Err(Errno::EINVAL);
    }
    match arguments.u32(2) {
        LINUX_REBOOT_CMD_CAD_ON | LINUX_REBOOT_CMD_CAD_OFF => {} // there is no keyboard
        LINUX_REBOOT_CMD_RESTART | LINUX_REBOOT_CMD_RESTART2 => process.end(Ending::Restart),
        LINUX_REBOOT_CMD_HALT => process.end(Ending::Halt),
        LINUX_REBOOT_CMD_POWER_OFF => process.end(Ending::PowerOff),
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}
