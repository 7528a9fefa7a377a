//! `poll(2)` and `select(2)`. Only pipes, counters and faults ever wait; whoever changes one wakes all who poll.

use alloc::vec::Vec;
use core::time::Duration;

use abi::Errno;

use super::Arguments;
use super::time::duration;
use super::user::{UserPtr, user_struct};
use crate::fs::Files;
use crate::fs::pipe::POLLERS;
use crate::process::{Restart, Thread};
use crate::sched::{Sleep, Stopped};
use crate::time;

/// There is something to read, or the end of it; `POLLIN` and `POLLRDNORM`.
const READABLE: i16 = 0x041;
/// A write does not wait; `POLLOUT` and `POLLWRNORM`.
const WRITABLE: i16 = 0x104;
/// `POLLERR` and `POLLHUP`: the other end of a pipe is closed, or faults cannot be waited for. Reported whether or not they are asked for.
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
/// `EFAULT`, `EINTR`, `ENOMEM`.
pub(super) fn poll(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let timeout = u64::try_from(arguments.i32(2)).ok().map(Duration::from_millis);
    wait(thread, arguments, timeout)
}

/// `ppoll(2)`: as `poll`, with a finer timeout, and another signal mask meanwhile.
pub(super) fn ppoll(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let timeout = arguments.optional(2).map(|pointer| duration(pointer.read()?)).transpose()?;
    if let Some(pointer) = arguments.optional::<u64>(3) {
        if arguments.u64(4) != 8 {
            return Err(Errno::EINVAL);
        }
        let mask = pointer.read()?;
        thread.saved_mask = Some(thread.mask());
        thread.set_mask(mask);
    }
    let result = wait(thread, arguments, timeout);
    // Interrupted, the mask comes back with the signal.
    if result != Err(Errno::EINTR)
        && let Some(mask) = thread.saved_mask.take()
    {
        thread.set_mask(mask);
    }
    result
}

fn wait(thread: &mut Thread, arguments: &Arguments, timeout: Option<Duration>) -> Result<u64, Errno> {
    let mut entries = read(thread, arguments)?;
    let waited = wait_for(thread, &mut entries, timeout);
    for (index, entry) in entries.iter().enumerate() {
        pointer(arguments, index as u64)?.write(entry)?;
    }
    waited
}

/// Waits until something is ready, and notes what it found; the number of descriptors that are ready. Errors: `EINTR`.
fn wait_for(thread: &mut Thread, entries: &mut [PollFd], timeout: Option<Duration>) -> Result<u64, Errno> {
    let files = &thread.files;
    let is_ready = || entries.iter().any(|entry| found(files, *entry) != 0);
    let deadline = timeout.map(|timeout| time::since_boot().saturating_add(timeout));
    let deadline = deadline.map(|deadline| thread.resumed_deadline.unwrap_or(deadline));
    let waited = POLLERS.wait(Sleep::Interruptible, deadline, is_ready);
    for entry in &mut *entries {
        entry.found = found(files, *entry);
    }
    let ready = entries.iter().filter(|entry| entry.found != 0).count() as u64;
    match waited {
        Err(Stopped::Interrupted) if ready == 0 => {
            thread.resumed_deadline = deadline;
            Err(thread.interrupted(Restart::WithoutHandler))
        }
        _ => Ok(ready),
    }
}

/// `select(2)`: as `poll`, with sets of bits; the time that is left is stored.
pub(super) fn select(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let timeout = match arguments.optional::<[i64; 2]>(4) {
        None => None,
        Some(pointer) => {
            let [seconds, microseconds] = pointer.read()?;
            if seconds < 0 || microseconds < 0 {
                return Err(Errno::EINVAL);
            }
            Some(
                Duration::from_secs(seconds as u64)
                    .saturating_add(Duration::from_micros(microseconds as u64)),
            )
        }
    };
    select_until(thread, arguments, timeout)
}

/// `pselect6(2)`: as `select`, with a finer timeout, and another signal mask meanwhile.
pub(super) fn pselect6(thread: &mut Thread, arguments: &Arguments) -> Result<u64, Errno> {
    let timeout = arguments.optional(4).map(|pointer| duration(pointer.read()?)).transpose()?;
    if let Some(pointer) = arguments.optional::<[u64; 2]>(5) {
        let [mask, size] = pointer.read()?;
        if mask != 0 {
            if size != 8 {
                return Err(Errno::EINVAL);
            }
            let mask = UserPtr::<u64>::new(mask).read()?;
            thread.saved_mask = Some(thread.mask());
            thread.set_mask(mask);
        }
    }
    let result = select_until(thread, arguments, timeout);
    // Interrupted, the mask comes back with the signal.
    if result != Err(Errno::EINTR)
        && let Some(mask) = thread.saved_mask.take()
    {
        thread.set_mask(mask);
    }
    result
}

/// What `select` waits for: readable, writable, exceptions.
const SETS: [i16; 3] = [READABLE, WRITABLE, 0];

fn select_until(thread: &mut Thread, arguments: &Arguments, timeout: Option<Duration>) -> Result<u64, Errno> {
    let count = usize::try_from(arguments.i32(0)).map_err(|_| Errno::EINVAL)?;
    let count = count.min(thread.files.limit());
    let word = |set: usize, index: usize| {
        let address = arguments.u64(1 + set).checked_add(8 * index as u64).ok_or(Errno::EFAULT)?;
        Ok::<_, Errno>(UserPtr::<u64>::new(address))
    };
    let mut entries = Vec::new();
    for index in 0..count.div_ceil(64) {
        let mut words = [0u64; SETS.len()];
        for (set, bits) in words.iter_mut().enumerate() {
            if arguments.u64(1 + set) != 0 {
                *bits = word(set, index)?.read()?;
            }
        }
        for bit in (0..64).filter(|bit| 64 * index + bit < count) {
            let is_set = |set: &usize| words[*set] & 1 << bit != 0;
            let wanted = (0..SETS.len()).filter(is_set).fold(0, |wanted, set| wanted | SETS[set]);
            if (0..SETS.len()).any(|set| is_set(&set)) {
                let number = (64 * index + bit) as i32;
                thread.files.get(number)?;
                entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                entries.push(PollFd { number, wanted, found: 0 });
            }
        }
    }
    wait_for(thread, &mut entries, timeout)?;
    let mut ready = 0;
    for index in 0..count.div_ceil(64) {
        for (set, &wanted) in SETS.iter().enumerate().filter(|(set, _)| arguments.u64(1 + set) != 0) {
            let old = word(set, index)?.read()?;
            let mut new = 0;
            for entry in entries.iter().filter(|entry| entry.number as usize / 64 == index) {
                let bit = 1 << (entry.number % 64);
                // The end of a pipe can be read, and an error can be written.
                let meant = match wanted {
                    READABLE => READABLE | POLLHUP | POLLERR,
                    WRITABLE => WRITABLE | POLLERR,
                    _ => 0,
                };
                if old & bit != 0 && entry.found & meant != 0 {
                    new |= bit;
                    ready += 1;
                }
            }
            word(set, index)?.write(&new)?;
        }
    }
    Ok(ready)
}

fn read(thread: &Thread, arguments: &Arguments) -> Result<Vec<PollFd>, Errno> {
    let count = u64::from(arguments.u32(1));
    if count > thread.files.limit() as u64 {
        return Err(Errno::EINVAL);
    }
    let mut entries = Vec::new();
    entries.try_reserve_exact(count as usize).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        entries.push(pointer(arguments, index)?.read()?);
    }
    Ok(entries)
}

fn pointer(arguments: &Arguments, index: u64) -> Result<UserPtr<PollFd>, Errno> {
    let address = arguments.u64(0).checked_add(index * size_of::<PollFd>() as u64).ok_or(Errno::EFAULT)?;
    Ok(UserPtr::new(address))
}

fn found(files: &Files, entry: PollFd) -> i16 {
    if entry.number < 0 {
        return 0;
    }
    let Ok(readiness) = files.readiness(entry.number) else { return POLLNVAL };
    let mut found = 0;
    for (is_set, bits) in [
        (readiness.readable, READABLE),
        (readiness.writable, WRITABLE),
        (readiness.broken, POLLERR),
        (readiness.without_writers, POLLHUP),
    ] {
        found |= if is_set { bits } else { 0 };
    }
    found & (entry.wanted | POLLERR | POLLHUP)
}
