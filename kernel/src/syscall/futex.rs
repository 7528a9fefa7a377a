//! `futex(2)` for one thread: nobody ever waits, so that waking wakes nobody, and waiting ends by its timeout
//! only.

use abi::Errno;
use abi::time::Timespec;

use super::Arguments;
use super::time::duration;
use crate::process::Process;
use crate::time;

const WAIT: u32 = 0;
const WAKE: u32 = 1;
const WAIT_BITSET: u32 = 9;
const WAKE_BITSET: u32 = 10;
/// Flags: not shared with other processes; timeouts are wall-clock times.
const PRIVATE: u32 = 128;
const REALTIME: u32 = 256;

/// `futex(2)`. Errors: `EINVAL`, `EFAULT`, `EAGAIN` if the word has another value, `ETIMEDOUT`, `EDEADLK` for
/// a wait that nothing could end, `ENOSYS` for the operations that concern several threads.
pub(super) fn futex(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let operation = arguments.u32(1);
    if !arguments.u64(0).is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    match operation & !(PRIVATE | REALTIME) {
        WAKE | WAKE_BITSET => Ok(0),
        WAIT | WAIT_BITSET => wait(process, arguments, operation),
        _ => Err(Errno::ENOSYS),
    }
}

fn wait(process: &mut Process, arguments: &Arguments, operation: u32) -> Result<u64, Errno> {
    let timeout = arguments.optional::<Timespec>(3).map(|pointer| duration(pointer.read()?)).transpose()?;
    if arguments.pointer::<u32>(0).read()? != arguments.u32(2) {
        return Err(Errno::EAGAIN);
    }
    let Some(timeout) = timeout else {
        log::warn!("futex would wait for ever: there is one thread; EDEADLK");
        return Err(Errno::EDEADLK);
    };
    let now = time::since_boot();
    process.sleep_until(match (operation & !(PRIVATE | REALTIME), operation & REALTIME) {
        (WAIT, _) => now.saturating_add(timeout),
        (_, 0) => timeout,
        _ => now.saturating_add(timeout.saturating_sub(time::wall_clock())),
    });
    Err(Errno::ETIMEDOUT)
}
