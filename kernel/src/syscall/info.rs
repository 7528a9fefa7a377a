//! About the machine: uname, sysinfo.

use abi::Errno;
use abi::uts::Utsname;
use mm::{PAGE_SIZE, Platform};

use super::Arguments;
use super::user::user_struct;
use crate::memory::KERNEL;
use crate::process::{Thread, table};
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
pub(super) fn uname(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
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
pub(super) fn sysinfo(_: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let frames = KERNEL.frames().statistics();
    let info = Sysinfo {
        uptime: time::since_boot().as_secs() as i64,
        totalram: frames.total * PAGE_SIZE,
        freeram: frames.free * PAGE_SIZE,
        procs: table::thread_count().min(u16::MAX.into()) as u16,
        mem_unit: 1,
        ..Sysinfo::default()
    };
    arguments.pointer(0).write(&info)?;
    Ok(0)
}
