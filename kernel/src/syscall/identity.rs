//! Who a process is, and what it may do: everybody is root, with all capabilities; what it has used.

use abi::Errno;

use super::Arguments;
use super::user::{UserPtr, user_struct};
use crate::process::usage::Usage;
use crate::process::{Thread, table};

/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;
/// All capabilities, as two words.
const ALL: [u32; 2] = [u32::MAX, 0x1ff];

/// `struct __user_cap_header_struct`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

user_struct!(Header { version, pid });

/// Reads the header. `None` if only the version was asked for. Errors: `EFAULT`; `EINVAL` for an unknown version, and ours is
/// told; `ESRCH`.
fn header(thread: &Thread, arguments: &Arguments) -> Result<Option<Header>, Errno> {
    let pointer = arguments.pointer::<Header>(0);
    let header = pointer.read()?;
    if header.version != VERSION {
        pointer.write(&Header { version: VERSION, ..header })?;
        return if arguments.u64(1) == 0 { Ok(None) } else { Err(Errno::EINVAL) };
    }
    if header.pid < 0 {
        return Err(Errno::EINVAL);
    }
    if header.pid != 0 && header.pid != thread.pid() && table::with_thread(header.pid, |_, _| ()).is_none() {
        return Err(Errno::ESRCH);
    }
    Ok(Some(header))
}

/// `capget(2)`.
pub(super) fn capget(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    if header(thread, arguments)?.is_some()
        && let Some(data) = UserPtr::<[u32; 6]>::optional(arguments.u64(1))
    {
        // Effective, permitted, inheritable; then the upper words of these.
        data.write(&[ALL[0], ALL[0], 0, ALL[1], ALL[1], 0])?;
    }
    Ok(0)
}

/// `capset(2)`: taken, without effect. Errors: `EPERM` for another process.
pub(super) fn capset(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    match header(thread, arguments)? {
        Some(header) if header.pid != 0 && header.pid != thread.pid() => Err(Errno::EPERM),
        _ => UserPtr::<[u32; 6]>::new(arguments.u64(1)).read().map(|_| 0),
    }
}

/// `getrusage(2)`. Errors: `EINVAL`, `EFAULT`.
pub(super) fn getrusage(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    const CHILDREN: i32 = -1;
    const PROCESS: i32 = 0;
    const THREAD: i32 = 1;
    let usage = match arguments.i32(0) {
        CHILDREN => thread.process.ended.lock().children,
        PROCESS => usage_of_process(thread),
        THREAD => thread.handle.usage_now(),
        _ => return Err(Errno::EINVAL),
    };
    arguments.pointer(1).write(&usage.as_rusage())?;
    Ok(0)
}

/// What all threads of the process have used.
fn usage_of_process(thread: &Thread) -> Usage {
    let mut usage = thread.handle.usage_now();
    table::with_entry(thread.pid(), |entry| {
        usage += entry.process.ended.lock().threads;
        let others = entry.threads.iter().filter(|other| !other.is(&thread.handle));
        others.for_each(|other| usage += other.usage());
    });
    usage
}

/// `vhangup(2)`: the console stays.
pub(super) fn vhangup(_: &mut Thread, _: &Arguments) -> Result<u64, Errno> {
    Ok(0)
}
