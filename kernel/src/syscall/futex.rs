//! `futex(2)`: arguments of the operations; what they do is in [`crate::process::futex`].

use core::time::Duration;

use abi::Errno;
use abi::time::Timespec;

use super::Arguments;
use super::time::duration;
use crate::process::futex::{self, ANY, Key, Scope};
use crate::process::{Restart, Thread};
use crate::time;

const WAIT: u32 = 0;
const WAKE: u32 = 1;
const REQUEUE: u32 = 3;
const CMP_REQUEUE: u32 = 4;
const WAIT_BITSET: u32 = 9;
const WAKE_BITSET: u32 = 10;
/// Flags: not shared with other processes; timeouts are wall-clock times.
const PRIVATE: u32 = 128;
const REALTIME: u32 = 256;

/// `futex(2)`. Errors: `EINVAL`, `EFAULT`, `EAGAIN` if the word has another value, `ETIMEDOUT`, `EINTR`, `ENOMEM`; `ENOSYS` for
/// the operations with priority inheritance, and `FUTEX_WAKE_OP`.
pub(super) fn futex(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let operation = arguments.u32(1);
    match operation & !(PRIVATE | REALTIME) {
        WAIT => wait(thread, arguments, ANY),
        WAIT_BITSET => wait(thread, arguments, arguments.u32(5)),
        WAKE => wake(thread, arguments, ANY),
        WAKE_BITSET => wake(thread, arguments, arguments.u32(5)),
        REQUEUE => requeue(thread, arguments, None),
        CMP_REQUEUE => requeue(thread, arguments, Some((arguments.u64(0), arguments.u32(5)))),
        _ => Err(Errno::ENOSYS),
    }
}

fn key(thread: &Thread, arguments: &Arguments, index: usize) -> Result<Key, Errno> {
    let scope = if arguments.u32(1) & PRIVATE != 0 { Scope::Private } else { Scope::Shared };
    Key::new(&thread.space, arguments.u64(index), scope)
}

fn wake(thread: &Thread, arguments: &Arguments, bitset: u32) -> Result<u64, Errno> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    // As on Linux, no number wakes less than one.
    let count = arguments.i32(2).max(1) as usize;
    Ok(futex::wake(key(thread, arguments, 0)?, count, bitset) as u64)
}

fn requeue(thread: &Thread, arguments: &Arguments, expected: Option<(u64, u32)>) -> Result<u64, Errno> {
    let count = |index| usize::try_from(arguments.i32(index)).map_err(|_| Errno::EINVAL);
    let (wakes, moves) = (count(2)?, count(3)?);
    let (from, to) = (key(thread, arguments, 0)?, key(thread, arguments, 4)?);
    Ok(futex::requeue(from, to, wakes, moves, expected)? as u64)
}

fn wait(thread: &mut Thread, arguments: &Arguments, bitset: u32) -> Result<u64, Errno> {
    let timeout = arguments.optional::<Timespec>(3).map(|pointer| duration(pointer.read()?)).transpose()?;
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(thread, arguments, 0)?;
    let resumed = thread.resumed_deadline.take();
    let deadline = resumed.or(timeout.map(|timeout| deadline(arguments.u32(1), timeout)));
    let result = futex::wait(key, arguments.u64(0), arguments.u32(2), bitset, deadline);
    if result == Err(Errno::EINTR) {
        thread.resumed_deadline = deadline;
        // With a timeout of its own it does not begin anew after a handler.
        thread.restart(if timeout.is_some() { Restart::WithoutHandler } else { Restart::UnlessHandled });
    }
    result.map(|()| 0)
}

/// When a wait ends, since boot.
fn deadline(operation: u32, timeout: Duration) -> Duration {
    let now = time::since_boot();
    match (operation & !(PRIVATE | REALTIME), operation & REALTIME) {
        (WAIT, _) => now.saturating_add(timeout),
        (_, 0) => timeout,
        _ => now.saturating_add(timeout.saturating_sub(time::wall_clock())),
    }
}
