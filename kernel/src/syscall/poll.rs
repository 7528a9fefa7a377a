//! `poll(2)`. Nothing becomes ready by waiting: there is no other process and no signal that could make it
//! so.

use core::time::Duration;

use abi::Errno;

use super::Arguments;
use super::user::{UserPtr, user_struct};
use crate::process::Process;
use crate::time;

/// There is something to read, or the end of it; `POLLIN` and `POLLRDNORM`.
const READABLE: i16 = 0x041;
/// A write does not wait; `POLLOUT` and `POLLWRNORM`.
const WRITABLE: i16 = 0x104;
/// `POLLERR` and `POLLHUP`: the other end of a pipe is closed. Reported whether or not they are asked for.
const POLLERR: i16 = 0x008;
const POLLHUP: i16 = 0x010;
/// The descriptor is not open. Reported whether or not it is asked for.
const POLLNVAL: i16 = 0x020;

/// `struct pollfd`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct PollFd {
    number: i32,
    wanted: i16,
    found: i16,
}

user_struct!(PollFd { number, wanted, found });

/// `poll(2)`: the number of descriptors that are ready. Errors: `EINVAL` for more than there can be,
/// `EFAULT`, `EDEADLK` for a wait that nothing could end.
pub(super) fn poll(process: &mut Process, arguments: &Arguments) -> Result<u64, Errno> {
    let (count, timeout) = (u64::from(arguments.u32(1)), arguments.i32(2));
    if count > process.files.limit as u64 {
        return Err(Errno::EINVAL);
    }
    let mut ready = 0;
    for index in 0..count {
        let address =
            arguments.u64(0).checked_add(index * size_of::<PollFd>() as u64).ok_or(Errno::EFAULT)?;
        let pointer = UserPtr::<PollFd>::new(address);
        let mut entry = pointer.read()?;
        entry.found = found(process, entry);
        ready += u64::from(entry.found != 0);
        pointer.write(&entry)?;
    }
    if ready > 0 {
        return Ok(ready);
    }
    let Ok(timeout) = u64::try_from(timeout) else {
        log::warn!("poll would wait for ever: nothing can become ready; EDEADLK");
        return Err(Errno::EDEADLK);
    };
    process.sleep_until(time::since_boot() + Duration::from_millis(timeout));
    Ok(0)
}

fn found(process: &Process, entry: PollFd) -> i16 {
    if entry.number < 0 {
        return 0;
    }
    let Ok(readiness) = process.files.readiness(entry.number) else { return POLLNVAL };
    let mut found = 0;
    for (is_set, bits) in [
        (readiness.readable, READABLE),
        (readiness.writable, WRITABLE),
        (readiness.without_readers, POLLERR),
        (readiness.without_writers, POLLHUP),
    ] {
        found |= if is_set { bits } else { 0 };
    }
    found & (entry.wanted | POLLERR | POLLHUP)
}
