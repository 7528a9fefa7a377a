//! About the machine: uname, sysinfo, sched_getaffinity.

use abi::Errno;
use abi::uts::Utsname;
use mm::{PAGE_SIZE, Platform};

use super::Arguments;
use super::user::{UserSlice, user_struct};
use crate::memory::KERNEL;
use crate::process::Process;
use crate::time;

/// What `uname` says. The release is one that C libraries of today accept.
const NAME: Utsname = Utsname {
    sysname: Utsname::field("Linux"),
    nodename: Utsname::field("sugarbush"),
    release: Utsname::field("6.12.0-sugarbush"),
    version: Utsname::field(concat!("Sugarbush ", env!("CARGO_PKG_VERSION"))),
    machine: Utsname::field("x86_64"),
    domainname: Utsname::field("(none)"),
};

/// `uname(2)`.
pub(super) fn uname(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    arguments.pointer(0).write(&NAME)?;
    Ok(0)
}

/// `struct sysinfo`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Sysinfo {
    uptime: i64,
    loads: [u64; 3],
    totalram: u64,
    freeram: u64,
    sharedram: u64,
    bufferram: u64,
    totalswap: u64,
    freeswap: u64,
    procs: u16,
    padding: [u8; 6],
    totalhigh: u64,
    freehigh: u64,
    mem_unit: u32,
    end: u32,
}

user_struct!(Sysinfo {
    uptime,
    loads,
    totalram,
    freeram,
    sharedram,
    bufferram,
    totalswap,
    freeswap,
    procs,
    padding,
    totalhigh,
    freehigh,
    mem_unit,
    end,
});

/// `sysinfo(2)`.
pub(super) fn sysinfo(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let frames = KERNEL.frames().statistics();
    let info = Sysinfo {
        uptime: time::since_boot().as_secs() as i64,
        totalram: frames.total * PAGE_SIZE,
        freeram: frames.free * PAGE_SIZE,
        procs: 1,
        mem_unit: 1,
        ..Sysinfo::default()
    };
    arguments.pointer(0).write(&info)?;
    Ok(0)
}

/// `sched_getaffinity(2)`: the process runs on CPU 0.
pub(super) fn sched_getaffinity(_: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    const MASK: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
    if !matches!(arguments.i32(0), 0 | crate::process::PID) {
        return Err(Errno::ESRCH);
    }
    let size = u64::from(arguments.u32(1));
    if size < MASK.len() as u64 || !size.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    UserSlice::new(arguments.u64(2), MASK.len() as u64)?.write(&MASK)?;
    Ok(MASK.len() as u64)
}
